import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from sidecar.catalog import Check, Node, PutNode, Status, apply
from sidecar.catalog.draft import Draft
from sidecar.catalog.kv import Entry, Removed
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import EMPTY
from sidecar.catalog.sessions import Moment, Session
from sidecar.errors import ApiError, StoreConflict, StoreCorrupt, StoreUnavailable
from sidecar.runtime.clock import FakeClock
from sidecar.stores.codec import checksum
from sidecar.stores.embedded import EmbeddedStore
from sidecar.stores.journal import SKIP
from sidecar.stores.keyvalue import EmbeddedKeyValue
from tests.support.catalog import instance, puts
from tests.support.keys import A, B, session

if TYPE_CHECKING:
    from sidecar.stores.base import KeyValue


def _store(clock: FakeClock | None = None, journal: Any = None) -> EmbeddedKeyValue:
    return EmbeddedKeyValue(Catalog(), clock or FakeClock(), journal)


async def _add(store: EmbeddedKeyValue, *sessions: Session) -> None:
    for each in sessions:
        await store.submit(lambda draft, _, each=each: draft.add(each))  # type: ignore[misc]


async def _lock(store: EmbeddedKeyValue, key: str, holder: str) -> bool:
    return await store.submit(lambda draft, at: draft.acquire(key, b"", 0, holder, at))


class Disk:
    """A journal in memory that can be slow or full."""

    def __init__(self) -> None:
        self.full = False
        self.batches: list[dict[str, Entry | Removed]] = []
        self.started = threading.Event()
        self.go = threading.Event()
        self.go.set()

    def write_keys(
        self,
        entries: Mapping[str, Entry | Removed],
        sessions: Mapping[str, Session | Removed],
        index: int,
    ) -> None:
        self.started.set()
        self.go.wait(5)
        if self.full:
            raise StoreUnavailable("disk full")
        self.batches.append(dict(entries))


async def test_it_is_a_key_value_store() -> None:
    store: KeyValue = _store()
    await store.put("p/a", b"1", flags=3)
    await store.put("p/b", b"2", cas=0)
    with pytest.raises(StoreConflict, match="p/b"):
        await store.put("p/b", b"3", cas=0)
    entry = await store.get("p/b")
    assert entry is not None
    await store.put("p/b", b"3", cas=entry.modify_index)
    await store.delete("p/a")
    listing = await store.list("p/")
    assert [(e.key, e.value) for e in listing.entries] == [("p/b", b"3")]


async def test_a_watch_yields_the_present_then_the_newest() -> None:
    store = _store()
    watch = store.watch("p/")
    async with asyncio.timeout(5):
        assert (await anext(watch)).entries == ()
        follow = asyncio.get_running_loop().create_future()

        async def read() -> None:
            follow.set_result(await anext(watch))

        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            await asyncio.sleep(0)
            await store.put("q", b"")
            await store.put("p/a", b"1")
        listing = follow.result()
        assert [entry.key for entry in listing.entries] in (["p/a"], [])


async def test_a_change_wakes_whom_it_concerns_and_nobody_else() -> None:
    store = _store()
    for key in ("a", "p/a", "p/b", "other"):
        await store.put(key, b"1")
    waits: dict[str, Callable[[], Awaitable[None]]] = {
        "key": lambda: store.key_changed("p/a"),
        "sibling": lambda: store.key_changed("p/b"),
        "absent": lambda: store.key_changed("x"),
        "prefix": lambda: store.prefix_changed("p/"),
        "other prefix": lambda: store.prefix_changed("a"),
        "absent prefix": lambda: store.prefix_changed("x/"),
        "everything": lambda: store.prefix_changed(""),
        "sessions": store.sessions_changed,
    }
    woken: set[str] = set()

    async def wait(name: str) -> None:
        await waits[name]()
        woken.add(name)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(wait(name)) for name in waits]
        await asyncio.sleep(0)
        await store.put("p/a", b"2")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert woken == {"key", "prefix", "absent", "absent prefix", "everything"}
        for task in tasks:
            task.cancel()
    assert not store._watchers._keys
    assert not store._watchers._prefixes


async def test_operations_of_one_turn_share_a_commit_and_see_each_other() -> None:
    disk = Disk()
    store = _store(journal=disk)
    async with asyncio.TaskGroup() as group:
        puts_ = [group.create_task(store.put(f"k{n}", b"", cas=0)) for n in range(50)]
        again = group.create_task(_outcome(store.put("k7", b"x", cas=0)))
    assert all(task.exception() is None for task in puts_)
    assert isinstance(again.result(), StoreConflict)
    assert [len(batch) for batch in disk.batches] == [50]
    indexes = [e.modify_index for e in store.kv.list().entries]
    assert len(set(indexes)) == 50


async def _outcome(work: Awaitable[object]) -> Exception | None:
    try:
        await work
    except Exception as error:  # noqa: BLE001
        return error
    return None


async def test_nothing_is_visible_before_it_is_written() -> None:
    disk = Disk()
    disk.go.clear()
    store = _store(journal=disk)
    async with asyncio.TaskGroup() as group:
        write = group.create_task(store.put("k", b"1"))
        await asyncio.to_thread(disk.started.wait, 5)
        later = group.create_task(_outcome(store.put("k", b"2", cas=0)))
        await asyncio.sleep(0)
        assert store.kv.get("k") is None
        assert not write.done()
        disk.go.set()
        await write
        assert store.kv.get("k") is not None
    assert isinstance(later.result(), StoreConflict), "it saw the first"


async def test_a_full_disk_changes_nothing_and_reads_go_on() -> None:
    disk = Disk()
    store = _store(journal=disk)
    await store.put("k", b"1")
    index = store.kv.index
    disk.full = True
    async with asyncio.TaskGroup() as group:
        failures = [
            group.create_task(_outcome(work))
            for work in (store.put("k", b"2"), store.delete("k"), _add(store, session(A)))
        ]
    assert all(isinstance(task.result(), StoreUnavailable) for task in failures)
    assert store.trouble() == "disk full"
    entry = await store.get("k")
    assert entry is not None
    assert (entry.value, store.kv.index, store.sessions.list()) == (b"1", index, ())
    assert await _outcome(store.delete("absent")) is None, "nothing to write"
    disk.full = False
    await store.put("k", b"3")
    assert store.trouble() is None


async def test_a_caller_that_goes_away_does_not_disturb_the_others() -> None:
    disk = Disk()
    disk.go.clear()
    store = _store(journal=disk)
    async with asyncio.TaskGroup() as group:
        gone = group.create_task(store.put("gone", b""))
        stays = group.create_task(store.put("stays", b""))
        await asyncio.to_thread(disk.started.wait, 5)
        early = group.create_task(store.put("early", b""))
        await asyncio.sleep(0)
        gone.cancel()
        early.cancel()
        await asyncio.sleep(0)
        disk.go.set()
        await stays
    assert store.kv.keys() == ["gone", "stays"], "written is written; what had not begun is not"


async def test_an_operation_that_fails_harms_no_other() -> None:
    store = _store()

    def bug(draft: Draft, at: Moment) -> None:
        raise ZeroDivisionError

    async with asyncio.TaskGroup() as group:
        refused = group.create_task(_outcome(_lock(store, "k", A)))
        broken = group.create_task(_outcome(store.submit(bug)))
        group.create_task(store.put("k", b""))
    assert isinstance(refused.result(), ApiError)
    assert isinstance(broken.result(), ZeroDivisionError)
    assert store.kv.keys() == ["k"]


async def test_close_waits_for_writes_and_takes_no_more() -> None:
    disk = Disk()
    disk.go.clear()
    store = _store(journal=disk)
    async with asyncio.TaskGroup() as group:
        write = group.create_task(store.put("k", b""))
        await asyncio.to_thread(disk.started.wait, 5)
        closing = group.create_task(store.close())
        await asyncio.sleep(0)
        assert not closing.done()
        disk.go.set()
        await closing
        await write
    with pytest.raises(StoreUnavailable, match="closing"):
        await store.put("k", b"2")


class Timer:
    """A store whose TTLs run on a clock turned by hand."""

    def __init__(self, journal: Any = None) -> None:
        self.clock = FakeClock()
        self.store = _store(self.clock, journal)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        group = await self._stack.enter_async_context(asyncio.TaskGroup())
        ready = asyncio.Event()
        task = group.create_task(self.store.run(ready.set))
        self._stack.callback(task.cancel)
        await ready.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()


async def test_a_session_ends_between_twice_its_ttl_and_a_second_later() -> None:
    async with Timer() as timer:
        await _add(timer.store, session(A, ttl="10s", lifetime=10.0), session(B))
        assert await _lock(timer.store, "k", A)
        await timer.clock.advance(19.5)
        assert timer.store.sessions.get(A) is not None
        await timer.store.submit(lambda draft, _: draft.renew(A))
        await timer.clock.advance(19.0)
        assert timer.store.sessions.get(A) is not None
        await timer.clock.advance(2.0)
        assert [each.id for each in timer.store.sessions.list()] == [B]
        entry = timer.store.kv.get("k")
        assert entry is not None
        assert entry.session == ""
        assert not await _lock(timer.store, "k", B), "lock delay"
        await timer.clock.advance(15.0)
        assert await _lock(timer.store, "k", B)


async def test_a_pause_of_this_process_ends_no_session() -> None:
    async with Timer() as timer:
        await _add(timer.store, session(A, ttl="10s", lifetime=10.0))
        await timer.clock.advance(5.0)
        timer.clock._now += 3600.0  # stopped: time went on, nothing of ours ran
        await timer.clock.advance(1.0)
        assert timer.store.sessions.get(A) is not None
        await timer.clock.advance(10.0)
        assert timer.store.sessions.get(A) is not None
        await timer.clock.advance(5.0)
        assert timer.store.sessions.get(A) is None


async def test_a_jump_of_the_wall_clock_ends_no_session() -> None:
    async with Timer() as timer:
        await _add(timer.store, session(A, ttl="10s", lifetime=10.0))
        timer.clock._wall += 86_400.0
        await timer.clock.advance(5.0)
        timer.clock._wall -= 2 * 86_400.0
        await timer.clock.advance(5.0)
        assert timer.store.sessions.get(A) is not None


async def test_a_session_that_cannot_end_on_a_full_disk_ends_later() -> None:
    disk = Disk()
    async with Timer(disk) as timer:
        await _add(timer.store, session(A, ttl="10s", lifetime=10.0))
        disk.full = True
        await timer.clock.advance(25.0)
        async with asyncio.timeout(5):
            while timer.store.trouble() is None:
                await asyncio.sleep(0.01)
        assert timer.store.sessions.get(A) is not None
        disk.full = False
        async with asyncio.timeout(5):
            while timer.store.sessions.get(A) is not None:
                await timer.clock.advance(1.0)
                await asyncio.sleep(0.01)


async def test_a_renewal_of_the_same_turn_saves_a_session() -> None:
    clock = FakeClock()
    store = _store(clock)
    await _add(store, session(A, ttl="10s", lifetime=10.0))
    for _ in range(21):
        await clock.advance(1.0)
        store._moment(0)
    async with asyncio.TaskGroup() as group:
        group.create_task(store.submit(lambda draft, _: draft.renew(A)))
        group.create_task(store.submit(store._expire))
    assert store.sessions.get(A) is not None


def _node(status: Status) -> Node:
    check = Check(id="serfHealth", name="Serf Health Status", status=status)
    return Node(name="node-1", address="192.0.2.7", checks=(check,))


async def test_a_failed_check_ends_the_sessions_that_depend_on_it() -> None:
    store = _store()
    await _add(store, session(A), session(B, checks=()))
    well = apply(EMPTY, [PutNode(_node(Status.PASSING))])
    await store.follow(well, apply(well, [PutNode(_node(Status.CRITICAL))]))
    assert [each.id for each in store.sessions.list()] == [B]


async def test_a_commit_ends_the_sessions_of_the_checks_it_fails() -> None:
    store = EmbeddedStore(Catalog(), clock=FakeClock())
    await _add(store.kv, replace(session(A), checks=("c",)), session(B, checks=()))
    for status in (Status.PASSING, Status.WARNING):
        checks = (Check(id="c", name="c", status=status),)
        await store.commit(puts(instance(checks=checks)))
    assert [each.id for each in store.kv.sessions.list()] == [A, B]
    await store.commit(puts(instance(checks=(Check(id="c", name="c"),))))
    assert [each.id for each in store.kv.sessions.list()] == [B]


async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(str(tmp_path), FakeClock())
    await store.kv.put("é/\0", b"\0\xff", flags=2**64 - 1)
    await store.kv.put("gone", b"")
    await store.kv.delete("gone")
    await _add(store.kv, session(A, 3, ttl="10s", lifetime=10.0))
    await _lock(store.kv, "locked", A)
    await store.commit(puts(instance()))
    before = store.kv
    await store.close()
    again = await EmbeddedStore.open(str(tmp_path), FakeClock())
    assert again.kv.kv.list().entries == before.kv.list().entries
    assert again.kv.sessions.list() == before.sessions.list()
    assert (again.kv.kv.index, again.kv.sessions.index) == (before.kv.index, before.sessions.index)
    assert again.kv.kv.held(A) == {"locked"}
    await again.kv.put("new", b"")
    assert again.kv.kv.index_of("new") == store.catalog.index + 1
    await again.close()


async def test_indexes_skip_after_an_unclean_end_even_if_only_keys_were_written(
    tmp_path: Path,
) -> None:
    store = await EmbeddedStore.open(str(tmp_path))
    await store.commit(puts(instance()))
    await store.kv.put("k", b"")
    assert store._journal is not None
    store._journal._database.close()  # as kill -9 leaves it
    again = await EmbeddedStore.open(str(tmp_path))
    await again.kv.put("k2", b"")
    assert again.kv.kv.index_of("k") == 2
    assert again.kv.kv.index_of("k2") == 2 + SKIP + 1
    await again.close()


async def test_an_entry_that_is_no_key_counts_as_damage(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(str(tmp_path))
    await store.close()
    database = sqlite3.connect(tmp_path / "catalog.sqlite3")
    with database:
        database.execute("INSERT INTO kv VALUES ('k', ?, ?)", (b"\0", checksum(b"\0")))
    database.close()
    with pytest.raises(StoreCorrupt):
        await EmbeddedStore.open(str(tmp_path))


async def test_a_read_only_database_refuses_keys(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(str(tmp_path))
    assert store._journal is not None
    store._journal._database.execute("PRAGMA query_only=1")
    with pytest.raises(StoreUnavailable, match="cannot write"):
        await store.kv.put("k", b"")
    assert store.trouble() is not None
    assert store.kv.kv.keys() == []
    await store.close()
