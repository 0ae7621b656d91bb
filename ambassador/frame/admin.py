"""A small HTTP server for people and probes: health, metrics and what a program offers besides.

aiohttp would double the memory of a sidecar whose work is something else, for a few requests a
minute. One request per connection, a head of at most 8 KiB, a body of none.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from ambassador.frame.address import Address
from ambassador.frame.listening import Door
from sidecar.errors import ApiError, PinnaceError
from sidecar.metrics import CONTENT_TYPE, exposition
from sidecar.runtime.log import get_logger
from sidecar.web.guard import Guard

__all__ = ["Admin", "Answer", "Handler"]

_log = get_logger("admin")
_HEAD: Final = 8192
_LIMIT: Final = 10.0


class Answer(NamedTuple):
    """A status and what is told as JSON."""

    status: int
    body: object


Handler = Callable[[str], Awaitable[Answer]]
"""Takes what follows its path."""


class Admin:
    """A component that serves HTTP on one address."""

    name = "admin"

    def __init__(
        self,
        address: Address,
        routes: Mapping[tuple[str, str], Handler],
        refresh: Callable[[], None] = lambda: None,
    ) -> None:
        """Serve routes, by method and path; a path that ends in ``/`` takes what follows.

        ``refresh`` is called before the metrics are shown.
        """
        self._routes = routes
        self._refresh = refresh
        self._guard = Guard()
        self.door = Door(address, self._protocol, option="--admin")
        self._group: asyncio.TaskGroup | None = None

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until cancelled. Raises AddressInUse."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            await self.door.open()
            _log.info("serving", address=str(self.door.address))
            ready()
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self.door.close()
                await self.door.clean()

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        reader = asyncio.StreamReader(limit=_HEAD)

        def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if self._group is None:
                writer.close()
                return
            self._group.create_task(self._serve(reader, writer), name="admin request")

        return asyncio.StreamReaderProtocol(reader, begin)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_LIMIT):
                head = await reader.readuntil(b"\r\n\r\n")
                peer = writer.get_extra_info("peername")
                host = peer[0] if isinstance(peer, tuple) else None
                writer.write(await self._answer(head.decode("latin-1"), host))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # who asks so gets no answer
        finally:
            writer.close()

    async def _answer(self, head: str, peer: str | None) -> bytes:
        line, _, rest = head.partition("\r\n")
        words = line.split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            return _response(400, "text/plain", b"bad request\n")
        pairs = (header.partition(":") for header in rest.split("\r\n") if header)
        headers = {name.strip().title(): value.strip() for name, _, value in pairs}
        path = unquote(urlsplit(words[1]).path)
        try:
            if not path.startswith("/health/"):
                self._guard.check(peer, headers, {})
            if (words[0], path) == ("GET", "/metrics"):
                self._refresh()
                return _response(200, CONTENT_TYPE, await asyncio.to_thread(exposition))
            answer = await self._routed(words[0], path)
        except ApiError as error:
            answer = Answer(error.status, {"error": str(error)})
        except PinnaceError as error:
            answer = Answer(500, {"error": str(error)})
        body = json.dumps(answer.body, indent=1).encode() + b"\n"
        return _response(answer.status, "application/json", body)

    async def _routed(self, method: str, path: str) -> Answer:
        handler = self._routes.get((method, path))
        if handler is not None:
            return await handler("")
        base = path[: path.rfind("/", 0, -1) + 1] if path.endswith("/") else path
        base = base[: base.rfind("/") + 1]
        handler = self._routes.get((method, base)) if base != "/" else None
        if handler is not None and path != base:
            return await handler(path[len(base) :])
        known = any(route == path for _, route in self._routes)
        return Answer(405 if known else 404, {"error": "not found" if not known else "method"})


def _response(status: int, kind: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
