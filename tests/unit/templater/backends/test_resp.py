"""Redis' wire protocol, in any split."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.errors import ProtocolError
from templater.backends.resp import Refusal, Replies, Reply, command

WIRE = (
    b"+OK\r\n-ERR no\r\n:42\r\n$5\r\nhe\r\nl\r\n$-1\r\n*-1\r\n"
    b"*2\r\n$1\r\na\r\n*1\r\n:7\r\n*0\r\n$0\r\n\r\n"
)
MEANT: list[Reply] = [b"OK", Refusal("ERR no"), 42, b"he\r\nl", None, None, [b"a", [7]], [], b""]


def test_a_command_is_a_list_of_texts() -> None:
    assert command(["GET", "ä", b"\xff"]) == b"*3\r\n$3\r\nGET\r\n$2\r\n\xc3\xa4\r\n$1\r\n\xff\r\n"


@given(st.lists(st.integers(0, len(WIRE)), max_size=8))
def test_every_split_gives_the_same(cuts: list[int]) -> None:
    replies = Replies()
    at = 0
    found: list[Reply] = []
    for cut in [*sorted(cuts), len(WIRE)]:
        found += replies.feed(WIRE[at:cut])
        at = cut
    assert found == MEANT


@pytest.mark.parametrize(
    "data",
    [b"?\r\n", b":x\r\n", b"$x\r\n", b"$999999999999\r\n", b"*1\r\n" * 20, b"+" + b"x" * 70_000],
)
def test_nonsense_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(Replies().feed(data))


@given(st.binary(max_size=200))
def test_garbage_raises_nothing_else(data: bytes) -> None:
    replies = Replies()
    with suppress(ProtocolError):
        list(replies.feed(data))
