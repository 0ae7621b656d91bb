"""What goes to a server goes together, and each reply is counted back to who asked."""

import asyncio
from typing import cast

import pytest

from ambassador.redis.commands import Route
from ambassador.redis.link import Link
from ambassador.redis.resp import packed
from ambassador.redis.run import Ask, ClientRun, Owner, Run

GET, SET = packed(b"GET", b"k"), packed(b"SET", b"k", b"v")


class Wire:
    """Takes what is written, as a transport does."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.is_aborted = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def abort(self) -> None:
        self.is_aborted = True

    def get_extra_info(self, _: str) -> None:
        return None


class Noting(Owner):
    """Notes what it is answered."""

    def __init__(self) -> None:
        self.told: list[bytes] = []

    def answered(self, run: ClientRun, reply: bytes) -> None:
        self.told.append(reply)

    def streamed(self, run: ClientRun) -> None:
        raise AssertionError(run)

    def swelled(self, size: int) -> None:
        pass

    def failed(self, run: ClientRun, why: str, *, was_sent: bool) -> None:
        self.told.append(why.encode())

    def inspect(self, run: ClientRun, reply: bytes) -> None:
        self.told.append(b"look at " + reply)

    def moved(self, run: ClientRun) -> None:
        raise AssertionError(run)


async def never(_: object) -> None:
    raise AssertionError


def linked() -> tuple[Link, Wire]:
    """Return an open link and where it writes."""
    link, wire = Link(never), Wire()
    link.connection_made(cast("asyncio.Transport", wire))
    link.is_ready = True
    return link, wire


def asked(data: bytes) -> Run:
    return Ask(data, 1, lambda _: None, lambda _: None)


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_one_client_sends_alone_goes_in_the_next_turn() -> None:
    link, wire = linked()
    link.send(asked(b"a"))
    assert wire.written == []
    await turns(1)
    assert wire.written == [b"a"]


async def test_what_comes_in_turn_after_turn_goes_in_one_write() -> None:
    link, wire = linked()
    link.send(asked(b"a"))
    link.send(asked(b"b"))
    await turns(1)
    link.send(asked(b"c"))
    await turns(1)
    assert wire.written == []
    await turns(1)
    assert wire.written == [b"abc"]
    link.send(asked(b"d"))
    link.send(asked(b"e"))
    await turns(2)
    assert wire.written == [b"abc", b"de"]


async def test_a_write_does_not_wait_for_ever_for_who_else_sends() -> None:
    link, wire = linked()
    for number in range(20):
        link.send(asked(b"%d" % (number % 10)))
        link.send(asked(b"."))
        await turns(1)
    assert wire.written == [b"0.1.2.3.4.", b"5.6.7.8.9."] * 2


async def test_a_link_that_is_lost_while_it_looks_around_says_so_once() -> None:
    link, wire = linked()
    owner = Noting()
    for _ in range(2):
        link.send(ClientRun(owner, GET, 1, Route.READ, 0.0))
    await turns(1)
    link.close("gone")
    await turns(3)
    assert (wire.written, wire.is_aborted, owner.told) == ([], True, [b"gone", b"gone"])


@pytest.mark.parametrize("cut", range(1, 30))
async def test_replies_to_writes_are_told_apart_however_they_come(cut: int) -> None:
    ok = b"+OK\r\n"
    replies = [ok * 2, ok * 2, ok + b"-ERR a\r\n", b"+OKAY\r\n" + ok, b":1\r\n:2\r\n", ok * 2]
    replies.append(b"$3\r\n+OK\r\n" + ok)
    link, _ = linked()
    owner = Noting()
    for _ in replies:
        link.send(ClientRun(owner, SET * 2, 2, Route.WRITE, 0.0))
    link.flush()
    data = b"".join(replies)
    for at in range(0, len(data), cut):
        link.data_received(data[at : at + cut])
    assert owner.told == [b"look at " * (b"-" in reply) + reply for reply in replies]
    assert link.answered == 2 * len(replies)
    assert not link.outstanding


async def test_ok_for_more_than_was_asked_ends_the_link() -> None:
    link, wire = linked()
    owner = Noting()
    for _ in range(2):
        link.send(ClientRun(owner, SET, 1, Route.WRITE, 0.0))
    link.flush()
    link.data_received(b"+OK\r\n" * 3)
    assert owner.told == [b"+OK\r\n"] * 2
    assert (wire.is_aborted, link.is_closed) == (True, True)
