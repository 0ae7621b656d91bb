"""Long commands and replies are skipped by their headers as the walk would go over them."""

from itertools import product

import pytest

from ambassador.redis.framing import CommandLimits, Found, Requests
from ambassador.redis.replies import Replies
from ambassador.redis.resp import packed
from ambassador.redis.skipping import alike, over_commands, over_replies

NO_LIMIT = 1 << 29
LONG = b"x\r\n*$" * 300
SET = packed(b"SET", b"key", LONG)
SHAPES = [
    packed(b"ECHO", LONG),
    SET,
    packed(b"SET", b"", LONG),
    packed(b"SETEX", b"key", b"60", LONG),
    packed(b"HSET", b"key", b"a", b"b", LONG),
    packed(b"SET", b"key", LONG, b"EX", b"60"),
    packed(b"SET", b"k" * 99, LONG, b"EX", b"60", b"NX"),
    packed(b"DEL", LONG, *[b"key"] * 7),
]
STRANGER = [
    packed(b"MSET", b"a", LONG, b"b", LONG),
    packed(b"MSET", *[b"a"] * 9, LONG),
    packed(b"MSET", b"a", b"b", b"c", b"d", LONG),
    SET.replace(b"$1500", b"$01500"),
    SET.replace(b"$1500", b"$-1500"),
    SET.replace(b"*3", b"*0"),
    SET.replace(b"*3", b"*2"),
    packed(b"GET", b"key"),
    b"SET key value\r\n",
]


def skipped(data: bytes, most: int = NO_LIMIT) -> tuple[list[Found], int]:
    found: list[Found] = []
    return found, over_commands(data, 0, most, found)


def walked(data: bytes) -> list[Found]:
    """Return what comes out when nothing but the walk can be used, as each byte comes alone."""
    requests, found = Requests(), []
    for place in range(len(data)):
        for buffer, ((word, begin, end),) in requests.split(data[place : place + 1]):
            at = place + 1 - len(buffer)
            found.append((word, at + begin, at + end))
    return found


@pytest.mark.parametrize("command", SHAPES)
def test_a_command_with_one_long_argument_is_found_by_its_headers(command: bytes) -> None:
    data = command + SET + b"*3\r\n"
    assert skipped(data) == (walked(data), len(command + SET))


@pytest.mark.parametrize("command", STRANGER)
def test_what_is_not_that_is_left(command: bytes) -> None:
    assert skipped(command + SET) == ([], 0)
    assert alike(command, NO_LIMIT) == (b"", 0)


@pytest.mark.parametrize("command", SHAPES)
def test_what_is_cut_is_left(command: bytes) -> None:
    for place in range(1, len(command)):
        assert skipped(command[:place]) == ([], 0)
        assert alike(command[:place], NO_LIMIT) == (b"", 0)
        assert alike(command + command[:place], NO_LIMIT) == (b"", 0)


@pytest.mark.parametrize("command", SHAPES)
@pytest.mark.parametrize("count", [1, 2, 5])
def test_commands_that_are_alike_are_counted(command: bytes, count: int) -> None:
    (word, _, _), *_ = walked(command)
    assert alike(command * count, NO_LIMIT) == (word, count)


def test_commands_are_alike_though_their_keys_and_values_differ() -> None:
    data = SET + packed(b"SET", b"yek", LONG[::-1]) + SET
    assert alike(data, NO_LIMIT) == (b"$3\r\nSET", 3)


@pytest.mark.parametrize(
    "other",
    [
        packed(b"GET", b"key", LONG),
        packed(b"SET", b"longer", LONG[:-3]),
        SET.replace(b"$1500", b"$1400"),
        SET.replace(b"\r\n$1500", b"xx$1500"),
        packed(b"SET", b"k", LONG + b"xx"),
        packed(b"SET", b"", LONG[:-3] + b"xxx") + b"*0\r\n",
        b"x" * len(SET),
    ],
)
def test_one_that_differs_in_more_is_not_alike(other: bytes) -> None:
    for data in (SET + other, SET + other + SET, other + SET):
        assert alike(data, NO_LIMIT) == (b"", 0)


def test_what_stands_behind_the_long_argument_must_be_the_same() -> None:
    ttl = [packed(b"SET", b"key", LONG, b"EX", time) for time in (b"60", b"61")]
    assert alike(ttl[0] * 2, NO_LIMIT) == (b"$3\r\nSET", 2)
    assert alike(ttl[0] + ttl[1], NO_LIMIT) == (b"", 0)
    assert len(skipped(ttl[0] + ttl[1])[0]) == 2


def test_an_argument_above_the_limit_is_left_to_be_refused() -> None:
    assert skipped(SET, len(LONG))[1] == len(SET)
    assert skipped(SET, len(LONG) - 1) == ([], 0)
    assert alike(SET, len(LONG) - 1) == (b"", 0)
    requests = Requests(CommandLimits(bulk=len(LONG) - 1))
    assert list(requests.split(SET)) == []
    assert requests.failure == "invalid bulk length"


def test_a_stranger_may_send_no_long_argument() -> None:
    requests = Requests()
    requests.is_stranger = True
    assert requests.longest == 16384
    fits, not_any_more = packed(b"SET", b"key", b"x" * 16384), packed(b"SET", b"key", b"x" * 16385)
    ((_, found),) = requests.split(fits + not_any_more)
    assert found == [(b"$3\r\nSET", 0, len(fits))]
    assert requests.failure == "unauthenticated bulk length"


REPLIES = [b"$1500\r\n%b\r\n" % LONG, b"$300\r\n%b\r\n" % LONG[:300], b"$1000\r\n" + b"x" * 1002]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 9])
def test_as_many_long_replies_are_skipped_as_are_wanted_and_complete(count: int) -> None:
    for first, second in product(REPLIES[:2], repeat=2):
        data = first + first + second
        ends = [0, len(first), 2 * len(first), len(data)]
        assert over_replies(data, 0, count) == (ends[min(count, 3)], min(count, 3))
        assert over_replies(data[:-1], 0, count) == (ends[min(count, 2)], min(count, 2))


@pytest.mark.parametrize("reply", [REPLIES[2], b"+OK\r\n", b"$3\r\nabc\r\n", b"$-1\r\n", b"$0100"])
def test_other_replies_and_broken_ones_are_left(reply: bytes) -> None:
    assert over_replies(reply, 0, 2) == (0, 0)
    assert over_replies(REPLIES[0] + reply, 0, 2) == (len(REPLIES[0]), 1)


def test_long_replies_behind_one_that_was_cut_are_counted() -> None:
    data = b"".join([*REPLIES[:2], b"-ERR no\r\n", b"+OK\r\n", REPLIES[0]])
    for place in range(len(data)):
        framer = Replies()
        at, done = framer.take(data[:place], 0, 5)
        assert at == place
        assert framer.take(data[place:], 0, 5 - done) == (len(data) - place, 5 - done)
        assert framer.has_error
