"""Passes a store's HTTP on and notes what is asked."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.pace import allowed

__all__ = ["Tap"]

_REQUEST = re.compile(rb"^(GET|PUT|POST|DELETE) (\S+) HTTP/1\.1\r$", re.MULTILINE)


class Tap:
    """Listens on loopback and passes everything on to ``port``."""

    def __init__(self, port: int, *, host: str = "127.0.0.1", listen: int = 0) -> None:
        self.requests: list[tuple[str, str]] = []
        """Method and path of each request."""
        self.open = 0
        self.most_open = 0
        self._port = port
        self._own = (host, listen)
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._is_over = False

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def writes(self, beginning: str = "/v1/agent/service/") -> list[str]:
        """Return the paths that were written to, in order."""
        return [p for method, p in self.requests if method != "GET" and p.startswith(beginning)]

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Tap"]:
        self._is_over = False
        self._server = await asyncio.start_server(self._serve, *self._own)
        try:
            yield self
        finally:
            self._server.close()
            self._is_over = True
            for writer in self._writers:
                writer.transport.abort()
            async with asyncio.timeout(allowed(5)):
                while self.open:  # nothing passes from now on, nothing is left behind
                    await asyncio.sleep(0.005)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        self._writers.add(writer)
        back: asyncio.StreamWriter | None = None
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._port)
            if self._is_over:
                return
            self._writers.add(back)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(reader, back, is_noted=True))
                group.create_task(self._pass(there, writer, is_noted=False))
        except OSError:
            pass
        finally:
            self.open -= 1
            for each in (writer, back):
                if each is not None:
                    self._writers.discard(each)
                    each.transport.abort()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_noted: bool
    ) -> None:
        try:
            while data := await reader.read(65536):
                if is_noted:
                    self.requests += [
                        (m[1].decode(), m[2].decode()) for m in _REQUEST.finditer(data)
                    ]
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        writer.transport.abort() if reader.exception() else writer.close()
