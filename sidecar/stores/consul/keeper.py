"""The component behind an edge: its watch, its heartbeat, and marks that are not written yet."""

import asyncio
from collections.abc import Callable
from typing import Final

from sidecar.errors import StoreDenied
from sidecar.runtime.clock import Clock
from sidecar.stores.consul.heartbeat import Heartbeat
from sidecar.stores.consul.marks import Marks
from sidecar.stores.consul.watch import Watch

__all__ = ["Keeper"]

_GATHER: Final = 0.5  # seconds in which marks to remove gather, so that a burst is one write
_RETRY: Final = 5.0


class Keeper:
    """Runs what has to run for one edge."""

    def __init__(
        self, url: str, watch: Watch, heartbeat: Heartbeat | None, marks: Marks, clock: Clock
    ) -> None:
        """``url`` is the edge's: a program may have several."""
        self.name = f"edge {url}"
        self._watch = watch
        self._heartbeat = heartbeat
        self._marks = marks
        self._clock = clock
        self._pending = asyncio.Event()

    def wake(self) -> None:
        """Say that marks may wait to be written."""
        if self._marks.is_pending:
            self._pending.set()

    def trouble(self) -> str | None:
        """Return what keeps the edge from its store, or None."""
        return self._watch.trouble

    async def run(self, ready: Callable[[], None]) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            if self._heartbeat is not None:
                group.create_task(self._heartbeat.run(), name="consul heartbeat")
            group.create_task(self._write_marks(), name="consul marks")
            await self._watch.run(ready)

    async def _write_marks(self) -> None:
        while True:
            await self._pending.wait()
            self._pending.clear()
            await self._clock.sleep(_GATHER)
            try:
                await self._marks.flush()
            except StoreDenied:
                await self._clock.sleep(_RETRY)
            while self._marks.is_pending:
                await self._clock.sleep(_RETRY)
                await self._marks.flush()
