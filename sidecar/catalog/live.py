"""The live Catalog: the present Snapshot and those who wait for the next one.

Watchers get the newest snapshot, not a backlog: a slow reader skips versions and never makes
the writer wait. The only module of this package that waits on the loop; everything happens on the
loop's thread, so a commit needs no lock.
"""

from collections.abc import AsyncIterator, Callable, Iterable

from sidecar.catalog.changes import Change, apply
from sidecar.catalog.model import EMPTY, Snapshot
from sidecar.catalog.topics import moved
from sidecar.runtime.signal import Signal, Signals

__all__ = ["Catalog"]


class Catalog:
    """Holds the newest Snapshot; commits and watches it."""

    def __init__(self, snapshot: Snapshot = EMPTY) -> None:
        """Start from a snapshot, by default the empty one, and not yet synced."""
        self._snapshot = snapshot
        self._index = snapshot.index
        self._synced = False
        self._changed = Signal()
        self._topics = Signals()

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot; cheap enough for every DNS query."""
        return self._snapshot

    @property
    def index(self) -> int:
        """The last index given out, to a snapshot or to another table (``next_index``)."""
        return self._index

    def next_index(self) -> int:
        """Take an index for a table beside the snapshot (keys, sessions).

        All tables draw from this one sequence; the snapshot's own index moves only when the
        snapshot does, so that a reader of services does not wake for a key.
        """
        self._index += 1
        return self._index

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
            self._changed.fire()

    def commit(self, changes: Iterable[Change]) -> Snapshot:
        """Apply changes as one commit and wake watchers if anything changed."""
        return self.replace(apply(self._snapshot, changes, self._index + 1))

    def replace(self, snapshot: Snapshot) -> Snapshot:
        """Take a whole new snapshot (a mirror's full read, a restored store)."""
        old = self._snapshot
        if snapshot is not old:
            self._snapshot = snapshot
            self._index = max(self._index, snapshot.index)
            self._changed.fire()
            self._topics.fire(tuple(moved(old, snapshot, self._topics.names)))
        return snapshot

    async def changed(self) -> None:
        """Return at the next commit (or when the catalogue becomes synced)."""
        await self._changed.wait()

    async def moved(self, topics: Iterable[str]) -> None:
        """Return at the next commit that moves one of these (``sidecar.catalog.topics``)."""
        await self._topics.wait(topics)

    def on_moved(self, topics: Iterable[str], function: Callable[[], None]) -> Callable[[], None]:
        """Call a function at every commit that moves one of these; return how to end that.

        It is called inside the commit: do no more there than to plan what is to be done.
        """
        return self._topics.call(topics, function)

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
