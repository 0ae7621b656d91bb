"""Replies go out in the order of the commands, and together when they can."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from ambassador.frame.address import Address
from ambassador.redis.commands import Route
from ambassador.redis.connection import Connection
from ambassador.redis.resp import packed
from ambassador.redis.run import ClientRun
from tests.support.redis_memory import cluster_in_memory


class Wire(asyncio.Transport):
    """Takes what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.written.append(b"".join(list_of_data))


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Connection, Wire]]:
    async with cluster_in_memory({}, ((Address("192.0.2.1", 1),),)) as (_, client):
        wire = client.transport = Wire()
        yield client, wire


def runs(client: Connection, count: int) -> list[ClientRun]:
    made = [ClientRun(client, packed(b"GET", b"k"), 1, Route.READ, 0.0) for _ in range(count)]
    for run in made:
        client.add(run)
    return made


async def test_replies_that_waited_for_an_earlier_one_go_out_with_it() -> None:
    async with connected() as (client, wire):
        first, second, third, fourth = runs(client, 4)
        client.answered(third, b"+c\r\n")
        client.answered(second, b"+b\r\n")
        assert (wire.written, client._kept) == ([], 8)
        given = client.hub.given
        client.answered(first, b"+a\r\n")
        assert wire.written == [b"+a\r\n+b\r\n+c\r\n"]
        assert (client._kept, client.hub.given - given) == (0, 12)
        client.answered(fourth, b"+d\r\n")
        assert wire.written[1:] == [b"+d\r\n"]
        assert not client.runs


async def test_a_long_reply_goes_on_behind_what_waited() -> None:
    async with connected() as (client, wire):
        first, second, third = runs(client, 3)
        third.parts = [b"$9\r\n"]
        client.streamed(third)
        client.answered(second, b"+b\r\n")
        client.answered(first, b"+a\r\n")
        assert wire.written == [b"+a\r\n+b\r\n", b"$9\r\n"]
        client.answered(third, b"123456789\r\n")
        assert wire.written[2:] == [b"123456789\r\n"]
