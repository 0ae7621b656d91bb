"""An HTTP connection on which a test decides every byte."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from tests.support.pace import allowed

__all__ = ["Reply", "Wire", "request", "wire"]


class Reply(NamedTuple):
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes


def request(target: str, *headers: str, method: str = "GET") -> bytes:
    """Return a request without a body."""
    lines = "".join(f"{line}\r\n" for line in ("Host: localhost", *headers))
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode()


class Wire:
    """Sends bytes, reads answers; every wait is bounded."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def reply(self) -> Reply:
        async with asyncio.timeout(allowed(5)):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {
                name.lower(): value for name, _, value in (h.partition(": ") for h in head[1:-2])
            }
            body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return Reply(int(head[0].split()[1]), headers, body)

    async def ask(self, data: bytes) -> Reply:
        self.send(data)
        return await self.reply()

    async def is_closed(self) -> bool:
        """Say whether the server closes the connection, after whatever it still sends."""
        try:
            async with asyncio.timeout(5):
                await self._reader.read()
        except ConnectionError:
            pass
        except TimeoutError:
            return False
        return True


@asynccontextmanager
async def wire(address: tuple[str, int]) -> AsyncIterator[Wire]:
    """Connect."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
