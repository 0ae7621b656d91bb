"""The key-value table and its index rules (recorded from Consul 1.8.7). Pure.

A reader of one key waits on the entry's own ``modify_index``; a reader of a prefix on the
highest one below it, the dead included: a delete leaves a tombstone, so that the index of a
prefix moves up when its newest key goes. Keys that go together, with a prefix, share one tombstone
there, which a reader of a longer prefix does not see. What is absent has the table's index.

Tombstones are bounded. When the oldest are forgotten, their highest index becomes a floor under
every prefix, so that no index ever moves back; the price is one needless wake.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

__all__ = ["Entry", "KeyValues", "Listing", "Removed", "cut_at"]

_REBUILD: Final = 64  # from so many changes in one commit on, sorting anew is cheaper


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One key with its value; ``lock_index`` counts how often it was locked."""

    key: str
    value: bytes = b""
    flags: int = 0
    lock_index: int = 0
    session: str = ""
    create_index: int = 0
    modify_index: int = 0


@dataclass(frozen=True, slots=True)
class Removed:
    """What a key or session became at this index.

    ``under`` is the prefix that a key went with: one tombstone lies there for all of them, none
    when it is empty. None: the key went by itself.
    """

    index: int
    under: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """The entries below a prefix, sorted by key, and the index to wait on for the next state."""

    index: int
    entries: tuple[Entry, ...]


class _SortedKeys:
    """Keys in order; Python's order of code points is the order of UTF-8 bytes too."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = sorted(keys)

    def below(self, prefix: str) -> Iterator[str]:
        for key in islice(self._keys, bisect_left(self._keys, prefix), None):
            if not key.startswith(prefix):
                return
            yield key

    def update(self, added: Sequence[str], gone: Sequence[str]) -> None:
        if len(added) + len(gone) > _REBUILD:
            self._keys = sorted((set(self._keys) - set(gone)) | set(added))
            return
        for key in gone:
            del self._keys[bisect_left(self._keys, key)]
        for key in added:
            insort(self._keys, key)


class KeyValues:
    """The committed entries; changed only by ``commit``."""

    def __init__(
        self, entries: Iterable[Entry] = (), index: int = 0, tombstones: int = 10_000
    ) -> None:
        """Start from entries read back at a table index; remember so many deletes."""
        self._entries = {entry.key: entry for entry in entries}
        self._keys = _SortedKeys(self._entries)
        self._held: dict[str, set[str]] = {}
        for entry in self._entries.values():
            if entry.session:
                self._held.setdefault(entry.session, set()).add(entry.key)
        newest = max((entry.modify_index for entry in self._entries.values()), default=0)
        self._index = max(index, newest)
        self._limit = tombstones
        self._tombstones: dict[str, int] = {}
        self._dead = _SortedKeys(())
        self._felled: dict[str, int] = {}
        self._fallen = _SortedKeys(())
        self._floor = self._index  # what was deleted before is not known any more

    @property
    def index(self) -> int:
        """The index of the last change to the table, at least 1."""
        return max(1, self._index)

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._entries)

    def get(self, key: str) -> Entry | None:
        """Return the entry, or None."""
        return self._entries.get(key)

    def keys(self, prefix: str = "") -> list[str]:
        """Return the keys that begin with this text, sorted."""
        return list(self._keys.below(prefix))

    def held(self, session: str) -> set[str]:
        """Return the keys that this session has locked."""
        return set(self._held.get(session, ()))

    def list(self, prefix: str = "") -> Listing:
        """Return the entries whose keys begin with this text, sorted, with their index."""
        entries = tuple(self._entries[key] for key in self._keys.below(prefix))
        return Listing(self._index_of(prefix, entries), entries)

    def index_of(self, key: str) -> int:
        """Return the index a reader of one key waits on."""
        entry = self._entries.get(key)
        return self.index if entry is None else entry.modify_index

    def index_below(self, prefix: str) -> int:
        """Return the index a reader of a prefix waits on."""
        return self._index_of(prefix, (self._entries[key] for key in self._keys.below(prefix)))

    def has_own_index(self, prefix: str) -> bool:
        """Say whether changes elsewhere leave this prefix' index alone."""
        return any(True for _ in self._keys.below(prefix)) or any(
            True for _ in self._dead.below(prefix)
        )

    def commit(self, changes: Mapping[str, Entry | Removed]) -> None:
        """Take the last state of each changed key."""
        added: list[str] = []
        gone: list[str] = []
        for key, change in changes.items():
            old = self._entries.get(key)
            if old is not None and old.session:
                self._let_go(old)
            if isinstance(change, Entry):
                if old is None:
                    added.append(key)
                self._entries[key] = change
                if change.session:
                    self._held.setdefault(change.session, set()).add(key)
                self._index = max(self._index, change.modify_index)
            else:
                if old is not None:
                    gone.append(key)
                    del self._entries[key]
                self._index = max(self._index, change.index)
        self._keys.update(added, gone)
        self._bury(changes)

    def _let_go(self, entry: Entry) -> None:
        keys = self._held[entry.session]
        keys.discard(entry.key)
        if not keys:
            del self._held[entry.session]

    def _bury(self, changes: Mapping[str, Entry | Removed]) -> None:
        """Add tombstones; as in Consul one stays when its key comes back."""
        buried = {
            name: change.index
            for key, change in changes.items()
            if isinstance(change, Removed)
            and (name := key if change.under is None else change.under)
        }
        fresh = [key for key in buried if key not in self._tombstones]
        self._tombstones.update(buried)
        self._dead.update(fresh, ())
        self._fell(changes)
        if len(self._tombstones) + len(self._felled) > self._limit:
            self._forget()

    def _fell(self, changes: Mapping[str, Entry | Removed]) -> None:
        """Remember the keys that went with a prefix, so that no index below it falls."""
        risen = [key for key in changes if key in self._felled and key in self._entries]
        felled = {
            key: change.index
            for key, change in changes.items()
            if isinstance(change, Removed) and change.under is not None
        }
        fresh = [key for key in felled if key not in self._felled]
        for key in risen:
            del self._felled[key]
        self._felled.update(felled)
        self._fallen.update(fresh, risen)

    def _forget(self) -> None:
        self._floor = max(
            self._floor,
            self._forget_of(self._felled, self._fallen),
            self._forget_of(self._tombstones, self._dead),
        )

    def _forget_of(self, graves: dict[str, int], names: _SortedKeys) -> int:
        """Drop the oldest down to half the limit; return the newest of those dropped."""
        oldest = sorted(graves, key=graves.__getitem__)
        gone = oldest[: max(0, len(oldest) - self._limit // 2)]
        newest = graves[gone[-1]] if gone else 0
        for key in gone:
            del graves[key]
        names.update((), gone)
        return newest

    def _index_of(self, prefix: str, entries: Iterable[Entry]) -> int:
        if not prefix:
            return self.index
        alive = max((entry.modify_index for entry in entries), default=0)
        dead = max((self._tombstones[key] for key in self._dead.below(prefix)), default=0)
        newest = max(alive, dead)
        if not newest:
            return self.index
        felled = max((self._felled[key] for key in self._fallen.below(prefix)), default=0)
        return max(newest, felled, self._floor)


def cut_at(keys: Iterable[str], prefix: str, separator: str) -> list[str]:
    """Return the keys cut after the first separator behind the prefix, without repeats.

    ``keys`` must be sorted, as repeats are neighbours then.
    """
    if not separator:
        return list(keys)
    found: list[str] = []
    for key in keys:
        at = key.find(separator, len(prefix))
        short = key if at < 0 else key[: at + len(separator)]
        if not found or found[-1] != short:
            found.append(short)
    return found
