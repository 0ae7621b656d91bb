"""The embedded store's file: SQLite in WAL mode, one row per entry. Blocking; call in a thread.

Every write is one transaction with ``synchronous=FULL``: what was acknowledged is on the disk
before the call returns, also after a power cut. The file also remembers the index, so that it
never goes back: after an unclean end some indexes may have been seen by readers and not
written, so the next start skips a million (as Consul's clients expect an index to grow only).
"""

import sqlite3
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from sidecar.catalog.changes import Change, Drop, DropNode, Put, PutNode, apply
from sidecar.catalog.draft import State
from sidecar.catalog.kv import Entry, KeyValues, Removed
from sidecar.catalog.model import EMPTY, Snapshot
from sidecar.catalog.sessions import Session, Sessions
from sidecar.errors import StoreCorrupt, StoreDenied, StoreUnavailable
from sidecar.stores.codec import (
    decode_entry,
    decode_instance,
    decode_node,
    decode_session,
    encode,
    pack,
)

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
CREATE TABLE IF NOT EXISTS kv (key TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS session (id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""
_SET_STATE: Final = "INSERT OR REPLACE INTO state VALUES (?, ?)"
_RAISE_STATE: Final = """
INSERT INTO state VALUES (?, ?)
ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)
"""
_PUT: Final = "INSERT OR REPLACE INTO instance VALUES (?, ?, ?, ?)"
_DROP: Final = "DELETE FROM instance WHERE service = ? AND id = ? AND (? IS NULL OR node = ?)"
_PUT_NODE: Final = "INSERT OR REPLACE INTO node VALUES (?, ?)"
_DROP_NODE: Final = "DELETE FROM node WHERE name = ?"
_PUT_KEY: Final = "INSERT OR REPLACE INTO kv VALUES (?, ?)"
_DROP_KEY: Final = "DELETE FROM kv WHERE key = ?"
_PUT_SESSION: Final = "INSERT OR REPLACE INTO session VALUES (?, ?)"
_DROP_SESSION: Final = "DELETE FROM session WHERE id = ?"


class Journal:
    """One open state file; only one process may hold it."""

    def __init__(self, directory: Path) -> None:
        """Open or create the file.

        Raises StoreDenied (directory not writable, or held by another process) or StoreCorrupt.
        """
        self._path = directory / _FILE
        self._lock = threading.Lock()  # instances and keys are written by different threads
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
            with self._lock, self._database:
                for change in changes:
                    self._one(change)
                self._database.execute(_RAISE_STATE, ("index", index))
        except sqlite3.Error as error:
            raise StoreUnavailable(f"cannot write {self._path}: {error}") from error

    def load_keys(self) -> State:
        """Return the keys and sessions that were written."""
        try:
            state = dict(self._database.execute("SELECT key, value FROM state"))
            entries = [decode_entry(b) for (b,) in self._rows("SELECT body FROM kv")]
            sessions = [decode_session(b) for (b,) in self._rows("SELECT body FROM session")]
        except (sqlite3.DatabaseError, ValueError) as error:
            raise _explained(self._path, error) from error
        return State(
            KeyValues(entries, index=int(state.get("kv", 0))),
            Sessions(sessions, index=int(state.get("session", 0))),
        )

    def write_keys(
        self,
        entries: Mapping[str, Entry | Removed],
        sessions: Mapping[str, Session | Removed],
        index: int,
    ) -> None:
        """Make changed keys and sessions durable in one transaction; raises StoreUnavailable."""
        try:
            with self._lock, self._database:
                self._write_table("kv", _PUT_KEY, _DROP_KEY, entries)
                self._write_table("session", _PUT_SESSION, _DROP_SESSION, sessions)
                self._database.execute(_RAISE_STATE, ("index", index))
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

    def _write_table(
        self, table: str, put: str, drop: str, changes: Mapping[str, Entry | Session | Removed]
    ) -> None:
        puts = [(k, pack(c)) for k, c in changes.items() if not isinstance(c, Removed)]
        drops = [(k,) for k, c in changes.items() if isinstance(c, Removed)]
        newest = max((_index_of(change) for change in changes.values()), default=0)
        self._database.executemany(put, puts)
        self._database.executemany(drop, drops)
        if newest:
            self._database.execute(_RAISE_STATE, (table, newest))

    def _write_state(self, index: int, *, clean: bool) -> None:
        with self._lock, self._database:
            self._database.execute(_RAISE_STATE, ("index", index))
            self._database.execute(_SET_STATE, ("clean", int(clean)))


def _index_of(change: Entry | Session | Removed) -> int:
    return change.index if isinstance(change, Removed) else change.modify_index


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
        " and start anew if no keys were kept in it"
    )
