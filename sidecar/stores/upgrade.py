"""A state file of the first form, which had no checksums, becomes one of the present form.

Its rows are taken as they are: what was damaged before cannot be told, except by what does not
decode. Blocking; call in a thread.
"""

import sqlite3
from typing import Final

from sidecar.stores.codec import Progress, checksum
from sidecar.stores.statefile import INSTANCES, KEYS, NODES, SESSIONS, create_tables, put_progress

__all__ = ["upgrade"]

_STATE: Final = "CREATE TABLE state (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID"
_OLD: Final = {
    "instance": "CREATE TABLE instance ( service TEXT NOT NULL, node TEXT NOT NULL,"
    " id TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (service, node, id) ) WITHOUT ROWID",
    "node": "CREATE TABLE node (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
    "kv": "CREATE TABLE kv (key TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
    "session": "CREATE TABLE session (id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
}
_COLUMNS: Final = {
    INSTANCES.name: "service, node, id",
    NODES.name: "name",
    KEYS.name: "key",
    SESSIONS.name: "id",
}


def upgrade(database: sqlite3.Connection) -> bool:
    """Bring an old file up to date, all or nothing; False when it is none."""
    found = {
        name: " ".join(sql.split())
        for name, sql in database.execute("SELECT name, sql FROM sqlite_master")
    }
    state = found.pop("state", None)
    if state != _STATE or not found.items() <= _OLD.items():
        return False
    database.create_function("checksum", 1, checksum, deterministic=True)
    with database:
        database.execute("BEGIN")
        values = dict(database.execute("SELECT key, value FROM state"))
        for name in (*found, "state"):
            database.execute(f"ALTER TABLE {name} RENAME TO old_{name}")
        create_tables(database)
        for name, columns in _COLUMNS.items():
            if name in found:
                database.execute(
                    f"INSERT INTO {name} SELECT {columns}, body, checksum(body) FROM old_{name}"  # noqa: S608
                )
        for name in (*found, "state"):
            database.execute(f"DROP TABLE old_{name}")
        put_progress(database, _progress(values))
    return True


def _progress(values: dict[str, int]) -> Progress:
    return Progress(
        index=values.get("index", 0),
        kv=values.get("kv", 0),
        session=values.get("session", 0),
        clean=bool(values.get("clean", 1)),
    )
