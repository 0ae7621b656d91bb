"""A damaged state file is told from a whole one, and the last good copy goes on from it (F9)."""

import asyncio
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sidecar.catalog import Node, Put, PutNode
from sidecar.errors import StoreCorrupt
from sidecar.runtime.clock import FakeClock
from sidecar.stores.embedded import EmbeddedStore
from sidecar.stores.journal import FILE, MARK
from sidecar.stores.recovery import opened
from tests.support.catalog import instance
from tests.support.keys import A, session

FLIPS = 200
SEED = 9
WAL = FILE + "-wal"
Content = dict[str, Any]


async def _fill(directory: Path, *, cleanly: bool) -> None:
    """Leave a state of some pages, grown in many commits."""
    store = await EmbeddedStore.open(str(directory), FakeClock())
    await store.commit([PutNode(Node(name="n", address="192.0.2.9", meta={"rack": "1"}))])
    for number in range(30):
        web = instance(id_=f"web-{number}", port=number, meta={"number": str(number)})
        await store.commit([Put(web)])
    await store.kv.submit(lambda draft, at: draft.add(session(A, at.index, ttl="10s", lifetime=10)))
    for number in range(150):
        await store.kv.put(f"key/{number:03}", bytes([number]) * (number * 7 % 400))
    await store.kv.put("large", random.Random(SEED).randbytes(20_000))
    assert store._journal is not None
    await asyncio.to_thread(_checkpoint, store._journal._database)
    for number in range(0, 150, 3):
        await store.kv.delete(f"key/{number:03}")
    if cleanly:
        await store.close()
    else:
        # A second connection would fold the log into the file: copy it as kill -9 leaves it.
        await asyncio.to_thread(_copy, directory, directory.with_name("killed"))
        await store.close()
        await asyncio.to_thread(shutil.rmtree, directory)
        await asyncio.to_thread(_copy, directory.with_name("killed"), directory)


def _checkpoint(database: sqlite3.Connection) -> None:
    database.execute("PRAGMA wal_checkpoint").fetchall()


def _copy(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)


def _content(directory: Path, *, may_recover: bool = False) -> Content:
    """Return what a start finds; the directory is as after kill -9 then."""
    journal, snapshot, state = opened(directory, may_recover=may_recover)
    journal._database.close()
    return {
        "instances": snapshot.services,
        "nodes": snapshot.nodes,
        "keys": state.kv.list().entries,
        "sessions": state.sessions.list(),
        "indexes": (snapshot.index, state.kv.index, state.sessions.index),
    }


def _refusal(directory: Path, expected: Content) -> str | None:
    """Return why a start refuses the file; else it must hold what is expected."""
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    try:
        found = _content(directory)
    except StoreCorrupt as error:
        assert {path.name: path.read_bytes() for path in directory.iterdir()} == before
        return str(error)
    assert found == expected
    return None


def _flipped(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= chance.randrange(1, 256)
    path.write_bytes(data)


def _truncated(path: Path, chance: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size)])


def _zeroed(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    start = chance.randrange(0, len(data), 512)
    data[start : start + 512] = bytes(len(data[start : start + 512]))
    path.write_bytes(data)


@pytest.mark.parametrize("harm", [_flipped, _truncated, _zeroed])
@pytest.mark.parametrize(
    ("name", "cleanly"),
    [(FILE, True), (FILE, False), (WAL, False), (MARK, True), (MARK, False)],
    ids=["file", "file-killed", "log-killed", "mark", "mark-killed"],
)
def test_damage_anywhere_is_noticed_or_harmless(
    tmp_path: Path, name: str, cleanly: bool, harm: Callable[[Path, random.Random], None]
) -> None:
    chance = random.Random(SEED)
    asyncio.run(_fill(tmp_path / "state", cleanly=cleanly))
    _copy(tmp_path / "state", tmp_path / "whole")
    expected = _content(tmp_path / "whole")
    assert len(expected["keys"]) == 101
    assert expected["sessions"]
    noticed = 0
    for number in range(FLIPS):
        _copy(tmp_path / "state", tmp_path / "harmed")
        harm(tmp_path / "harmed" / name, chance)
        refusal = _refusal(tmp_path / "harmed", expected)
        if refusal is not None:
            assert "--recover" in refusal, number
            assert "\n" not in refusal, number
            noticed += 1
    assert (noticed > 0) is (name != MARK), "what is marked is whole itself"
