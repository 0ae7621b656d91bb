"""What goes to a server goes together, and each reply is counted back to who asked."""

import asyncio
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador.redis.commands import Route
from ambassador.redis.link import Link
from ambassador.redis.pressure import rescued
from ambassador.redis.resp import packed
from ambassador.redis.run import Ask, ClientRun, Owner, Run

GET, SET = packed(b"GET", b"k"), packed(b"SET", b"k", b"v")


class Wire:
    """Takes what is written, as a transport does."""

    def __init__(self, peer: str) -> None:
        self.written: list[bytes] = []
        self.is_aborted = False
        self._names = {"sockname": ("10.0.0.1", 40000), "peername": (peer, 6379)}

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def abort(self) -> None:
        self.is_aborted = True

    def get_extra_info(self, name: str) -> object:
        return self._names.get(name)


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


def linked(peer: str = "10.0.0.2") -> tuple[Link, Wire]:
    """Return an open link and where it writes."""
    link, wire = Link(never), Wire(peer)
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


def eight(owner: Owner) -> ClientRun:
    """Return a run of eight commands."""
    return ClientRun(owner, GET * 8, 8, Route.READ, 0.0)


async def busy(peer: str = "10.0.0.1") -> tuple[Link, Wire, Noting]:
    """Return a link, to a server on this host if nobody says otherwise, with 80 commands on it."""
    link, wire = linked(peer)
    owner = Noting()
    for _ in range(10):
        link.send(eight(owner))
    await turns(2)
    assert wire.written == [GET * 80]
    wire.written.clear()
    return link, wire, owner


@pytest.mark.parametrize(("peer", "is_held"), [("10.0.0.1", True), ("10.0.0.2", False)])
async def test_only_a_near_server_that_is_busy_is_written_to_later(
    peer: str, is_held: bool
) -> None:
    link, wire, owner = await busy(peer)
    link.send(eight(owner))
    await turns(9)
    assert wire.written == ([] if is_held else [GET * 8])


async def test_few_commands_wait_for_no_replies() -> None:
    link, wire = linked("10.0.0.1")
    for _ in range(20):
        link.send(ClientRun(Noting(), GET, 1, Route.READ, 0.0))
    await turns(2)
    link.send(eight(Noting()))
    await turns(1)
    assert wire.written == [GET * 20, GET * 8]


async def test_what_waits_for_replies_goes_when_there_is_as_much_of_it() -> None:
    link, wire, owner = await busy()
    for _ in range(9):
        link.send(eight(owner))
        await turns(1)
    assert wire.written == []
    link.send(eight(owner))
    assert wire.written == [GET * 80]


async def test_what_waits_for_replies_goes_when_they_have_come() -> None:
    link, wire, owner = await busy()
    link.send(eight(owner))
    await turns(1)
    link.data_received(b"$-1\r\n" * 16)
    assert wire.written == []
    link.data_received(b"$-1\r\n" * 8)
    assert wire.written == [GET * 8]
    link.data_received(b"$-1\r\n" * 64)
    assert owner.told == [b"$-1\r\n" * 8] * 11
    assert not link.outstanding


async def test_what_waits_for_replies_on_a_link_that_is_lost_was_not_sent() -> None:
    link, _, owner = await busy()
    last = eight(sender := Noting())
    link.send(last)
    await turns(1)
    told: list[bool] = []
    sender.failed = lambda run, why, *, was_sent: told.append(was_sent)  # type: ignore[method-assign]
    link.close("gone")
    assert (told, owner.told) == ([False], [b"gone"] * 10)


async def test_what_waits_behind_something_slow_is_rescued() -> None:
    link, wire, _ = await busy()
    last = eight(Noting())
    link.send(last)
    await turns(1)
    assert last in rescued(link)
    assert wire.written == [GET * 8]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 30)), max_size=60))
def test_all_is_sent_and_answered_in_order_whenever_replies_come(
    steps: list[tuple[int, int]],
) -> None:
    async def play() -> None:
        link, wire = linked("10.0.0.1")
        owner, sent, answered = Noting(), 0, 0
        for kind, size in steps:
            if kind == 0:
                reached = b"".join(wire.written).count(b"\n") - answered
                data = b"".join(b":%d\r\n" % (answered + at) for at in range(min(size, reached)))
                answered += min(size, reached)
                link.data_received(data)
            elif kind == 1:
                await turns(size)
            else:
                data = b"".join(b"%d\n" % (sent + at) for at in range(size))
                sent += size
                link.send(ClientRun(owner, data, size, Route.READ, 0.0))
        while answered < sent:
            await turns(6)
            reached = b"".join(wire.written).count(b"\n")
            assert reached > answered, "nothing is under way, and the rest is not sent"
            link.data_received(b"".join(b":%d\r\n" % at for at in range(answered, reached)))
            answered = reached
        assert b"".join(wire.written) == b"".join(b"%d\n" % at for at in range(sent))
        assert b"".join(owner.told) == b"".join(b":%d\r\n" % at for at in range(sent))
        assert (link.asked, link.outstanding) == (link.answered, 0)

    asyncio.run(play())


async def test_questions_of_our_own_are_counted_as_asked_and_answered() -> None:
    link, wire = linked()
    told: list[int | None] = []
    link.covers.append(told.append)
    link.send(asked(SET))
    await turns(1)
    assert wire.written == [SET + packed(b"ROLE")]
    link.data_received(b"+OK\r\n*3\r\n$6\r\nmaster\r\n:7\r\n*0\r\n")
    assert (told, link.asked, link.answered) == ([7], 2, 2)
