"""--recover: what was damaged is kept, what is whole goes on, and no index goes back (F9)."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sidecar.errors import StoreCorrupt, StoreDenied, StoreUnavailable
from sidecar.runtime.clock import FakeClock
from sidecar.stores.codec import Progress
from sidecar.stores.embedded import EmbeddedStore
from sidecar.stores.journal import FILE, GOOD, MARK, SKIP, Journal
from sidecar.stores.statefile import close_untouched, put_progress
from tests.support.catalog import instance, puts
from tests.support.history import answer
from tests.support.keys import A, session
from tests.support.pace import allowed
from tests.support.pinnace import Pinnace, until

WAL = FILE + "-wal"


@asynccontextmanager
async def _store(directory: Path, *, recover: bool = False) -> AsyncIterator[EmbeddedStore]:
    """Open a store; it ends as by kill -9."""
    store = await EmbeddedStore.open(str(directory), FakeClock(), recover=recover)
    try:
        yield store
    finally:
        assert store._journal is not None
        await asyncio.to_thread(_killed, store, directory)


def _killed(store: EmbeddedStore, directory: Path) -> None:
    """Let go of the file without the clean-up that SQLite makes on closing."""
    assert store._journal is not None
    close_untouched(store._journal._database, directory / FILE)
    store._journal._mark.close()


def _files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


async def _closed_store(directory: Path) -> int:
    """Leave one instance, two keys and a session; return the last index."""
    store = await EmbeddedStore.open(str(directory), FakeClock())
    await store.commit(puts(instance()))
    await store.kv.put("a", b"1")
    await store.kv.put("b", b"2")
    await store.kv.submit(lambda draft, at: draft.add(session(A, at.index)))
    await store.close()
    return store.catalog.index


def _break(path: Path) -> bytes:
    data = path.read_bytes()
    broken = data[:100] + b"\xff" * 400 + data[500:]
    path.write_bytes(broken)
    return broken


async def test_the_copy_of_a_clean_end_holds_everything(tmp_path: Path) -> None:
    last = await _closed_store(tmp_path)
    broken = _break(tmp_path / FILE)
    with pytest.raises(StoreCorrupt, match=r"is damaged.*--recover starts from its last good copy"):
        await EmbeddedStore.open(str(tmp_path))
    assert (tmp_path / FILE).read_bytes() == broken, "without --recover nothing is touched"
    async with _store(tmp_path, recover=True) as store:
        assert store.kv.kv.keys() == ["a", "b"]
        assert [each.id for each in store.kv.sessions.list()] == [A]
        assert set(store.catalog.snapshot.services) == {"web"}
        assert store.catalog.index == last + SKIP
        await store.kv.put("c", b"3")
        assert store.kv.kv.index > last + SKIP
    assert (tmp_path / f"{FILE}.broken-1").read_bytes() == broken
    async with _store(tmp_path) as store:
        assert store.kv.kv.keys() == ["a", "b", "c"]


async def test_each_damaged_file_is_kept_under_its_own_number(tmp_path: Path) -> None:
    await _closed_store(tmp_path)
    for number in (1, 2, 3):
        _break(tmp_path / FILE)
        async with _store(tmp_path, recover=True) as store:
            assert store.kv.kv.keys() == ["a", "b"]
        assert (tmp_path / f"{FILE}.broken-{number}").exists()


async def test_a_whole_file_is_not_replaced_by_its_copy(tmp_path: Path) -> None:
    await _closed_store(tmp_path)
    async with _store(tmp_path) as store:
        await store.kv.put("c", b"3")
    async with _store(tmp_path, recover=True) as store:
        assert store.kv.kv.keys() == ["a", "b", "c"]
    assert not list(tmp_path.glob("*broken*"))


async def test_without_a_copy_it_starts_empty_only_when_asked_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    last = await _closed_store(tmp_path)
    (tmp_path / GOOD).unlink()
    _break(tmp_path / FILE)
    with pytest.raises(StoreCorrupt, match="--recover starts from nothing, as it has no copy"):
        await EmbeddedStore.open(str(tmp_path))
    async with _store(tmp_path, recover=True) as store:
        assert len(store.kv.kv) == 0
        assert store.catalog.index == last + SKIP, "the mark knows the index"
    assert "started empty" in caplog.text


async def test_a_damaged_copy_is_kept_too(tmp_path: Path) -> None:
    await _closed_store(tmp_path)
    broken = _break(tmp_path / FILE), _break(tmp_path / GOOD)
    async with _store(tmp_path, recover=True) as store:
        assert len(store.kv.kv) == 0
    assert (tmp_path / f"{FILE}.broken-1").read_bytes() == broken[0]
    assert (tmp_path / f"{GOOD}.broken-1").read_bytes() == broken[1]


@pytest.mark.parametrize("trace", [GOOD, MARK])
@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(b"")])
async def test_a_file_that_is_gone_or_empty_is_not_taken_for_a_new_one(
    tmp_path: Path, trace: str, harm: Callable[[Path], object]
) -> None:
    await _closed_store(tmp_path)
    (tmp_path / ({GOOD, MARK} - {trace}).pop()).unlink()
    harm(tmp_path / FILE)
    with pytest.raises(StoreCorrupt, match=f"missing or empty, but {trace} is there"):
        await EmbeddedStore.open(str(tmp_path))
    async with _store(tmp_path, recover=True) as store:
        assert store.kv.kv.keys() == (["a", "b"] if trace == GOOD else [])


async def test_a_directory_without_traces_is_new(tmp_path: Path) -> None:
    (tmp_path / FILE).touch()  # as a kill in the first millisecond leaves it
    async with _store(tmp_path) as store:
        assert len(store.kv.kv) == 0


async def test_a_log_that_lost_its_end_is_noticed_and_what_it_has_is_kept(tmp_path: Path) -> None:
    await _closed_store(tmp_path)
    async with _store(tmp_path) as store:
        await store.kv.put("c", b"3")
        size = await asyncio.to_thread(lambda: (tmp_path / WAL).stat().st_size)
        await store.kv.put("d", b"4")
        last = store.catalog.index
    with (tmp_path / WAL).open("rb+") as file:
        file.truncate(size + 10)
    before = await asyncio.to_thread(_files, tmp_path)
    with pytest.raises(StoreCorrupt, match="1 acknowledged commits are missing at its end"):
        await EmbeddedStore.open(str(tmp_path))
    assert await asyncio.to_thread(_files, tmp_path) == before, "nothing is touched"
    async with _store(tmp_path, recover=True) as store:
        assert store.kv.kv.keys() == ["a", "b", "c"], "newer than the copy"
        assert store.catalog.index >= last + SKIP
    after = await asyncio.to_thread(_files, tmp_path)
    assert after[f"{FILE}.broken-1"] == before[FILE]
    assert after[f"{FILE}.broken-1-wal"] == before[WAL]


async def test_a_file_in_use_is_not_recovered(tmp_path: Path) -> None:
    async with _store(tmp_path) as store:
        await store.kv.put("a", b"1")
        with pytest.raises(StoreDenied, match="in use"):
            await EmbeddedStore.open(str(tmp_path), recover=True)
        await store.kv.put("b", b"1")
    assert not list(tmp_path.glob("*broken*"))


async def test_a_recovery_that_ended_half_way_goes_on(tmp_path: Path) -> None:
    await _closed_store(tmp_path)
    (tmp_path / FILE).rename(tmp_path / f"{FILE}.broken-1")
    (tmp_path / f"{FILE}.recovered").write_bytes(b"half")
    with pytest.raises(StoreCorrupt, match="missing"):
        await EmbeddedStore.open(str(tmp_path))
    async with _store(tmp_path, recover=True) as store:
        assert store.kv.kv.keys() == ["a", "b"]


async def test_a_recovery_that_the_disk_refuses_touches_nothing(tmp_path: Path) -> None:
    await _closed_store(tmp_path)
    _break(tmp_path / FILE)
    (tmp_path / f"{FILE}.recovered.new").mkdir()  # where the new file would be written
    with pytest.raises(StoreUnavailable, match="cannot recover"):
        await EmbeddedStore.open(str(tmp_path), recover=True)
    (tmp_path / f"{FILE}.recovered.new").rmdir()
    async with _store(tmp_path, recover=True) as store:
        assert store.kv.kv.keys() == ["a", "b"]


async def test_a_row_under_the_key_of_another_is_damage(tmp_path: Path) -> None:
    await _closed_store(tmp_path)
    with sqlite3.connect(tmp_path / FILE) as database:
        database.execute("UPDATE kv SET key = 'c' WHERE key = 'b'")
    database.close()
    with pytest.raises(StoreCorrupt, match="a row of kv has the key of another"):
        await EmbeddedStore.open(str(tmp_path))


async def test_an_older_file_put_back_is_taken_with_its_lower_index(tmp_path: Path) -> None:
    first = await _closed_store(tmp_path)
    older = (tmp_path / FILE).read_bytes()
    async with _store(tmp_path) as store:
        for number in range(50):
            await store.kv.put("a", str(number).encode())
    for name in (FILE, WAL):
        (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / FILE).write_bytes(older)
    async with _store(tmp_path) as store:
        assert store.catalog.index == first
        entry = await store.kv.get("a")
        assert entry is not None
        assert entry.value == b"1"


async def test_the_log_of_another_file_is_noticed(tmp_path: Path) -> None:
    await _closed_store(tmp_path)
    older = (tmp_path / FILE).read_bytes()
    async with _store(tmp_path) as store:
        await store.kv.put("c", b"3")
    (tmp_path / FILE).write_bytes(older)  # put back, and the log forgotten
    before = await asyncio.to_thread(_files, tmp_path)
    with pytest.raises(StoreCorrupt, match=r"catalog\.sqlite3-wal is the log of another file"):
        await EmbeddedStore.open(str(tmp_path))
    assert await asyncio.to_thread(_files, tmp_path) == before, "nothing is touched"
    (tmp_path / WAL).unlink()
    async with _store(tmp_path) as store:
        assert store.kv.kv.keys() == ["a", "b"]


def _log_of_a_run_just_begun(directory: Path) -> bytes:
    journal = Journal(directory)
    with journal._database:
        put_progress(journal._database, Progress(index=9, run="begun", clean=False))
    data = (directory / WAL).read_bytes()
    journal._database.close()
    return data


async def test_a_kill_before_a_run_is_in_the_file_is_no_damage(tmp_path: Path) -> None:
    await _closed_store(tmp_path)
    before = (tmp_path / FILE).read_bytes()
    log = await asyncio.to_thread(_log_of_a_run_just_begun, tmp_path)
    (tmp_path / FILE).write_bytes(before)
    (tmp_path / WAL).write_bytes(log)
    async with _store(tmp_path) as store:
        assert store.kv.kv.keys() == ["a", "b"]
        assert store.catalog.index == 9 + SKIP


# --- while it runs -----------------------------------------------------------------------------


@asynccontextmanager
async def _running(directory: Path) -> AsyncIterator[tuple[EmbeddedStore, FakeClock]]:
    clock = FakeClock()
    store = await EmbeddedStore.open(str(directory), clock)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(part.run(lambda: None)) for part in store.components]
        yield store, clock
        for task in tasks:
            task.cancel()
    await store.close()


def _keys_of_copy(directory: Path) -> int:
    with sqlite3.connect(f"file:{directory / GOOD}?mode=ro", uri=True) as database:
        found: int = database.execute("SELECT count(*) FROM kv").fetchone()[0]
    database.close()
    return found


async def _copied(directory: Path, keys: int) -> None:
    async with asyncio.timeout(allowed(5)):
        while not await asyncio.to_thread((directory / GOOD).exists):
            await asyncio.sleep(0.01)
        while await asyncio.to_thread(_keys_of_copy, directory) != keys:
            await asyncio.sleep(0.01)


async def test_a_copy_follows_the_first_change_and_then_at_most_each_minute(tmp_path: Path) -> None:
    async with _running(tmp_path) as (store, clock):
        await clock.advance(1.0)
        await _copied(tmp_path, 0)
        await clock.advance(60.0)
        await store.kv.put("a", b"1")
        await clock.advance(1.0)
        await _copied(tmp_path, 1)
        await store.kv.put("b", b"1")
        await clock.advance(50.0)
        assert await asyncio.to_thread(_keys_of_copy, tmp_path) == 1
        await clock.advance(11.0)
        await _copied(tmp_path, 2)


async def test_a_copy_that_fails_leaves_the_old_one_and_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await _closed_store(tmp_path)
    (tmp_path / f"{GOOD}.new").mkdir()
    async with _running(tmp_path) as (store, clock):
        for key in ("c", "d"):
            await store.kv.put(key, b"1")
            await clock.advance(61.0)
            await asyncio.sleep(0.1)
        assert store.trouble() is None, "the state itself is written"
        assert await asyncio.to_thread(_keys_of_copy, tmp_path) == 2
    assert caplog.text.count("no good copy") == 1


async def test_trouble_ends_by_itself_and_what_was_left_is_written(tmp_path: Path) -> None:
    async with _running(tmp_path) as (store, clock):
        assert store._journal is not None
        store._journal._database.execute("PRAGMA query_only=1")
        with pytest.raises(StoreUnavailable):
            await store.commit(puts(instance()))
        await clock.advance(3.0)
        await asyncio.sleep(0.05)
        assert store.trouble() is not None
        store._journal._database.execute("PRAGMA query_only=0")
        async with asyncio.timeout(allowed(5)):
            while store.trouble() is not None:
                await clock.advance(1.0)
                await asyncio.sleep(0.01)
        assert not store._unwritten
    async with _store(tmp_path) as again:
        assert set(again.catalog.snapshot.services) == {"web"}


async def test_a_copy_does_not_keep_writers_waiting(tmp_path: Path) -> None:
    async with _running(tmp_path) as (store, clock):
        journal = store._journal
        assert journal is not None
        started, go = threading.Event(), threading.Event()
        keep = journal.keep_copy

        def slow(content: object) -> None:
            started.set()
            go.wait(5)
            keep(content)  # type: ignore[arg-type]

        journal.keep_copy = slow  # type: ignore[method-assign]
        await clock.advance(1.0)
        await asyncio.to_thread(started.wait, 5)
        await asyncio.wait_for(store.kv.put("a", b"1"), 2)
        go.set()


# --- the program -------------------------------------------------------------------------------


def test_the_program_refuses_a_damaged_file_and_recovers_when_told(tmp_path: Path) -> None:
    with Pinnace("unix:///nowhere", wait=False, lb=False, state_dir=tmp_path) as pinnace:
        until(lambda: pinnace.get("/healthz")[0] == 200)
        assert answer(pinnace.http_port, "PUT", "/v1/kv/a", b"1")[0] == 200
        _, index, _ = answer(pinnace.http_port, "GET", "/v1/kv/a")
        until((tmp_path / GOOD).exists, limit=5)
        pinnace.kill()
        (tmp_path / WAL).unlink(missing_ok=True)
        _break(tmp_path / FILE)
        pinnace.start()
        assert pinnace.ended() == 65
        (line,) = [x for x in pinnace.log_text().splitlines() if not x.startswith("{")]
        assert f"{tmp_path / FILE} is damaged" in line
        assert "--recover" in line
        pinnace.command.append("--recover")
        pinnace.start()
        until(lambda: pinnace.get("/healthz")[0] == 200)
        assert answer(pinnace.http_port, "GET", "/v1/kv/a?raw") == (200, index, b"1")
        assert answer(pinnace.http_port, "GET", "/v1/kv/absent")[1] >= index
        assert answer(pinnace.http_port, "PUT", "/v1/kv/b", b"1")[0] == 200
        assert answer(pinnace.http_port, "GET", "/v1/kv/b")[1] > index + SKIP
        (entry,) = pinnace.log("state recovered")
        assert (entry["level"], entry["kept_as"]) == ("error", f"{FILE}.broken-1")
        assert pinnace.stop() == 0
