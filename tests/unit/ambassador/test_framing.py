"""What the limits of the protocol say, and how replies of every kind are counted."""

import pytest

from ambassador.redis.framing import CommandLimits, Requests, word_of
from ambassador.redis.replies import Replies
from ambassador.redis.resp import packed
from sidecar.errors import ProtocolError


def failure(data: bytes, limits: CommandLimits | None = None, *, stranger: bool = False) -> str:
    requests = Requests(limits or CommandLimits())
    requests.is_stranger = stranger
    requests.split(data)
    assert requests.failure is not None
    assert requests.split(b"PING\r\n") == ()  # nothing is taken any more
    return requests.failure


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"*x\r\n", "invalid multibulk length"),
        (b"*2147483648\r\n", "invalid multibulk length"),
        (b"*01\r\n", "invalid multibulk length"),
        (b"*1\r\n:1\r\n", "expected '$', got ':'"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$+1\r\n", "invalid bulk length"),
        (b"*1\r\n$536870913\r\n", "invalid bulk length"),
        (b"*" + b"1" * 65537, "too big mbulk count string"),
        (b"*1\r\n$" + b"1" * 65537, "too big bulk count string"),
        (b"*1\r\n" + b"x" * 65537, "too big bulk count string"),
        (b"x" * 65537, "too big inline request"),
        (b'"a\r\n', "unbalanced quotes in request"),
        (b"POST / HTTP/1.1\r\n", ""),
    ],
)
def test_what_redis_refuses_is_refused_in_its_words(data: bytes, why: str) -> None:
    assert failure(data) == why


def test_a_stranger_may_send_less() -> None:
    assert failure(b"*11\r\n", stranger=True) == "unauthenticated multibulk length"
    assert failure(b"*1\r\n$16385\r\n", stranger=True) == "unauthenticated bulk length"


def test_what_is_kept_of_one_command_has_a_limit() -> None:
    limits = CommandLimits(bulk=1 << 20, buffer=1000)
    assert failure(b"*1\r\n$5000\r\n" + b"x" * 1001, limits) == ""


def test_commands_before_a_failure_are_given_out() -> None:
    requests = Requests()
    ((_, found),) = requests.split(packed(b"PING") + b"*x\r\n")
    assert [word for word, _, _ in found] == [word_of(b"PING")]
    assert requests.failure == "invalid multibulk length"


def test_empty_arrays_and_lines_are_no_commands() -> None:
    assert list(Requests().split(b"*0\r\n*-1\r\n\r\n \r\n")) == []


def test_a_long_value_is_awaited_without_being_looked_at_again() -> None:
    requests = Requests()
    data = packed(b"SET", b"k", b"v" * 100_000)
    assert list(requests.split(data[:50_000])) == []
    assert requests.pending == 50_000
    assert requests.is_begun
    ((buffer, found),) = requests.split(data[50_000:])
    assert buffer == data
    assert found == [(word_of(b"SET"), 0, len(data))]
    assert requests.pending == 0


@pytest.mark.parametrize(
    "reply",
    [
        b"+OK\r\n", b"-ERR no\r\n", b":1\r\n", b"$-1\r\n", b"$0\r\n\r\n", b"*-1\r\n", b"*0\r\n",
        b"*2\r\n*1\r\n:1\r\n$1\r\na\r\n", b"_\r\n", b",1.5\r\n", b"#t\r\n", b"(123\r\n",
        b"!3\r\nERR\r\n", b"=7\r\ntxt:abc\r\n", b"~1\r\n:1\r\n", b"%1\r\n+a\r\n:1\r\n",
        b"|1\r\n+a\r\n:1\r\n+OK\r\n", b"$2000\r\n" + b"x" * 2000 + b"\r\n",
    ],
)  # fmt: skip
def test_each_kind_of_reply_is_one_reply_however_it_comes(reply: bytes) -> None:
    assert Replies().take(reply + b":9\r\n", 0, 1) == (len(reply), 1)
    framer, done = Replies(), 0
    for place in range(len(reply)):
        end, now = framer.take(reply[place : place + 1], 0, 1)
        done += now
        assert end == 1
    assert done == 1
    assert framer.has_error == reply.startswith(b"-")


def test_errors_inside_a_reply_are_not_the_reply() -> None:
    framer = Replies()
    framer.take(b"*1\r\n-ERR inside\r\n", 0, 1)
    assert not framer.has_error


def test_pushes_are_no_replies_and_only_where_they_may_be() -> None:
    framer = Replies(takes_pushes=True)
    assert framer.take(b">1\r\n+x\r\n+OK\r\n", 0, 1) == (13, 1)
    assert framer.pushes == 1
    with pytest.raises(ProtocolError):
        Replies().take(b">1\r\n+x\r\n", 0, 1)
    with pytest.raises(ProtocolError):
        Replies(takes_pushes=True).take(b"*1\r\n>1\r\n+x\r\n", 0, 1)


@pytest.mark.parametrize(
    "data", [b"x", b"?\r\n", b"$x\r\n", b"$?\r\n", b"*-2\r\n", b"$1\r\nabc", b"$" + b"1" * 40]
)
def test_what_is_no_reply_raises(data: bytes) -> None:
    framer = Replies()
    with pytest.raises(ProtocolError):
        framer.take(data, 0, 9)
