"""Processes that answer on the same port (SO_REUSEPORT), fed by the one that reads the store.

A worker gets the catalogue's changes through its standard input and says what it counted through
its standard output. It ends with its input; one that ends by itself is started again.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import Final

from dnsd.counting import Merged
from dnsd.feed import Counts, Frames, Start, Told, encode
from dnsd.telemetry import Telemetry
from sidecar.catalog.changes import diff
from sidecar.catalog.model import EMPTY, Snapshot
from sidecar.metrics import counter, gauge
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from sidecar.stores.base import Source

__all__ = ["Workers"]

_log = get_logger("dnsd")
_restarts = counter("dnsd_worker_restarts_total", "Workers started again after they ended")
_alive = gauge("dnsd_worker_processes", "Worker processes that serve, this one not counted")

_CHUNK: Final = 1 << 16
_LOOK: Final = 1.0
_GRACE: Final = 3.0
_STABLE: Final = 10.0


class Workers:
    """Keeps worker processes running."""

    def __init__(
        self, source: Source, away: Callable[[], str | None], telemetry: Telemetry, clock: Clock
    ) -> None:
        """Feed them from this source."""
        self._source = source
        self._away = away
        self._telemetry = telemetry
        self._clock = clock
        self._ready: dict[int, asyncio.Event] = {}
        self._start: Start | None = None

    def restart(self, start: Start) -> None:
        """Tell all of them new settings, within a second and without a pause."""
        self._start = start

    async def run(self, start: Start, count: int) -> None:
        """Keep so many running until cancelled."""
        self._start = start
        self._ready = {number: asyncio.Event() for number in range(count)}
        async with asyncio.TaskGroup() as tasks:
            for number in range(count):
                tasks.create_task(self._keep(number), name=f"dnsd worker {number + 1}")

    async def ready(self) -> None:
        """Return when every worker has served once."""
        for event in list(self._ready.values()):
            await event.wait()

    async def _keep(self, number: int) -> None:
        backoff = Backoff(0.1, 5.0)
        while True:
            begun = self._clock.monotonic()
            status = await self._live(number)
            if self._clock.monotonic() - begun > _STABLE:
                backoff.reset()
            _restarts.inc()
            delay = backoff.next()
            _log.error("worker ended", number=number + 1, status=status, retry=f"{delay:.1f}s")
            await self._clock.sleep(delay)

    async def _live(self, number: int) -> int:
        """Run one worker from start to end; return its exit status."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "dnsd.worker"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # a terminal's Ctrl-C is for the parent, which ends it
        )
        stdin, stdout = process.stdin, process.stdout
        if stdin is None or stdout is None:
            raise AssertionError("both are pipes")
        merged = Merged(self._telemetry, number)
        try:
            async with asyncio.TaskGroup() as tasks:
                feeding = tasks.create_task(self._feed(stdin), name="dnsd feed")
                await self._listen(stdout, merged, self._ready[number])
                feeding.cancel()
        finally:
            merged.end()
            _alive.set(sum(event.is_set() for event in self._ready.values()))
            stdin.close()
            try:
                async with asyncio.timeout(_GRACE):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        return process.returncode or 0

    async def _feed(self, writer: asyncio.StreamWriter) -> None:
        """Tell each commit, newest only, and whether the store is away."""
        told: Snapshot = EMPTY
        before: tuple[bool, str | None] = (False, None)
        start: Start | None = None
        try:
            while True:
                if self._start is not None and start is not self._start:
                    start = self._start
                    writer.write(encode(start))
                snapshot, standing = self._source.snapshot, (self._source.synced, self._away())
                if snapshot is not told or standing != before:
                    changes = diff(told, snapshot)
                    synced, away = standing
                    writer.write(encode(Told.of(changes, is_synced=synced, away=away)))
                    told, before = snapshot, standing
                    await writer.drain()
                elif self._source.snapshot is told and start is self._start:
                    await self._wait()
        except OSError:
            return  # it ended; whoever listens to it knows

    async def _wait(self) -> None:
        """Return at the next commit, or in a second."""
        try:
            async with asyncio.timeout(_LOOK):
                await self._source.changed()
        except TimeoutError:
            pass

    async def _listen(
        self, reader: asyncio.StreamReader, merged: Merged, ready: asyncio.Event
    ) -> None:
        frames = Frames()
        while data := await reader.read(_CHUNK):
            for frame in frames.feed(data):
                if isinstance(frame, Counts):
                    merged.take(frame)
                    if not ready.is_set():
                        ready.set()
                        _alive.set(sum(event.is_set() for event in self._ready.values()))
