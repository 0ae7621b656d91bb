"""A worker process: told everything by its parent, reads no store and no configuration."""

import asyncio
import os
import signal
import sys
from typing import Final

import uvloop

from dnsd.component import DnsServer
from dnsd.counting import counted
from dnsd.feed import Frames, Start, Told, encode
from sidecar.catalog.live import Catalog
from sidecar.runtime import log, memory
from sidecar.runtime.clock import SystemClock

__all__ = ["main"]

_PERIOD: Final = 1.0
_CHUNK: Final = 1 << 16


class _Worker:
    """One server, and the pipes to its parent."""

    def __init__(self) -> None:
        self._catalog = Catalog()
        self._away: str | None = None
        self._server: DnsServer | None = None
        self._clock = SystemClock()

    async def run(self) -> None:
        """Serve until the parent closes our input."""
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        frames = Frames()
        async with asyncio.TaskGroup() as tasks:
            serving: asyncio.Task[None] | None = None
            while data := await reader.read(_CHUNK):
                for frame in frames.feed(data):
                    if isinstance(frame, Start):
                        log.configure(*frame.log)
                    if isinstance(frame, Start) and self._server is None:
                        serving = tasks.create_task(self._serve(frame), name="dnsd")
                    elif isinstance(frame, Start) and self._server is not None:
                        await self._server.reload(frame.settings)
                    elif isinstance(frame, Told):
                        self._take(frame)
                # The task may not have begun before the next frame is looked at.
                await asyncio.sleep(0)
            if serving is not None:
                serving.cancel()

    def _take(self, told: Told) -> None:
        self._away = told.away
        self._catalog.commit(told.changes)
        if told.is_synced:
            self._catalog.mark_synced()

    async def _serve(self, start: Start) -> None:
        self._server = server = DnsServer(
            self._catalog,
            start.settings,
            node_name=start.node_name,
            reuse_port=True,
            away=lambda: self._away,
            secret=start.secret,
            serial=start.serial,
        )
        ready = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.run(ready.set), name="dnsd server")
            await ready.wait()
            asyncio.get_running_loop().call_later(1.0, memory.settle)
            while True:
                # Few octets, read at once; should the parent hang, so may we.
                data = encode(counted(server.telemetry, ready=True))
                await asyncio.to_thread(_write, data)
                await self._clock.sleep(_PERIOD)


def _write(data: bytes) -> None:
    os.write(1, data)


def main() -> None:
    """Run until the parent closes our input."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # settings come from the parent
    uvloop.run(_Worker().run())


if __name__ == "__main__":
    main()
