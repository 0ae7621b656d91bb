"""The end of a long command is found however its bytes are cut."""

import pytest

from ambassador.redis.framing import CommandLimits, Requests
from ambassador.redis.passing import LONG, Remainder
from ambassador.redis.resp import packed
from sidecar.errors import ProtocolError

COMMAND = packed(b"MSET", b"a", b"x" * LONG, b"b", b"", b"c", b"y" * 500)


@pytest.mark.parametrize("size", [1, 7, 4096, 1 << 20])
def test_a_long_command_is_let_go_at_its_first_long_argument(size: int) -> None:
    requests = Requests()
    at = COMMAND.index(b"xxx") + 10
    assert requests.split(COMMAND[:at]) == []
    assert requests.is_long
    assert requests.word == b"$4\r\nMSET"
    begun, remainder = requests.release()
    assert begun == COMMAND[:at]
    assert not requests.is_begun
    rest, found = COMMAND[at:] + b"*1\r\n", -1
    for place in range(0, len(rest), size):
        found = remainder.take(rest[place : place + size])
        if found >= 0:
            found += place
            break
    assert rest[found:] == b"*1\r\n"
    assert requests.split(packed(b"PING")) == [(packed(b"PING"), [(b"$4\r\nPING", 0, 14)])]


def test_short_commands_and_lines_are_not_let_go() -> None:
    requests = Requests()
    requests.split(COMMAND[:15])
    assert not requests.is_long
    requests = Requests()
    requests.split(b"SET a " + b"x" * 1000)
    assert not requests.is_long


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"x\r\n:1\r\n", "expected '$', got ':'"),
        (b"x\r\n$x\r\n", "invalid bulk length"),
        (b"x\r\n$200\r\n", "invalid bulk length"),
        (b"x\r\n$" + b"1" * 40, "too big bulk count string"),
    ],
)
def test_what_breaks_the_protocol_is_told_as_redis_tells_it(data: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why.replace("$", r"\$")):
        Remainder(3, 1, 100).take(data)


def test_who_breaks_off_within_a_long_command_sends_no_more() -> None:
    requests = Requests(CommandLimits())
    requests.refuse("invalid bulk length")
    assert requests.failure == "invalid bulk length"
    assert requests.split(packed(b"PING")) == ()
