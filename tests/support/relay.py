"""A relay between a client and a server that can cut, freeze and drop what passes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

__all__ = ["Relay", "TcpRelay"]


class Relay:
    """Listens on ``path`` and passes everything on to ``target``, unless told otherwise."""

    def __init__(self, path: Path, target: Path) -> None:
        self.path = path
        self.target = target
        self.connections = 0
        self.drop: Callable[[bytes], bytes] = lambda data: data
        """What becomes of bytes from the target; return fewer to drop."""
        self._flows = asyncio.Event()
        self._flows.set()
        self._open: set[asyncio.StreamWriter] = set()
        self._swallowed: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Relay"]:
        await self.open()
        try:
            yield self
        finally:
            self.shut()

    async def open(self) -> None:
        """Take connections."""
        self._server = await self._listen()

    def shut(self) -> None:
        """Take no more connections and cut all."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._unlink()
        self.cut()
        self._flows.set()

    def cut(self) -> None:
        """Cut all connections."""
        for writer in self._open:
            writer.transport.abort()

    def freeze(self) -> None:
        """Let nothing pass and say nothing, as a peer does that vanished from the network."""
        self._flows.clear()

    def thaw(self) -> None:
        """Let pass again."""
        self._flows.set()

    def swallow(self) -> None:
        """Let nothing more pass to who is connected now; others are served."""
        self._swallowed |= self._open

    async def _listen(self) -> asyncio.Server:
        self._unlink()
        return await asyncio.start_unix_server(self._serve, self.path)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(self.target)

    def _unlink(self) -> None:
        self.path.unlink(missing_ok=True)

    def _dropped(self, data: bytes) -> bytes:
        return self.drop(data)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        try:
            there, back = await self._connect()
        except OSError:
            writer.transport.abort()
            self._open.discard(writer)
            return
        self._open.add(back)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(reader, back, lambda data: data))
                group.create_task(self._pass(there, writer, self._dropped))
        finally:
            self._open -= {writer, back}

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        change: Callable[[bytes], bytes],
    ) -> None:
        try:
            while data := await reader.read(65536):
                await self._flows.wait()
                if writer not in self._swallowed:
                    writer.write(change(data))
                    await writer.drain()
        except OSError:
            pass
        writer.transport.abort() if reader.exception() else writer.close()


class TcpRelay(Relay):
    """The same between loopback ports; its own port stays after ``shut``."""

    def __init__(self, target: int) -> None:
        super().__init__(Path(), Path())
        self.port = 0
        self._target = target

    async def _listen(self) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._target)

    def _unlink(self) -> None:
        pass
