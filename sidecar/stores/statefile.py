"""The form of a state file: SQLite, one row per entry, and how to tell that it is whole.

SQLite's own check finds a damaged structure but not a changed byte inside a row, so each row has
a checksum, and its key must be the one in its body. A table that is missing or another than ours
is damage too: what cannot be read must not look like what was never there. Blocking; call in a
thread.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Generic, TypeVar

from sidecar.catalog.kv import Entry
from sidecar.catalog.model import Instance, Node
from sidecar.catalog.sessions import Session
from sidecar.stores.codec import (
    Progress,
    checksum,
    decode_entry,
    decode_instance,
    decode_node,
    decode_progress,
    decode_session,
    encode,
    pack,
)

__all__ = [
    "INSTANCES",
    "KEYS",
    "NODES",
    "SESSIONS",
    "Content",
    "Table",
    "close_untouched",
    "connect",
    "create_tables",
    "ensure_tables",
    "is_environment",
    "progress_of",
    "put_progress",
    "read",
    "run_without_log",
    "sync_directory",
    "write_copy",
]

T = TypeVar("T")

# What SQLite reports of the world around the file rather than of the file.
_ENVIRONMENT: Final = frozenset(
    {
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
    }
)


class Table(Generic[T]):
    """One table: its columns, and how its rows become entries and back."""

    def __init__(
        self,
        name: str,
        columns: tuple[str, ...],
        key_of: Callable[[T], tuple[str, ...]],
        codec: tuple[Callable[[T], bytes], Callable[[bytes], T]],
    ) -> None:
        """Make its statements; names come from this module, never from data."""
        self.name = name
        self.key_of = key_of
        self.encode, self.decode = codec
        keys = ", ".join(columns)
        typed = "".join(f"{column} TEXT NOT NULL, " for column in columns)
        self.create = (
            f"CREATE TABLE {name} ({typed}body BLOB NOT NULL, sum INTEGER NOT NULL,"
            f" PRIMARY KEY ({keys})) WITHOUT ROWID"
        )
        self._select = f"SELECT {keys}, body, sum FROM {name}"  # noqa: S608
        marks = ", ".join("?" * (len(columns) + 2))
        self.put = f"INSERT OR REPLACE INTO {name} VALUES ({marks})"  # noqa: S608
        self.drop = f"DELETE FROM {name} WHERE {columns[0]} = ?"  # noqa: S608

    def row(self, entry: T) -> tuple[str | bytes | int, ...]:
        """Return what is written for an entry."""
        body = self.encode(entry)
        return (*self.key_of(entry), body, checksum(body))

    def entries(self, database: sqlite3.Connection) -> Iterator[T]:
        """Yield what was written; raises ValueError for a row that was changed since."""
        with closing(database.execute(self._select)) as rows:
            for *key, body, total in rows:
                if not isinstance(body, bytes) or checksum(body) != total:
                    raise ValueError(f"a row of {self.name} differs from its checksum")
                entry = self.decode(body)
                if self.key_of(entry) != tuple(key):
                    raise ValueError(f"a row of {self.name} has the key of another")
                yield entry


INSTANCES: Final[Table[Instance]] = Table(
    "instance",
    ("service", "node", "id"),
    lambda instance: (instance.service, instance.node, instance.id),
    (encode, decode_instance),
)
NODES: Final[Table[Node]] = Table(
    "node", ("name",), lambda node: (node.name,), (encode, decode_node)
)
KEYS: Final[Table[Entry]] = Table("kv", ("key",), lambda entry: (entry.key,), (pack, decode_entry))
SESSIONS: Final[Table[Session]] = Table(
    "session", ("id",), lambda session: (session.id,), (pack, decode_session)
)
_PROGRESS: Final[Table[Progress]] = Table(
    "state", ("key",), lambda _: ("progress",), (pack, decode_progress)
)
_CREATE: Final = tuple(t.create for t in (INSTANCES, NODES, KEYS, SESSIONS, _PROGRESS))


@dataclass(frozen=True, slots=True)
class Content:
    """Everything a state file holds."""

    progress: Progress = field(default_factory=Progress)
    nodes: tuple[Node, ...] = ()
    instances: tuple[Instance, ...] = ()
    entries: tuple[Entry, ...] = ()
    sessions: tuple[Session, ...] = ()


def connect(path: Path, *pragmas: str, mode: str = "rwc") -> sqlite3.Connection:
    """Open a file and check its structure; raises sqlite3.Error."""
    # Used by one thread at a time, though not always the same one.
    database = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=0.5, check_same_thread=False
    )
    try:
        for pragma in pragmas:
            database.execute(f"PRAGMA {pragma}")
        verdict = database.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(" ".join(str(verdict).split()))
    except BaseException as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            database.close()  # another's file: nothing was opened
        else:
            close_untouched(database, path)
        raise
    return database


def close_untouched(database: sqlite3.Connection, path: Path) -> None:
    """Close and leave file and log as they are, for whoever looks at the damage.

    SQLite would fold what fits of the log into the file and delete the rest. It does not when
    the file is not where it was.
    """
    aside, log = path.with_name(path.name + ".closing"), path.with_name(path.name + "-wal")
    try:
        if log.exists() and not log.stat().st_size:
            log.unlink()  # made by the opening
        path.rename(aside)
    except OSError:
        database.close()
        return
    try:
        database.close()
    finally:
        aside.rename(path)


def ensure_tables(database: sqlite3.Connection, *, may_create: bool) -> None:
    """Make the tables of a new file; raises ValueError when an old one has others."""
    found = {sql for (sql,) in database.execute("SELECT sql FROM sqlite_master")}
    if found == set(_CREATE):
        return
    if found or not may_create:
        raise ValueError("its tables are not those of a state file")
    with database:
        database.execute("BEGIN")
        create_tables(database)
        put_progress(database, Progress())


def create_tables(database: sqlite3.Connection) -> None:
    """Make the empty tables, in the transaction under way."""
    for statement in _CREATE:
        database.execute(statement)


def progress_of(database: sqlite3.Connection) -> Progress:
    """Return how far the file is; raises ValueError when that cannot be trusted."""
    found = list(_PROGRESS.entries(database))
    if len(found) != 1:
        raise ValueError("its progress is missing")
    return found[0]


def run_without_log(path: Path) -> str | None:
    """Return the run that the file itself, without its log, is of; None if it does not say."""
    try:
        with closing(connect(path, mode="ro&immutable=1")) as database:
            return progress_of(database).run
    except (sqlite3.Error, ValueError):
        return None  # killed while the log was folded in, or damaged: the log decides


def put_progress(database: sqlite3.Connection, progress: Progress) -> None:
    """Write how far the file is, in the transaction under way."""
    database.execute(_PROGRESS.put, _PROGRESS.row(progress))


def read(database: sqlite3.Connection) -> Content:
    """Return everything in it; raises ValueError or sqlite3.Error when anything is damaged."""
    return Content(
        progress_of(database),
        tuple(NODES.entries(database)),
        tuple(INSTANCES.entries(database)),
        tuple(KEYS.entries(database)),
        tuple(SESSIONS.entries(database)),
    )


def write_copy(path: Path, content: Content) -> None:
    """Write a whole file, durable before it takes its name; raises sqlite3.Error or OSError.

    It is written from memory, not from the other file: a copy cannot inherit damage.
    """
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    try:
        with closing(connect(fresh, "journal_mode=OFF", "synchronous=OFF")) as database:
            ensure_tables(database, may_create=True)
            with database:
                _insert(database, NODES, content.nodes)
                _insert(database, INSTANCES, content.instances)
                _insert(database, KEYS, content.entries)
                _insert(database, SESSIONS, content.sessions)
                put_progress(database, content.progress)
        with fresh.open("rb+") as file:
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def _insert(database: sqlite3.Connection, table: Table[T], entries: Iterable[T]) -> None:
    database.executemany(table.put, map(table.row, entries))


def sync_directory(directory: Path) -> None:
    """Make renames in it durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_environment(path: Path, error: Exception) -> bool:
    """Say whether the world around the file is to blame (permissions, a full disk, a lock)."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return False
    primary = code & 0xFF
    if primary == sqlite3.SQLITE_READONLY:  # a flipped bit in the file's head says so too
        return not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK)
    return primary in _ENVIRONMENT
