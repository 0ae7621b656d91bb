"""The embedded store's file: SQLite in WAL mode, one row per entry. Blocking; call in a thread.

Every write is one transaction with ``synchronous=FULL``: what was acknowledged is on the disk
before the call returns, also after a power cut. The file also remembers the index, so that it
never goes back: after an unclean end some indexes may have been seen by readers and not
written, so the next start skips a million (as Consul's clients expect an index to grow only).
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final
from uuid import uuid4

import msgspec

from sidecar.catalog.changes import Change, Drop, DropNode, Put, PutNode
from sidecar.catalog.draft import State
from sidecar.catalog.kv import Entry, Removed
from sidecar.catalog.model import Snapshot
from sidecar.catalog.sessions import Session
from sidecar.errors import PinnaceError, StoreCorrupt, StoreDenied, StoreUnavailable
from sidecar.stores import statefile
from sidecar.stores.codec import Progress
from sidecar.stores.mark import Mark, read_mark
from sidecar.stores.restored import snapshot_of, state_of
from sidecar.stores.statefile import INSTANCES, KEYS, NODES, SESSIONS, Content
from sidecar.stores.upgrade import upgrade

__all__ = ["FILE", "GOOD", "LOG", "MARK", "SKIP", "Journal", "database_of"]

SKIP: Final = 1_000_000
"""How far the index jumps when the last end was not clean."""

FILE: Final = "catalog.sqlite3"
LOG: Final = FILE + "-wal"
"""SQLite's own name for it."""
GOOD: Final = "catalog.sqlite3.good"
"""The last good copy."""
MARK: Final = "catalog.mark"
_PROBE: Final = "catalog.probe"
_ROOM: Final = 64 * 1024  # bytes that must be free before we call a disk well again

_PRAGMAS: Final = (
    "locking_mode=EXCLUSIVE",
    "journal_mode=WAL",
    "synchronous=FULL",
    "wal_autocheckpoint=128",  # pages; no slower than the default 1000, and a small disk suffices
)
_DROP: Final = "DELETE FROM instance WHERE service = ? AND id = ? AND (? IS NULL OR node = ?)"


class Journal:
    """One open state file; only one process may hold it."""

    def __init__(self, directory: Path) -> None:
        """Open or create the file.

        Raises StoreDenied (directory not writable, or held by another process) or StoreCorrupt.
        """
        self._directory = directory
        self._path = directory / FILE
        self._lock = threading.Lock()  # instances and keys are written by different threads
        self.has_copy = (directory / GOOD).exists()  # of whatever age
        self._refused = 0  # bytes of the largest transaction that the disk did not take
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._database, self._progress = database_of(directory)
            try:
                self._mark = Mark(directory / MARK)
            except BaseException:
                statefile.close_untouched(self._database, self._path)
                raise
        except OSError as error:
            raise StoreDenied(f"cannot use state directory {directory}: {error}") from error
        except (sqlite3.Error, ValueError) as error:
            raise self._explained(error) from error

    @property
    def commits(self) -> int:
        """How many commits this run has made."""
        return self._progress.commits

    def load(self) -> tuple[Snapshot, State]:
        """Return what was written, and mark the file as in use; raises as the constructor."""
        try:
            content = statefile.read(self._database)
            self._check_mark(content.progress)
            index = content.progress.index + (0 if content.progress.clean else SKIP)
            self._begin(index)
        except (sqlite3.Error, ValueError) as error:
            statefile.close_untouched(self._database, self._path)
            self._mark.close()
            raise self._explained(error) from error
        return snapshot_of(content, index), state_of(content)

    def write(self, changes: Sequence[Change], index: int, extinct: int = 0) -> None:
        """Make the changes durable in one transaction; raises StoreUnavailable (full disk)."""

        def work() -> None:
            for change in changes:
                self._one(change)

        self._commit(work, _ROOM, index=index, extinct=extinct)

    def write_keys(
        self,
        entries: Mapping[str, Entry | Removed],
        sessions: Mapping[str, Session | Removed],
        index: int,
    ) -> None:
        """Make changed keys and sessions durable in one transaction; raises StoreUnavailable."""

        def work() -> None:
            self._write_table(KEYS, entries)
            self._write_table(SESSIONS, sessions)

        size = sum(len(change.value) for change in entries.values() if isinstance(change, Entry))
        self._commit(work, size, index=index, kv=_newest(entries), session=_newest(sessions))

    def probe(self) -> None:
        """Try whether the disk takes writes again; raises StoreUnavailable.

        The log reuses its own blocks, so a small write may pass where the refused one would not:
        there must be room for that one too.
        """
        path = self._directory / _PROBE
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, 2 * self._refused + _ROOM)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
                path.unlink()
        except OSError as error:
            raise StoreUnavailable(f"cannot write {path}: {error.strerror}") from error
        self._commit(lambda: None, 0)
        self._refused = 0

    def keep_copy(self, content: Content) -> None:
        """Write the good copy anew; raises StoreUnavailable, and then the old one stays."""
        try:
            statefile.write_copy(self._directory / GOOD, content)
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailable(f"cannot write {self._directory / GOOD}: {error}") from error

    def close(self, index: int, *, clean: bool) -> None:
        """Mark how it ended at this index and close; never raises."""
        try:
            self._commit(lambda: None, 0, index=index, clean=clean)
        except StoreUnavailable:
            pass  # the next start then treats the end as unclean, which is right
        finally:
            self._database.close()
            self._mark.close()

    def _check_mark(self, progress: Progress) -> None:
        mark = read_mark(self._directory / MARK)
        if mark is not None and mark.run == progress.run and mark.commits > progress.commits:
            lost = mark.commits - progress.commits
            raise ValueError(f"{lost} acknowledged commits are missing at its end")

    def _begin(self, index: int) -> None:
        """Start a run: its name goes into the file itself, not only into the log."""
        fresh = msgspec.structs.replace(
            self._progress, index=index, run=uuid4().hex, commits=0, clean=False
        )
        with self._database:
            statefile.put_progress(self._database, fresh)
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._progress = fresh
        self._mark.write(fresh)

    def _commit(
        self,
        work: Callable[[], None],
        size: int,
        *,
        index: int = 0,
        kv: int = 0,
        session: int = 0,
        extinct: int = 0,
        clean: bool = False,
    ) -> None:
        with self._lock:
            old = self._progress
            fresh = msgspec.structs.replace(
                old,
                index=max(old.index, index),
                kv=max(old.kv, kv),
                session=max(old.session, session),
                extinct=max(old.extinct, extinct),
                commits=old.commits + 1,
                clean=clean,
            )
            try:
                self._transact(work, fresh)
            except sqlite3.Error as error:
                self._refused = max(self._refused, size)
                raise StoreUnavailable(f"cannot write {self._path}: {error}") from error
            self._progress = fresh
            self._mark.write(fresh)

    def _transact(self, work: Callable[[], None], fresh: Progress) -> None:
        try:
            self._attempt(work, fresh)
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_FULL:
                raise
            # The log may be what fills the disk: fold it into the file and try once more.
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._attempt(work, fresh)

    def _attempt(self, work: Callable[[], None], fresh: Progress) -> None:
        with self._database:
            work()
            statefile.put_progress(self._database, fresh)

    def _one(self, change: Change) -> None:
        match change:
            case Put(entry):
                self._database.execute(INSTANCES.put, INSTANCES.row(entry))
            case Drop(service, id_, node):
                self._database.execute(_DROP, (service, id_, node, node))
            case PutNode(node):
                self._database.execute(NODES.put, NODES.row(node))
            case DropNode(name):
                self._database.execute(NODES.drop, (name,))

    def _write_table(
        self, table: statefile.Table[statefile.T], changes: Mapping[str, statefile.T | Removed]
    ) -> None:
        puts = [table.row(c) for c in changes.values() if not isinstance(c, Removed)]
        drops = [(key,) for key, c in changes.items() if isinstance(c, Removed)]
        self._database.executemany(table.put, puts)
        self._database.executemany(table.drop, drops)

    def _explained(self, error: Exception) -> PinnaceError:
        if statefile.is_environment(self._path, error):
            if "locked" in str(error):
                return StoreDenied(
                    f"{self._path} is in use by another process; give each its own --state-dir"
                )
            return StoreDenied(f"cannot use {self._path}: {error}")
        return StoreCorrupt(
            f"{self._path} is damaged ({error}); --recover starts from {_copy_of(self._directory)}"
            " and keeps the damaged file beside it"
        )


def database_of(directory: Path) -> tuple[sqlite3.Connection, Progress]:
    """Open the file of a directory; raises sqlite3.Error, or ValueError when it is none of ours."""
    path, log = directory / FILE, directory / LOG
    # An empty file is a new one, unless something beside it shows that there was more.
    traces = [name for name in (GOOD, MARK) if (directory / name).exists()]
    if traces and not (path.exists() and path.stat().st_size):
        raise ValueError(f"it is missing or empty, but {traces[0]} is there")
    run = statefile.run_without_log(path) if log.exists() and log.stat().st_size else None
    database = statefile.connect(path, *_PRAGMAS)
    try:
        if not upgrade(database):
            statefile.ensure_tables(database, may_create=not traces)
        progress = statefile.progress_of(database)
        # A run's name is in the file before the log gets its first commit.
        if run is not None and run != progress.run and progress.commits:
            raise ValueError(f"{LOG} is the log of another file; remove it if this one is a backup")
    except BaseException:
        statefile.close_untouched(database, path)
        raise
    return database, progress


def _copy_of(directory: Path) -> str:
    return "its last good copy" if (directory / GOOD).exists() else "nothing, as it has no copy,"


def _newest(changes: Mapping[str, Entry | Session | Removed]) -> int:
    return max((_index_of(change) for change in changes.values()), default=0)


def _index_of(change: Entry | Session | Removed) -> int:
    return change.index if isinstance(change, Removed) else change.modify_index
