"""An HTTP server on a unix socket that answers with given bytes: an engine gone wrong."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

__all__ = ["StubEngine", "answer"]


def answer(body: bytes, status: int = 200, kind: str = "application/json") -> bytes:
    """Return a whole HTTP response."""
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class StubEngine:
    """``answers`` maps a path to one response; ``events`` is sent, and the stream left open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: dict[str, bytes] = {}
        self.events: list[bytes] = []
        self.past: list[bytes] = []
        """What is told to who asks for events until now."""
        self.on_past: Callable[[], None] = lambda: None
        """Called when that is asked for."""
        self.requests: list[str] = []
        self.ends_streams = False
        self.open = 0
        self.most_open = 0
        self._streams: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator["StubEngine"]:
        server = await asyncio.start_unix_server(self._serve, self.path)
        try:
            yield self
        finally:
            server.close()

    def tell(self, event: bytes) -> None:
        """Send an event on the streams that are open."""
        for writer in self._streams:
            writer.write(event)

    def end_streams(self) -> None:
        """End the streams that are open."""
        for writer in self._streams:
            writer.close()

    def answer_to(self, path: str) -> bytes:
        """Return the response to a GET; a KeyError closes the connection."""
        return self.answers[path]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                target = head.split()[1].decode()
                self.requests.append(target)
                path = target.partition("?")[0].lstrip("/")
                if path == "events" and "until=" in target:
                    self.on_past()
                    writer.write(answer(b"".join(self.past)))
                    continue
                if path == "events" and path not in self.answers:
                    await self._stream(writer, reader)
                    return
                writer.write(self.answer_to(path))
                if self.ends_streams:
                    return
        except (OSError, asyncio.IncompleteReadError, KeyError):
            pass
        finally:
            self.open -= 1
            writer.close()

    async def _stream(self, writer: asyncio.StreamWriter, reader: asyncio.StreamReader) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        for event in self.events:
            writer.write(event)
        await writer.drain()
        if not self.ends_streams:
            self._streams.add(writer)
            try:
                await reader.read()
            finally:
                self._streams.discard(writer)
