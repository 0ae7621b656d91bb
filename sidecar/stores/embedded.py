"""The embedded store: the catalogue of this very process, durable when it has a directory.

A registration is visible at once and acknowledged when it is written: what containers are
running is a fact that the disk cannot change, and readers should not wait for it. Commits that
arrive while one is being written are written together by the next.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sidecar.catalog.changes import Change, Drop, DropNode, Put, PutNode
from sidecar.catalog.draft import State
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Instance, Snapshot
from sidecar.catalog.query import owned_by
from sidecar.errors import StoreUnavailable
from sidecar.runtime.clock import Clock, SystemClock
from sidecar.runtime.component import Component
from sidecar.runtime.log import get_logger
from sidecar.stores.codec import Progress
from sidecar.stores.disk import Disk
from sidecar.stores.keeper import Keeper
from sidecar.stores.keyvalue import EmbeddedKeyValue

if TYPE_CHECKING:
    from sidecar.stores.journal import Journal
    from sidecar.stores.statefile import Content

__all__ = ["EmbeddedStore"]

_log = get_logger("store")


class EmbeddedStore:
    """A Registry over the live Catalog; ``kv`` holds keys and sessions in the same file."""

    def __init__(
        self,
        catalog: Catalog,
        journal: "Journal | None" = None,
        *,
        state: State | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Write to this catalogue, and to the journal when there is one."""
        clock = clock or SystemClock()
        self.catalog = catalog
        self._disk = Disk()
        self.kv = EmbeddedKeyValue(catalog, clock, journal, state, self._disk)
        self._keeper = None if journal is None else Keeper(self, journal, self._disk, clock)
        self._journal = journal
        self._writing = asyncio.Lock()
        self._unwritten: dict[tuple[str | None, ...], Change] = {}

    @classmethod
    async def open(
        cls, state_dir: str, clock: Clock | None = None, *, recover: bool = False
    ) -> "EmbeddedStore":
        """Return the store with what an earlier run left in ``state_dir`` (empty: in memory).

        With ``recover``, a damaged file is replaced by its last good copy. Raises StoreDenied
        or StoreCorrupt.
        """
        if not state_dir:
            return cls(Catalog(), clock=clock)
        from sidecar.stores.recovery import opened  # noqa: PLC0415 - SQLite only when durable

        journal, snapshot, state = await asyncio.to_thread(
            opened, Path(state_dir), may_recover=recover
        )
        _log.info("state read", directory=state_dir, index=snapshot.index, keys=len(state.kv))
        return cls(Catalog(snapshot), journal, state=state, clock=clock)

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot."""
        return self.catalog.snapshot

    @property
    def components(self) -> tuple[Component, ...]:
        """What has to run for the store: the end of TTLs and, when durable, its keeper."""
        return (self.kv,) if self._keeper is None else (self.kv, self._keeper)

    def trouble(self) -> str | None:
        """Return what keeps writes from the disk, or None."""
        return self._disk.trouble

    def mark_synced(self) -> None:
        """Say that the first full reconcile is in the catalogue."""
        self.catalog.mark_synced()

    async def commit(self, changes: Sequence[Change]) -> None:
        """Make the changes visible, then durable. Raises StoreUnavailable when not durable.

        What could not be written stays queued and goes with the next commit.
        """
        before = self.catalog.snapshot
        after = self.catalog.commit(changes)
        if self._journal is None:
            await self.kv.follow(before, after)
            return
        self._queue(changes)
        try:
            await self.kv.follow(before, after)
        finally:
            async with self._writing:
                await self._flush(self._journal)

    async def owned(self, owner: str) -> tuple[Instance, ...]:
        """Return the instances with this owner mark."""
        return owned_by(self.catalog.snapshot, owner)

    def content(self) -> "Content":
        """Return all that is committed now, as it would be after an unclean end."""
        from sidecar.stores.statefile import Content  # noqa: PLC0415

        snapshot, kv, sessions = self.catalog.snapshot, self.kv.kv, self.kv.sessions
        return Content(
            Progress(
                index=self.catalog.index,
                kv=kv.index,
                session=sessions.index,
                extinct=snapshot.extinct_index,
                clean=False,
            ),
            tuple(snapshot.nodes.values()),
            tuple(instance for group in snapshot.services.values() for instance in group),
            kv.list().entries,
            sessions.list(),
        )

    async def retry(self) -> None:
        """Try the disk after a refused write, and write what is left; says how it went."""
        if self._journal is None:
            return
        async with self._writing:
            try:
                await asyncio.to_thread(self._journal.probe)
            except StoreUnavailable as error:
                self._disk.note(error)
                return
            try:
                await self._flush(self._journal)
            except StoreUnavailable:
                return
            self._disk.note(None)

    async def close(self) -> None:
        """Write what is left, make a good copy and mark a clean end."""
        await self.kv.close()
        if self._journal is None or self._keeper is None:
            return
        async with self._writing:
            clean = True
            try:
                await self._flush(self._journal)
            except StoreUnavailable as error:
                _log.error("state not written at the end", error=error)
                clean = False
            await self._keeper.copy()
            await asyncio.to_thread(self._journal.close, self.catalog.index, clean=clean)

    def _queue(self, changes: Sequence[Change]) -> None:
        """Keep the last change per entry: an outage of the disk cannot grow the queue for ever."""
        for change in changes:
            entry = _entry(change)
            self._unwritten.pop(entry, None)  # so that it goes to the end: order matters
            self._unwritten[entry] = change

    async def _flush(self, journal: "Journal") -> None:
        batch, self._unwritten = self._unwritten, {}
        if not batch:
            return
        try:
            await asyncio.to_thread(
                journal.write,
                list(batch.values()),
                self.catalog.index,
                self.catalog.snapshot.extinct_index,
            )
        except asyncio.CancelledError:
            self._put_back(batch)  # it may or may not be written: again
            raise
        except StoreUnavailable as error:
            self._put_back(batch)
            self._disk.note(error)
            raise
        self._disk.note(None)

    def _put_back(self, batch: dict[tuple[str | None, ...], Change]) -> None:
        newer = self._unwritten
        self._unwritten = {k: c for k, c in batch.items() if k not in newer} | newer


def _entry(change: Change) -> tuple[str | None, ...]:
    match change:
        case Put(instance):
            return instance.service, instance.id, instance.node
        case Drop(service, id_, node):
            return service, id_, node
        case PutNode(node):
            return (node.name,)
        case DropNode(name):
            return (name,)
