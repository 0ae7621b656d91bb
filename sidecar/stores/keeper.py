"""Keeps the state file in health: a good copy of it, and an end to trouble with the disk.

A copy is made a second after the first change, then at most once a minute, and less often when
it takes long; without changes there is none. After a refused write the disk is tried each second:
nobody may write for hours, and the program should not stay unready for that.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from sidecar.errors import StoreUnavailable
from sidecar.metrics import counter
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from sidecar.stores.disk import Disk

if TYPE_CHECKING:
    from sidecar.stores.journal import Journal
    from sidecar.stores.statefile import Content

__all__ = ["Keeper"]

_copies = counter("pinnace_stores_copies_total", "Good copies of the state file", ["result"])
_log = get_logger("store")

_SOON: Final = 1.0
_INTERVAL: Final = 60.0
_SHARE: Final = 50  # a copy that takes a second is followed by at least so many without
_RETRY: Final = 1.0


class _Store(Protocol):
    """What is kept."""

    def content(self) -> "Content":
        """Return all that is committed now."""

    async def retry(self) -> None:
        """Try the disk and write what is left."""


class Keeper:
    """A component beside a durable store."""

    name = "keeper"

    def __init__(self, store: _Store, journal: "Journal", disk: Disk, clock: Clock) -> None:
        """Copy what the store holds through the journal's directory."""
        self._store = store
        self._journal = journal
        self._disk = disk
        self._clock = clock
        self._copied = 0 if journal.has_copy else -1
        self._failing = False

    async def run(self, ready: Callable[[], None]) -> None:
        """Copy and try until cancelled."""
        ready()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._copy_when_changed(), name="copy")
            group.create_task(self._mend(), name="mend")

    async def copy(self) -> None:
        """Make the good copy unless nothing changed since the last."""
        commits = self._journal.commits
        if commits == self._copied:
            return
        try:
            await asyncio.to_thread(self._journal.keep_copy, self._store.content())
        except StoreUnavailable as error:
            _copies.labels("failed").inc()
            if not self._failing:
                _log.warning("no good copy of the state could be made", error=error)
            self._failing = True
        else:
            _copies.labels("made").inc()
            self._copied, self._failing = commits, False

    async def _copy_when_changed(self) -> None:
        while True:
            while self._journal.commits == self._copied:
                await self._disk.written.wait()
            await self._clock.sleep(_SOON)
            begun = self._clock.monotonic()
            await self.copy()
            took = self._clock.monotonic() - begun
            await self._clock.sleep(max(_INTERVAL, _SHARE * took))

    async def _mend(self) -> None:
        while True:
            while self._disk.trouble is None:
                await self._disk.troubled.wait()
            await self._clock.sleep(_RETRY)
            await self._store.retry()
