"""The relay on a loop in a thread of its own, for tests that are not asynchronous."""

import asyncio
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.relay import Relay

__all__ = ["RelayThread"]


class RelayThread:
    """Passes everything on to a unix socket until told to cut."""

    def __init__(self, target: Path) -> None:
        """Relay to ``target`` from a socket of our own."""
        self._folder = tempfile.TemporaryDirectory(prefix="rly-")
        self._loop = asyncio.new_event_loop()
        self._relay = Relay(Path(self._folder.name) / "docker.sock", target)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        """The address to give as DOCKER_HOST."""
        return self._relay.url

    def __enter__(self) -> Self:
        """Take connections."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._relay.open(), self._loop).result(5)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Cut everything and end the thread."""
        asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()
        self._folder.cleanup()

    def cut(self) -> None:
        """Cut all connections, as a broken network does."""
        self._loop.call_soon_threadsafe(self._relay.cut)

    async def _shut(self) -> None:
        self._relay.shut()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
