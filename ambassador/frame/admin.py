"""The admin address, for people and probes: health, metrics and what a program offers besides."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from ambassador.frame.address import Address
from ambassador.frame.listening import Door
from sidecar.errors import ApiError, PinnaceError
from sidecar.metrics import CONTENT_TYPE, exposition
from sidecar.runtime.log import get_logger
from sidecar.web.guard import Guard
from sidecar.web.lean.request import MOST_HEAD, Request
from sidecar.web.lean.server import Answer as Page
from sidecar.web.lean.server import Exchanges

__all__ = ["Admin", "Answer", "Handler"]

_log = get_logger("admin")


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
        self.asked = address
        self._refresh = refresh
        self._guard = Guard()
        self._exchanges = Exchanges(self._answered)
        self.door = self._door(address)
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

    def _door(self, address: Address) -> Door:
        return Door(address, self._protocol, option="--admin")

    async def opened(self, address: Address) -> Door | None:
        """Open another address beside the present one; None: it is the same. Raises AddressInUse.

        ``move`` takes it into use.
        """
        if address == self.asked:
            return None
        door = self._door(address)
        await door.open()
        return door

    async def move(self, door: Door, address: Address) -> None:
        """Serve there from now on; who is connected stays."""
        former, self.door, self.asked = self.door, door, address
        former.close()
        await former.clean()
        _log.info("serving", address=str(door.address))

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        reader = asyncio.StreamReader(limit=MOST_HEAD)

        def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if self._group is None:
                writer.close()
                return
            talk = self._exchanges.connection(reader, writer)
            self._group.create_task(talk, name="admin request")

        return asyncio.StreamReaderProtocol(reader, begin)

    async def _answered(self, request: Request) -> Page:
        method = "GET" if request.method == "HEAD" else request.method
        try:
            if not request.path.startswith("/health/"):
                headers = {name.title(): value for name, value in request.headers.items()}
                self._guard.check(None, headers, dict(request.query))
            if (method, request.path) == ("GET", "/metrics"):
                self._refresh()
                text = await asyncio.to_thread(exposition)
                return Page(200, text, CONTENT_TYPE)
            answer = await self._routed(method, request.path)
        except ApiError as error:
            answer = Answer(error.status, {"error": str(error)})
        except PinnaceError as error:
            answer = Answer(500, {"error": str(error)})
        body = json.dumps(answer.body, indent=1).encode() + b"\n"
        return Page(answer.status, body, "application/json")

    async def _routed(self, method: str, path: str) -> Answer:
        handler = self._routes.get((method, path))
        if handler is not None:
            return await handler("")
        base = path[: path.rfind("/") + 1]
        handler = self._routes.get((method, base)) if base != "/" else None
        if handler is not None and path != base:
            return await handler(path[len(base) :])
        known = any(route in {path, base} for _, route in self._routes)
        return Answer(405 if known else 404, {"error": "not found" if not known else "method"})
