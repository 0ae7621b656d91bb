"""Where keys are, by key specifications, by what older servers tell, and by our own list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador.redis.commands import Command, Route, Table, names_of
from ambassador.redis.keys import KeySpec, positions, specs_of


def index(at: int, find: object) -> list[object]:
    return [b"flags", [b"RO"], b"begin_search", [b"type", b"index", b"spec", [b"index", at]],
            b"find_keys", find]  # fmt: skip


RANGE: object = [b"type", b"range", b"spec", [b"lastkey", -1, b"keystep", 2, b"limit", 0]]
COUNTED = [b"type", b"keynum", b"spec", [b"keynumidx", 0, b"firstkey", 1, b"keystep", 1]]
UNKNOWN = [b"type", b"unknown", b"spec", []]
KEYWORD = {
    b"begin_search": {b"type": b"keyword", b"spec": {b"keyword": b"streams", b"startfrom": 1}},
    b"find_keys": {b"type": b"range", b"spec": {b"lastkey": -1, b"keystep": 1, b"limit": 2}},
}


@pytest.mark.parametrize(
    ("told", "words", "found"),
    [
        ([index(1, RANGE)], b"MSET a 1 b 2", [1, 3]),
        ([index(2, COUNTED)], b"EVAL x 2 a b c", [3, 4]),
        ([index(2, COUNTED)], b"EVAL x 9 a b c", []),
        ([index(2, COUNTED)], b"EVAL x -1", []),
        ([index(2, COUNTED)], b"EVAL x", []),
        ([KEYWORD], b"XREAD COUNT 1 STREAMS a b 0 0", [4, 5]),
        ([KEYWORD], b"XREAD COUNT 1", []),
    ],
)
def test_specifications_are_followed(told: object, words: bytes, found: list[int]) -> None:
    command = Command("x", Route.READ, specs=specs_of(told))
    assert command.keys(words.split()) == found


def test_a_keyword_is_looked_for_backwards_too() -> None:
    spec = KeySpec(at=-2, keyword=b"KEYS", last=-1)
    assert positions(spec, b"MIGRATE h 1 # 0 1 keys a b".split()) == [7, 8]
    assert positions(spec, b"MIGRATE h 1 a 0 1".split()) == []
    assert positions(KeySpec(at=3, last=1), b"a b c d e f".split()) == [3, 4]


def test_what_cannot_be_followed_is_left_to_the_server() -> None:
    assert specs_of([index(1, UNKNOWN)]) is None
    assert specs_of([[b"begin_search", [b"type", b"unknown", b"spec", []]]]) is None
    command = Command("mod.x", Route.READ, frozenset({"movablekeys"}), 1, 1, 1, specs=None)
    assert command.keys([b"mod.x", b"a"]) is None
    assert command._replace(flags=frozenset()).keys([b"mod.x", b"a"]) == [1]
    assert Command("mod.y", Route.READ, frozenset({"movablekeys"})).keys([b"mod.y"]) is None
    assert Command("ping", Route.LOOK).keys([b"PING"]) == []


def test_specifications_and_policies_are_read_from_command() -> None:
    tips = [b"request_policy:multi_shard", b"nondeterministic_output", b"response_policy:agg_sum"]
    told = [[b"del", -2, [b"write"], 1, -1, 1, [], tips, [index(1, RANGE)], []]]
    [command] = names_of(told)
    assert (command.request, command.response) == ("multi_shard", "agg_sum")
    assert command.specs == (KeySpec(at=1, last=-1, step=2),)
    old = Table().command(b"DBSIZE")
    assert (old.request, old.response) == ("all_shards", "agg_sum")


@given(st.sampled_from(sorted(Table().names())), st.lists(st.binary(max_size=5), max_size=9))
def test_keys_are_always_words_behind_the_name(name: str, rest: list[bytes]) -> None:
    words = [*name.encode().split(b"|"), *rest]
    places = Table().command(words[0], words[1] if len(words) > 1 else b"").keys(words)
    assert places is None or all(0 < place < len(words) for place in places)
