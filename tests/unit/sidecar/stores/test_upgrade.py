"""A file of the first form is taken over, whole or not at all."""

import sqlite3
from pathlib import Path

import pytest

from sidecar.catalog.kv import Entry
from sidecar.catalog.model import Node
from sidecar.errors import StoreCorrupt
from sidecar.stores.codec import encode, pack
from sidecar.stores.journal import SKIP, Journal
from tests.support.catalog import instance
from tests.support.keys import A, session

# As the first form made them.
TABLES = """
CREATE TABLE IF NOT EXISTS instance (
    service TEXT NOT NULL, node TEXT NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (service, node, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS node (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""
KEYS = """
CREATE TABLE IF NOT EXISTS kv (key TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS session (id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
"""
ENTRY = Entry(key="é/\0", value=b"\0", modify_index=7, create_index=5)


def _old_file(directory: Path, *, keys: bool, clean: int = 1) -> Path:
    path = directory / "catalog.sqlite3"
    database = sqlite3.connect(path)
    database.executescript("PRAGMA journal_mode=WAL;" + TABLES + (KEYS if keys else ""))
    web = instance()
    with database:
        database.execute(
            "INSERT INTO instance VALUES (?, ?, ?, ?)", (web.service, web.node, web.id, encode(web))
        )
        database.execute(
            "INSERT INTO node VALUES ('n', ?)", (encode(Node(name="n", address="192.0.2.1")),)
        )
        database.execute("INSERT INTO state VALUES ('index', 9), ('clean', ?)", (clean,))
        if keys:
            database.execute("INSERT INTO state VALUES ('kv', 8), ('session', 6)")
            database.execute("INSERT INTO kv VALUES (?, ?)", (ENTRY.key, pack(ENTRY)))
            database.execute("INSERT INTO session VALUES (?, ?)", (A, pack(session(A, 6))))
    database.close()
    return path


@pytest.mark.parametrize("clean", [0, 1])
def test_everything_in_an_old_file_is_taken_over(tmp_path: Path, clean: int) -> None:
    _old_file(tmp_path, keys=True, clean=clean)
    for index in (9 + (0 if clean else SKIP), 9 + (0 if clean else SKIP)):
        journal = Journal(tmp_path)
        snapshot, state = journal.load()
        assert snapshot.index == index
        assert snapshot.services["web"] == (instance(),)
        assert set(snapshot.nodes) == {"n"}
        assert state.kv.list().entries == (ENTRY,)
        assert (state.kv.index, state.sessions.index) == (8, 6)
        assert state.sessions.list() == (session(A, 6),)
        journal.close(index, clean=True)


def test_a_file_from_before_there_were_keys_is_taken_over(tmp_path: Path) -> None:
    _old_file(tmp_path, keys=False)
    journal = Journal(tmp_path)
    snapshot, state = journal.load()
    assert set(snapshot.services) == {"web"}
    assert len(state.kv) == 0
    journal.close(9, clean=True)


def test_an_old_file_with_a_table_of_another_is_refused(tmp_path: Path) -> None:
    path = _old_file(tmp_path, keys=True)
    database = sqlite3.connect(path)
    with database:
        database.execute("CREATE TABLE other (x)")
    database.close()
    with pytest.raises(StoreCorrupt, match="not those of a state file"):
        Journal(tmp_path)


def test_an_old_row_that_does_not_decode_is_damage(tmp_path: Path) -> None:
    path = _old_file(tmp_path, keys=True)
    database = sqlite3.connect(path)
    with database:
        database.execute("UPDATE kv SET body = X'00'")
    database.close()
    with pytest.raises(StoreCorrupt):
        Journal(tmp_path).load()
