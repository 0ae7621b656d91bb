"""Framing of the Redis protocol: any split, any mutation."""

import os
import random
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador.redis.framing import CommandLimits, Requests
from ambassador.redis.messages import Subscriptions
from ambassador.redis.patterns import alike_of, replies_of
from ambassador.redis.replies import Replies
from ambassador.redis.resp import arguments, packed
from sidecar.errors import ProtocolError

WORDS = st.lists(st.binary(max_size=120), min_size=1, max_size=9)
COMMANDS = st.lists(WORDS, min_size=1, max_size=6)
MUTATIONS = int(os.environ.get("PINNACE_TESTS_MUTATIONS", "20000"))


def found(requests: Requests, pieces: Iterable[bytes]) -> tuple[list[bytes], str | None]:
    """Return the commands of what comes in these pieces."""
    commands = []
    for piece in pieces:
        for buffer, batch in requests.split(piece):
            commands += [buffer[begin:end] for _, begin, end in batch]
    return commands, requests.failure


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(ends)]


@given(COMMANDS, st.lists(st.integers(min_value=0), max_size=12))
def test_commands_come_out_as_they_went_in_however_they_are_cut(
    commands: list[list[bytes]], places: list[int]
) -> None:
    whole = [packed(*words) for words in commands]
    data = b"".join(whole)
    assert found(Requests(), cut(data, places)) == (whole, None)
    assert [arguments(command) for command in whole] == commands


@given(st.binary(max_size=400), st.lists(st.integers(min_value=0), max_size=12))
def test_any_bytes_mean_the_same_however_they_are_cut(data: bytes, places: list[int]) -> None:
    assert found(Requests(), cut(data, places)) == found(Requests(), [data])


@given(COMMANDS, st.data())
def test_one_byte_at_a_time_is_the_same_with_bytes_changed(
    commands: list[list[bytes]], draw: st.DataObject
) -> None:
    data = bytearray(b"".join(packed(*words) for words in commands))
    for _ in range(draw.draw(st.integers(0, 4))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.sampled_from(b"*$\r\n0123-x"))
    single = found(Requests(), [bytes([byte]) for byte in data])
    assert single == found(Requests(), [bytes(data)])
    for command in single[0]:
        assert arguments(command)


@given(st.sampled_from([1, 2, 4, 16]), st.data())
def test_commands_found_at_once_are_those_found_one_by_one(count: int, draw: st.DataObject) -> None:
    names = draw.draw(st.sampled_from([[b"GET"], [b"GET", b"set"]]))
    command = st.tuples(st.sampled_from(names), st.lists(st.binary(max_size=30), max_size=5))
    commands = [[name, *rest] for name, rest in draw.draw(st.lists(command, min_size=count))]
    data = bytearray(b"".join(packed(*command) for command in commands))
    for _ in range(draw.draw(st.integers(0, 2))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.sampled_from(b"*$\r\n0123-x"))
    match = alike_of(count).match(data)
    if match is None:
        return
    batches = Requests().split(bytes(data[: match.end()]))
    ((_, found_singly),) = batches
    assert [word for word, _, _ in found_singly] == [match[1]] * count
    assert found_singly[-1][2] == match.end()


@given(st.sampled_from([1, 2, 4, 8, 16]), st.data())
def test_replies_found_at_once_are_those_found_one_by_one(count: int, draw: st.DataObject) -> None:
    short = st.binary(max_size=60).map(lambda text: b"$%d\r\n%b\r\n" % (len(text), text))
    replies = (
        st.sampled_from([b"+OK\r\n", b"+", b"\r\n", b":5\r\n", b"$-1\r\n", b"-ERR\r\n"]) | short
    )
    data = b"".join(draw.draw(st.lists(replies, min_size=count, max_size=count + 2)))
    match = replies_of(count).match(data)
    if match is None:
        return
    framer, at = Replies(), 0
    for _ in range(count):
        at, done = framer.take_one(data, at)
        assert done == 1
    assert at == match.end()
    assert not framer.has_error


def mutations() -> Iterable[bytes]:
    draw = random.Random(11)
    seeds = [
        packed(b"SET", b"key", b"value") * 3,
        packed(b"MSET", *[b"x"] * 9) + b"PING\r\n" + packed(b"GET", b"k" * 150),
        b'SET a "b c"\r\n' + packed(b"EVAL", b"return 1", b"0"),
    ]
    for _ in range(MUTATIONS):
        data = bytearray(draw.choice(seeds))
        for _ in range(draw.randrange(1, 5)):
            place = draw.randrange(len(data))
            match draw.randrange(3):
                case 0:
                    data[place] = draw.randrange(256)
                case 1:
                    del data[place]
                case _:
                    data.insert(place, draw.choice(b"*$\r\n019-\"'\\x"))
        yield bytes(data)


def test_mutations_of_commands_never_raise_and_always_parse() -> None:
    for data in mutations():
        commands, _ = found(Requests(CommandLimits(bulk=1 << 20, buffer=1 << 20)), [data])
        for command in commands:
            arguments(command)


REPLY: st.SearchStrategy[bytes] = st.deferred(
    lambda: (
        st.sampled_from(
            [b"+OK\r\n", b":5\r\n", b"$-1\r\n", b"*-1\r\n", b"_\r\n", b"#t\r\n", b",1\r\n"]
        )
        | st.binary(max_size=150).map(lambda text: b"$%d\r\n%b\r\n" % (len(text), text))
        | st.binary(max_size=20).map(lambda text: b"=%d\r\n%b\r\n" % (len(text), text))
        | st.lists(REPLY, max_size=3).map(lambda them: b"*%d\r\n" % len(them) + b"".join(them))
        | st.lists(REPLY, max_size=2).map(
            lambda them: b"%%%d\r\n" % len(them) + b"".join(one + one for one in them)
        )
        | st.tuples(REPLY, REPLY, REPLY).map(lambda them: b"|1\r\n" + b"".join(them))
    )
)


@given(st.lists(REPLY, min_size=1, max_size=40), st.lists(st.integers(min_value=0), max_size=9))
def test_replies_are_counted_however_they_are_cut(replies: list[bytes], places: list[int]) -> None:
    framer, done = Replies(), 0
    data = b"".join(replies)
    for piece in cut(data, places):
        at = 0
        while at < len(piece):
            end, now = framer.take(piece, at, len(replies) - done)
            assert end > at
            at, done = end, done + now
    assert done == len(replies)
    assert not framer.is_inside


@given(st.lists(REPLY, min_size=2, max_size=40), st.data())
def test_no_more_replies_are_taken_than_are_wanted(
    replies: list[bytes], draw: st.DataObject
) -> None:
    wanted = draw.draw(st.integers(1, len(replies) - 1))
    end, done = Replies().take(b"".join(replies), 0, wanted)
    assert done == wanted
    assert end == len(b"".join(replies[:wanted]))


@pytest.mark.parametrize("takes_pushes", [False, True])
def test_mutated_replies_raise_nothing_but_a_protocol_error(takes_pushes: bool) -> None:
    draw = random.Random(5)
    good = b"+OK\r\n$3\r\nabc\r\n*2\r\n:1\r\n$-1\r\n%1\r\n+a\r\n+b\r\n>2\r\n+x\r\n+y\r\n-ERR no\r\n"
    for _ in range(MUTATIONS):
        data = bytearray(good)
        for _ in range(draw.randrange(1, 4)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        framer, messages = Replies(takes_pushes=takes_pushes), Subscriptions()
        messages.feed(bytes(data))
        at = 0
        try:
            while at < len(data):
                at, _ = framer.take(bytes(data), at, 100)
        except ProtocolError:
            pass
