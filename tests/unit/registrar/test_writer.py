import asyncio
from collections.abc import Iterable, Sequence

import pytest

from registrar.plan import Key
from registrar.writer import Writer
from sidecar.catalog import Change, Drop, Instance, Node, PutNode
from sidecar.catalog.model import InstanceId
from sidecar.errors import StoreDenied, StoreUnavailable
from sidecar.runtime.clock import FakeClock

A, B = (Key("web", "vm", InstanceId(id_)) for id_ in "ab")
NODE = PutNode(Node(name="vm", address="192.0.2.7"))


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
        writer.write([A], (NODE,))
        while not store.commits:
            await asyncio.sleep(0)
        writer.write([A])
        writer.write([A, B])
        store.gate.set()
        await writer.flushed()
        assert store.commits == [(NODE, *drops([A])), drops([A, B])]
        task.cancel()


async def test_an_outage_is_told_once_and_loses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    store, clock = SlowStore(), FakeClock()
    store.errors = [StoreUnavailable("down"), StoreDenied("no"), StoreUnavailable("down")]
    store.gate.set()
    writer = Writer(store, drops, clock)
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        task = group.create_task(writer.run())
        writer.write([A], (NODE,))
        await clock.advance(0)
        assert [writer.trouble] == ["store: down"]
        writer.write([B])
        await clock.advance(5)
        await writer.flushed()
        assert [writer.trouble] == [None]
        assert store.commits[-1] == (NODE, *drops([A, B]))
        task.cancel()
    assert [record.levelname for record in caplog.records] == ["ERROR"]


async def test_nothing_to_write_is_no_commit() -> None:
    store = SlowStore()
    writer = Writer(store, drops, FakeClock())
    writer.write([])
    await writer.flushed()
    assert store.commits == []
