"""The pure parts of serving a cluster: slots, redirects, keys, parts and merged replies."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador.frame.address import Address
from ambassador.redis.cluster.misses import may_be_miss
from ambassador.redis.cluster.redirects import Redirect, redirect_of
from ambassador.redis.cluster.scanning import (
    cursor_in,
    joined,
    marks,
    next_mark,
    parted,
    with_cursor,
)
from ambassador.redis.cluster.slots import SLOTS, ShardView, View, newest, slot_of, view_of
from ambassador.redis.cluster.splitting import (
    SPLITTABLE,
    Part,
    elements,
    merged,
    merged_by_policy,
    parts_of,
)
from ambassador.redis.resp import Failure, arguments, bulk, decode
from sidecar.errors import ProtocolError

ASKED = Address("192.0.2.9", 7000)
A, B = Address("192.0.2.1", 6379), Address("192.0.2.2", 6379)
KEYS = st.binary(max_size=12)


# --- slots ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "slot"),
    [
        (b"123456789", 0x31C3),  # the check value of CRC16/XMODEM
        (b"", 0),
        (b"foo", 12182),
        (b"{user1000}.following", 3443),
        (b"{user1000}.followers", 3443),
        (b"foo{}{bar}", 8363),  # an empty tag is none
        (b"foo{{bar}}zap", 4015),  # what stands between the first brace and the next
        (b"foo{bar}{zap}", 5061),
        (b"foo{bar", 15278),
    ],
)
def test_a_key_has_the_slot_that_redis_gives_it(key: bytes, slot: int) -> None:
    assert slot_of(key) == slot


@given(KEYS.filter(lambda key: b"}" not in key and key != b""), KEYS)
def test_keys_with_the_same_tag_are_in_the_same_slot(tag: bytes, rest: bytes) -> None:
    assert slot_of(b"{%b}%b" % (tag, rest)) == slot_of(b"{%b}" % tag)
    assert 0 <= slot_of(rest) < SLOTS


INFO = b"cluster_enabled:1\r\ncluster_state:ok\r\ncluster_current_epoch:7\r\n"


def test_slots_tell_shards_by_their_primaries() -> None:
    told = [
        [0, 99, [b"192.0.2.1", 6379, b"id", []], [b"192.0.2.3", 6379, b"id3"]],
        [100, 199, [b"", 6379, b"id"], [None, 6380, b"id2"]],
        [200, 299, [b"192.0.2.1", 6379, b"id", []], [b"192.0.2.3", 6379, b"id3"]],
    ]
    assert view_of(INFO, told, ASKED) == View(
        7,
        True,
        (
            ShardView(A, (Address("192.0.2.3", 6379),), ((0, 99), (200, 299))),
            ShardView(Address("192.0.2.9", 6379), (Address("192.0.2.9", 6380),), ((100, 199),)),
        ),
    )


def node(role: bytes, health: bytes, host: bytes, port: int, **more: object) -> list[object]:
    facts = {b"port": port, b"ip": host, b"endpoint": host, b"role": role, b"health": health}
    facts |= {key.replace("_", "-").encode(): value for key, value in more.items()}
    return [one for pair in facts.items() for one in pair]


def test_shards_tell_who_lives_and_has_the_slots() -> None:
    told = [
        [
            b"slots", [0, 99, 200, 299],
            b"nodes", [
                node(b"master", b"fail", b"192.0.2.2", 6379),
                node(b"master", b"online", b"192.0.2.1", 6379),
                node(b"replica", b"online", b"192.0.2.3", 6379),
                node(b"replica", b"fail", b"192.0.2.4", 6379),
            ],
        ],
        [b"slots", [], b"nodes", [node(b"master", b"online", b"192.0.2.2", 6379)]],
        [b"slots", [], b"nodes", [node(b"master", b"fail", b"192.0.2.5", 6379)]],
        [b"slots", [300, 300], b"nodes", [node(b"replica", b"online", b"192.0.2.6", 6379)]],
    ]  # fmt: skip
    assert view_of(INFO, told, ASKED).shards == (
        ShardView(A, (Address("192.0.2.3", 6379),), ((0, 99), (200, 299))),
        ShardView(B),
    )


def test_addresses_of_shards_are_those_to_connect_to() -> None:
    entry = node(b"master", b"online", b"?", 6379, tls_port=6380)
    told = [{b"slots": [0, 0], b"nodes": [entry]}]
    assert view_of(INFO, told, ASKED).shards[0].primary == Address("192.0.2.9", 6379)
    found = view_of(INFO, told, ASKED, with_tls=True).shards[0].primary
    assert found == Address("192.0.2.9", 6380)
    only_tls = [b"role", b"master", b"tls-port", 1, b"endpoint", b"redis.example.org"]
    told = [{b"slots": [0, 0], b"nodes": [only_tls]}]
    assert view_of(INFO, told, ASKED).shards[0].primary == Address("redis.example.org", 1)


@pytest.mark.parametrize(
    ("info", "told"),
    [
        (Failure(b"ERR This instance has cluster support disabled"), []),
        (INFO, Failure(b"ERR unknown subcommand")),
        (b"", None),
        (INFO, [[0, 1]]),
        (INFO, [[0, 1, [b"host", b"port"]], [0]]),
        (INFO, [{b"slots": [0, 0], b"nodes": [[b"role", b"master"]]}]),
    ],
)
def test_who_is_no_cluster_is_told_apart(info: object, told: object) -> None:
    with pytest.raises(ProtocolError):
        view_of(info, told, ASKED)


def test_the_newest_view_of_who_can_serve_is_believed() -> None:
    cut_off = View(9, False, (ShardView(A),))
    old, new = View(3, True, (ShardView(A),)), View(4, True, (ShardView(B),))
    for views in itertools.permutations([cut_off, old, new]):
        assert newest(views) is new
    assert newest([cut_off]) is cut_off
    assert view_of(b"cluster_state:fail\r\n", [], ASKED) == View(0, False, ())


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (b"-MOVED 3999 192.0.2.1:6379\r\n", Redirect(3999, A, is_ask=False)),
        (b"-ASK 1 192.0.2.2:6379\r\n", Redirect(1, B, is_ask=True)),
        (b"-MOVED 1 :6380\r\n", Redirect(1, Address("192.0.2.9", 6380), is_ask=False)),
        (b"-MOVED 1 [2001:db8::1]:1\r\n", Redirect(1, Address("2001:db8::1", 1), is_ask=False)),
        (b"-MOVED 1 2001:db8::1:1\r\n", Redirect(1, Address("2001:db8::1", 1), is_ask=False)),
        (b"-MOVED x 192.0.2.1:6379\r\n", None),
        (b"-MOVED 1 192.0.2.1\r\n", None),
        (b"-TRYAGAIN Multiple keys request during rehashing of slot\r\n", None),
        (b"-ERR a b\r\n", None),
    ],
)
def test_a_redirect_names_slot_and_node(reply: bytes, found: Redirect | None) -> None:
    assert redirect_of(reply, "192.0.2.9") == found


# --- misses --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reply",
    [
        b"$-1\r\n", b"_\r\n", b":0\r\n", b":-2\r\n", b"*0\r\n", b"*-1\r\n", b"$0\r\n\r\n",
        b"+none\r\n", b"*2\r\n$-1\r\n$-1\r\n", b"*2\r\n:0\r\n:0\r\n", b"-ERR no such key\r\n",
        b"%0\r\n", b"#f\r\n", b",0\r\n", b"*2\r\n$1\r\n", b"?",
    ],
)  # fmt: skip
def test_what_a_missing_key_gives_is_not_believed(reply: bytes) -> None:
    assert may_be_miss(reply)


@pytest.mark.parametrize(
    "reply",
    [
        b"$1\r\nv\r\n", b":1\r\n", b"+string\r\n", b"*2\r\n$-1\r\n$1\r\nv\r\n", b"#t\r\n",
        b"%1\r\n$1\r\na\r\n:0\r\n", b",1.5\r\n", b"*1\r\n*1\r\n:3\r\n",
    ],
)  # fmt: skip
def test_what_shows_a_value_is_believed(reply: bytes) -> None:
    assert not may_be_miss(reply)


# --- scanning ------------------------------------------------------------------------------------


@given(st.integers(0, 2**48), st.integers(1, 16383))
def test_a_cursor_keeps_its_node(cursor: int, mark: int) -> None:
    assert parted(joined(cursor, mark)) == (cursor, mark)


@given(st.sets(st.integers(1, 65535), max_size=200))
def test_marks_are_different_and_do_not_depend_on_the_order(ports: set[int]) -> None:
    addresses = [Address("192.0.2.1", port) for port in ports]
    found = marks(addresses)
    assert sorted(found.values()) == sorted(addresses)
    assert all(0 < mark < 16384 for mark in found)
    assert marks(reversed(addresses)) == found
    walked, mark = [], next_mark(found, 0)
    while mark:
        walked.append(mark)
        mark = next_mark(found, mark)
    assert walked == sorted(found)


def test_nodes_that_would_have_the_same_mark_get_others() -> None:
    first = Address("192.0.2.1", 1)
    [mark] = marks([first])
    same = next(
        address
        for port in range(1, 65536)
        if marks([address := Address("192.0.2.2", port)]).keys() == {mark}
    )
    assert set(marks([first, same]).values()) == {first, same}


def test_the_cursor_of_a_reply_is_read_and_replaced() -> None:
    reply = b"*2\r\n$2\r\n17\r\n*1\r\n$3\r\na\r\n\r\n"
    assert cursor_in(reply) == 17
    assert with_cursor(reply, 12345) == b"*2\r\n$5\r\n12345\r\n*1\r\n$3\r\na\r\n\r\n"
    assert cursor_in(b"-ERR syntax error\r\n") is None
    assert cursor_in(b"*2\r\n$1\r\nx\r\n*0\r\n") is None


# --- splitting -----------------------------------------------------------------------------------


@given(st.lists(KEYS, min_size=1, max_size=20), st.sampled_from(sorted(SPLITTABLE)))
def test_parts_hold_every_key_once_and_one_slot_each(keys: list[bytes], name: str) -> None:
    width = SPLITTABLE[name]
    words = [name.encode()]
    for number, key in enumerate(keys):
        words += [key, b"%d" % number][:width]
    parts = parts_of(name, words)
    assert sorted(place for part in parts for place in part.places) == list(range(len(keys)))
    assert len({part.slot for part in parts}) == len(parts)
    for part in parts:
        head, *rest = arguments(part.data)
        assert head == name.encode()
        assert rest[::width] == [keys[place] for place in part.places]
        assert {slot_of(key) for key in rest[::width]} == {part.slot}


@given(st.lists(KEYS, min_size=1, max_size=20, unique=True))
def test_a_split_read_gives_every_value_its_place(keys: list[bytes]) -> None:
    parts = parts_of("mget", [b"MGET", *keys])
    replies = []
    for part in parts:
        values = [bulk(b"v" + key) if key else b"$-1\r\n" for key in arguments(part.data)[1:]]
        replies.append(b"*%d\r\n%b" % (len(values), b"".join(values)))
    found, _ = decode(merged("mget", parts, replies))
    assert found == [b"v" + key if key else None for key in keys]


def test_a_command_that_is_cut_short_has_no_parts() -> None:
    assert parts_of("mset", [b"MSET", b"a", b"1", b"b"]) == []
    assert parts_of("del", [b"DEL"]) == []


def test_replies_of_parts_are_one() -> None:
    parts = [Part(0, b"", (0,)), Part(1, b"", (1,))]
    assert merged("del", parts, [b":1\r\n", b":2\r\n"]) == b":3\r\n"
    assert merged("mset", parts, [b"+OK\r\n", b"+OK\r\n"]) == b"+OK\r\n"
    assert merged("mset", parts, [b"+OK\r\n", b"-ERR no\r\n"]) == b"-ERR no\r\n"
    with pytest.raises(ProtocolError):
        elements(b":1\r\n")


@pytest.mark.parametrize(
    ("policy", "replies", "found"),
    [
        ("agg_sum", [b":1\r\n", b":2\r\n"], b":3\r\n"),
        ("agg_min", [b":1\r\n", b":2\r\n"], b":1\r\n"),
        ("agg_max", [b":1\r\n", b":2\r\n"], b":2\r\n"),
        ("agg_logical_and", [b"*2\r\n:1\r\n:1\r\n", b"*2\r\n:1\r\n:0\r\n"], b"*2\r\n:1\r\n:0\r\n"),
        ("agg_logical_or", [b"*2\r\n:1\r\n:0\r\n", b"*2\r\n:0\r\n:0\r\n"], b"*2\r\n:1\r\n:0\r\n"),
        ("all_succeeded", [b"+OK\r\n", b"+OK\r\n"], b"+OK\r\n"),
        ("all_succeeded", [b"+OK\r\n", b"-ERR no\r\n"], b"-ERR no\r\n"),
        ("one_succeeded", [b"-NOTBUSY no\r\n", b"+OK\r\n"], b"+OK\r\n"),
        ("one_succeeded", [b"-NOTBUSY no\r\n", b"-NOTBUSY\r\n"], b"-NOTBUSY no\r\n"),
        ("", [b"*1\r\n$1\r\na\r\n", b"*0\r\n", b"*1\r\n$1\r\nb\r\n"],
         b"*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
        ("", [b"$-1\r\n", b"$1\r\na\r\n"], b"$1\r\na\r\n"),
        ("", [b"_\r\n", b"_\r\n"], b"_\r\n"),
        ("of tomorrow", [b"*0\r\n", b"*0\r\n"], b"*0\r\n"),
    ],
)  # fmt: skip
def test_replies_of_nodes_are_one_as_the_policy_says(
    policy: str, replies: list[bytes], found: bytes
) -> None:
    assert merged_by_policy(policy, replies) == found
