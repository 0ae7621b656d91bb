"""Bytes pass between a client and an instance, however either of them ends."""

import asyncio
from collections.abc import Callable

import pytest

from ambassador.frame.address import Address
from ambassador.tcp.pool import Member, Pool
from ambassador.tcp.relay import Inlet, Outlet, Side
from ambassador.tcp.settings import TcpSettings


class Wire(asyncio.Transport):
    """Notes what is done with it."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.told: list[str] = []

    def write(self, data: object) -> None:
        assert isinstance(data, bytes)
        self.sent += data

    def can_write_eof(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return bool({"close", "abort"} & set(self.told))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def write_eof(self) -> None:
        self.told.append("eof")

    def close(self) -> None:
        self.told.append("close")

    def abort(self) -> None:
        self.told.append("abort")

    def pause_reading(self) -> None:
        self.told.append("pause")

    def resume_reading(self) -> None:
        self.told.append("resume")


async def pair() -> tuple[Side, Wire, Side, Wire]:
    one, other, left, right = Side(), Side(), Wire(), Wire()
    one.connection_made(left)
    other.connection_made(right)
    one.other, other.other = other, one
    return one, left, other, right


async def test_bytes_pass_no_faster_than_they_are_taken() -> None:
    one, left, other, right = await pair()
    one.data_received(b"a")
    other.data_received(b"b")
    assert (left.sent, right.sent) == (b"b", b"a")
    other.pause_writing()
    other.resume_writing()
    assert left.told == ["pause", "resume"]


async def test_one_side_may_end_and_still_hear_the_other() -> None:
    one, left, other, right = await pair()
    assert one.eof_received()
    assert right.told == ["eof"]
    other.data_received(b"late")
    assert left.sent == b"late"
    assert not other.eof_received()  # now both have ended


@pytest.mark.parametrize(("error", "told"), [(None, "close"), (OSError(), "abort")])
async def test_the_end_of_one_side_is_the_end_of_the_other(
    error: Exception | None, told: str
) -> None:
    one, _, other, right = await pair()
    one.connection_lost(error)
    assert right.told == [told]
    other.data_received(b"for nobody")
    assert not other.eof_received()
    other.pause_writing()
    other.resume_writing()
    other.connection_lost(None)


class Dials:
    """Connects to what it is told, when it is told."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.wires: list[Wire] = []

    def to(self, address: Address) -> Callable[[Callable[[], asyncio.Protocol]], object]:
        async def dial(factory: Callable[[], asyncio.Protocol]) -> None:
            await self.open.wait()
            if not address.port % 2:
                raise ConnectionRefusedError
            wire = Wire()
            self.wires.append(wire)
            factory().connection_made(wire)

        return dial


async def settled(until: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not until():
            await asyncio.sleep(0)


@pytest.fixture
async def dials() -> Dials:
    return Dials()


async def test_what_comes_early_is_kept_until_somebody_takes_it(dials: Dials) -> None:
    async with asyncio.TaskGroup() as group:
        pool = Pool(TcpSettings(listen=()), group, dials)  # type: ignore[arg-type]
        pool.serve([Address("192.0.2.1", 1)])
        client, wire = Inlet(pool), Wire()
        client.connection_made(wire)
        client.data_received(b"x" * 40_000)
        client.data_received(b"y" * 40_000)
        assert wire.told == ["pause"]  # no more than that is kept
        assert client.eof_received()
        dials.open.set()
        await settled(lambda: bool(dials.wires and dials.wires[0].sent))
        assert len(dials.wires[0].sent) == 80_000
        assert dials.wires[0].told == ["eof"]
        assert wire.told == ["pause", "resume"]
        [member] = pool.members.values()
        assert member.clients == 1
        client.connection_lost(None)
        assert member.clients == 0
        assert not pool.clients


async def test_a_client_that_leaves_early_takes_nobodys_connection(dials: Dials) -> None:
    async with asyncio.TaskGroup() as group:
        pool = Pool(TcpSettings(listen=()), group, dials)  # type: ignore[arg-type]
        pool.serve([Address("192.0.2.1", 1)])
        client, wire = Inlet(pool), Wire()
        client.connection_made(wire)
        await asyncio.sleep(0)
        wire.close()
        dials.open.set()
        await settled(lambda: bool(dials.wires and dials.wires[0].told))
        assert dials.wires[0].told == ["abort"]
        assert [member.clients for member in pool.members.values()] == [0]


async def test_without_an_instance_the_client_is_ended(dials: Dials) -> None:
    dials.open.set()
    async with asyncio.TaskGroup() as group:
        pool = Pool(TcpSettings(listen=(), max_clients=1), group, dials)  # type: ignore[arg-type]
        pool.serve([Address("192.0.2.1", 2), Address("192.0.2.1", 4)])
        client, wire = Inlet(pool), Wire()
        client.connection_made(wire)
        late = Wire()
        Inlet(pool).connection_made(late)
        assert late.told == ["close"]  # there is no room
        await settled(lambda: bool(wire.told))
        assert wire.told == ["abort"]
        client.connection_lost(None)
        await pool.emptied()


def test_an_outlet_is_a_side() -> None:
    assert issubclass(Outlet, Side)
    assert Member(Address("192.0.2.1", 1), 0.0).outstanding == 0
