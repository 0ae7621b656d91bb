"""The live Catalog: the present Snapshot and those who wait for the next one.

Watchers get the newest snapshot, not a backlog: a slow reader skips versions and never makes
the writer wait. The only module of this package that uses asyncio; everything happens on the
loop's thread, so a commit needs no lock.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable

from sidecar.catalog.changes import Change, apply
from sidecar.catalog.model import EMPTY, Snapshot

__all__ = ["Catalog"]


class Catalog:
    """Holds the newest Snapshot; commits and watches it."""

    def __init__(self, snapshot: Snapshot = EMPTY) -> None:
        """Start from a snapshot, by default the empty one, and not yet synced."""
        self._snapshot = snapshot
        self._synced = False
        self._waiters: set[asyncio.Future[None]] = set()

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot; cheap enough for every DNS query."""
        return self._snapshot

    @property
    def synced(self) -> bool:
        """Whether what is *not* in the snapshot may be called absent.

        False until the writers have seen the world once. Before, a consumer must not turn "not
        found" into a lasting answer (NXDOMAIN, an emptied proxy).
        """
        return self._synced

    def mark_synced(self) -> None:
        """Say that the snapshot is complete; wakes watchers, as it changes what they may do."""
        if not self._synced:
            self._synced = True
            self._wake()

    def commit(self, changes: Iterable[Change]) -> Snapshot:
        """Apply changes as one commit and wake watchers if anything changed."""
        return self.replace(apply(self._snapshot, changes))

    def replace(self, snapshot: Snapshot) -> Snapshot:
        """Take a whole new snapshot (a mirror's full read, a restored store)."""
        if snapshot is not self._snapshot:
            self._snapshot = snapshot
            self._wake()
        return snapshot

    async def changed(self) -> None:
        """Return at the next commit (or when the catalogue becomes synced)."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)

    async def watch(self, after: int = -1) -> AsyncIterator[Snapshot]:
        """Yield the present snapshot, unless its index is ``after``, then each newer one.

        Versions are skipped when the reader is slow. An index that differs in either direction
        counts as new: lower means the store was reset and the reader starts again from it.
        """
        while True:
            snapshot = self._snapshot
            if snapshot.index != after:
                after = snapshot.index
                yield snapshot
            else:
                await self.changed()

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
