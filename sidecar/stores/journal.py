"""The embedded store's file: SQLite in WAL mode, one row per entry. Blocking; call in a thread.

Every write is one transaction with ``synchronous=FULL``: what was acknowledged is on the disk
before the call returns, also after a power cut. The file also remembers the index, so that it
never goes back: after an unclean end some indexes may have been seen by readers and not
written, so the next start skips a million (as Consul's clients expect an index to grow only).
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from sidecar.catalog.changes import Change, Drop, DropNode, Put, PutNode, apply
from sidecar.catalog.model import EMPTY, Snapshot
from sidecar.errors import StoreCorrupt, StoreDenied, StoreUnavailable
from sidecar.stores.codec import decode_instance, decode_node, encode

__all__ = ["SKIP", "Journal"]

SKIP: Final = 1_000_000
"""How far the index jumps when the last end was not clean."""

_FILE: Final = "catalog.sqlite3"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS instance (
    service TEXT NOT NULL, node TEXT NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (service, node, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS node (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""
_SET_STATE: Final = "INSERT OR REPLACE INTO state VALUES (?, ?)"
_PUT: Final = "INSERT OR REPLACE INTO instance VALUES (?, ?, ?, ?)"
_DROP: Final = "DELETE FROM instance WHERE service = ? AND id = ? AND (? IS NULL OR node = ?)"
_PUT_NODE: Final = "INSERT OR REPLACE INTO node VALUES (?, ?)"
_DROP_NODE: Final = "DELETE FROM node WHERE name = ?"


class Journal:
    """One open state file; only one process may hold it."""

    def __init__(self, directory: Path) -> None:
        """Open or create the file.

        Raises StoreDenied (directory not writable, or held by another process) or StoreCorrupt.
        """
        self._path = directory / _FILE
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._database = _opened(self._path)
        except OSError as error:
            raise StoreDenied(f"cannot use state directory {directory}: {error}") from error
        except sqlite3.DatabaseError as error:
            raise _explained(self._path, error) from error

    def load(self) -> Snapshot:
        """Return what was written, and mark the file as in use."""
        try:
            snapshot = self._read()
            self._write_state(snapshot.index, clean=False)
        except (sqlite3.DatabaseError, ValueError) as error:
            raise _explained(self._path, error) from error
        return snapshot

    def write(self, changes: Iterable[Change], index: int) -> None:
        """Make the changes durable in one transaction; raises StoreUnavailable (full disk)."""
        try:
            with self._database:
                for change in changes:
                    self._one(change)
                self._database.execute(_SET_STATE, ("index", index))
        except sqlite3.Error as error:
            raise StoreUnavailable(f"cannot write {self._path}: {error}") from error

    def close(self, index: int, *, clean: bool) -> None:
        """Mark how it ended at this index and close; never raises."""
        try:
            self._write_state(index, clean=clean)
        except sqlite3.Error:
            pass  # the next start then treats the end as unclean, which is right
        finally:
            self._database.close()

    def _read(self) -> Snapshot:
        state = dict(self._database.execute("SELECT key, value FROM state"))
        nodes = [PutNode(decode_node(b)) for (b,) in self._rows("SELECT body FROM node")]
        found = [Put(decode_instance(b)) for (b,) in self._rows("SELECT body FROM instance")]
        index = int(state.get("index", 0)) + (0 if state.get("clean", 1) else SKIP)
        loaded = apply(EMPTY, [*nodes, *found], max(1, index))
        return replace(loaded, index=index)

    def _rows(self, query: str) -> Iterable[tuple[bytes]]:
        return self._database.execute(query)

    def _one(self, change: Change) -> None:
        match change:
            case Put(entry):
                self._database.execute(_PUT, (entry.service, entry.node, entry.id, encode(entry)))
            case Drop(service, id_, node):
                self._database.execute(_DROP, (service, id_, node, node))
            case PutNode(node):
                self._database.execute(_PUT_NODE, (node.name, encode(node)))
            case DropNode(name):
                self._database.execute(_DROP_NODE, (name,))

    def _write_state(self, index: int, *, clean: bool) -> None:
        with self._database:
            self._database.execute(_SET_STATE, ("index", index))
            self._database.execute(_SET_STATE, ("clean", int(clean)))


def _opened(path: Path) -> sqlite3.Connection:
    # Used by one thread at a time, though not always the same one.
    database = sqlite3.connect(path, timeout=0.5, check_same_thread=False)
    try:
        database.execute("PRAGMA locking_mode=EXCLUSIVE")
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        verdict = database.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        database.executescript(_SCHEMA)
    except BaseException:
        database.close()
        raise
    return database


def _explained(path: Path, error: Exception) -> StoreCorrupt | StoreDenied:
    if isinstance(error, sqlite3.OperationalError):
        if "locked" in str(error):
            return StoreDenied(
                f"{path} is in use by another process; give each its own --state-dir"
            )
        return StoreDenied(f"cannot use {path}: {error}")
    return StoreCorrupt(
        f"{path} is damaged ({error}); containers register again by themselves, so move it away"
        " and start anew if nothing else was kept in it"
    )
