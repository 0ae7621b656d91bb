import asyncio
from collections.abc import Iterable, Sequence

import pytest

from registrar.writer import Writer
from sidecar.catalog import Change, Drop, Instance
from sidecar.catalog.model import EMPTY, InstanceId, Key, Snapshot
from sidecar.errors import StoreDenied, StoreUnavailable
from sidecar.runtime.clock import FakeClock

A, B = (Key("web", "vm", InstanceId(id_)) for id_ in "ab")


class SlowStore:
    """A registry whose commits wait to be let go, or fail."""

    def __init__(self) -> None:
        self.commits: list[tuple[Change, ...]] = []
        self.gate = asyncio.Event()
        self.errors: list[Exception] = []

    async def commit(self, changes: Sequence[Change]) -> None:
        self.commits.append(tuple(changes))
        if self.errors:
            raise self.errors.pop(0)
        await self.gate.wait()

    @property
    def snapshot(self) -> Snapshot:
        return EMPTY

    async def owned(self, owner: str) -> tuple[Instance, ...]:
        return ()

    def mark_synced(self) -> None:
        pass


def drops(keys: Iterable[Key]) -> tuple[Change, ...]:
    return tuple(Drop(key.service, key.id, key.node) for key in sorted(keys))


async def test_what_changes_during_a_commit_goes_with_the_next_one() -> None:
    store = SlowStore()
    writer = Writer(store, drops, FakeClock())
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        task = group.create_task(writer.run())
        writer.write([A])
        while not store.commits:
            await asyncio.sleep(0)
        writer.write([A])
        writer.write([A, B])
        store.gate.set()
        await writer.flushed()
        assert store.commits == [drops([A]), drops([A, B])]
        task.cancel()


async def test_an_outage_is_told_once_and_loses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    store, clock = SlowStore(), FakeClock()
    store.errors = [StoreUnavailable("down"), StoreDenied("no"), StoreUnavailable("down")]
    store.gate.set()
    writer = Writer(store, drops, clock)
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        task = group.create_task(writer.run())
        writer.write([A])
        await clock.advance(0)
        assert [writer.trouble] == ["store: down"]
        writer.write([B])
        await clock.advance(5)
        await writer.flushed()
        assert [writer.trouble] == [None]
        assert store.commits[-1] == drops([A, B])
        task.cancel()
    assert [record.levelname for record in caplog.records] == ["ERROR"]


async def test_nothing_to_write_is_no_commit_unless_the_store_owes_one() -> None:
    store, clock = SlowStore(), FakeClock()
    store.errors = [StoreUnavailable("down")]
    store.gate.set()
    plans = [drops([A])]
    writer = Writer(store, lambda _: plans.pop() if plans else (), clock)
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        task = group.create_task(writer.run())
        writer.write([])
        await clock.advance(5)
        await writer.flushed()
        assert store.commits == [drops([A]), ()]
        writer.write([])
        await writer.flushed()
        assert len(store.commits) == 2
        task.cancel()
