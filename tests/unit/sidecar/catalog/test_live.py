import asyncio
from collections.abc import AsyncIterator

from sidecar.catalog import Snapshot
from sidecar.catalog.live import Catalog
from tests.support.catalog import instance, puts, snapshot


async def _next(watch: AsyncIterator[Snapshot]) -> Snapshot:
    async with asyncio.timeout(1):
        return await anext(watch)


async def test_watch_yields_the_present_snapshot_first() -> None:
    catalog = Catalog()
    assert (await _next(catalog.watch())).index == 0


async def test_slow_watcher_skips_to_newest() -> None:
    catalog = Catalog()
    watch = catalog.watch()
    await _next(watch)
    for number in range(5):
        catalog.commit(puts(instance(id_=f"i{number}")))
    assert (await _next(watch)).index == 5


async def test_watch_after_the_present_index_waits_for_the_next_commit() -> None:
    catalog = Catalog(snapshot(instance()))
    watch = catalog.watch(after=1)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_next(watch))
        await asyncio.sleep(0)
        assert not task.done()
        catalog.commit(puts(instance(id_="other")))
    assert task.result().index == 2


async def test_a_watcher_ahead_of_a_reset_store_starts_again_from_its_snapshot() -> None:
    catalog = Catalog(snapshot(instance()))
    assert (await _next(catalog.watch(after=99))).index == 1


async def test_a_commit_without_effect_wakes_nobody() -> None:
    catalog = Catalog(snapshot(instance()))
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(catalog.changed())
        await asyncio.sleep(0)
        catalog.commit(puts(instance()))
        await asyncio.sleep(0)
        assert not waiting.done()
        catalog.commit(puts(instance(port=1)))


async def test_becoming_synced_wakes_those_who_wait_once() -> None:
    catalog = Catalog()
    assert not catalog.synced
    async with asyncio.timeout(1), asyncio.TaskGroup() as group:
        group.create_task(catalog.changed())
        await asyncio.sleep(0)
        catalog.mark_synced()
        catalog.mark_synced()
    assert catalog.synced


async def test_a_cancelled_waiter_leaves_nothing_behind() -> None:
    catalog = Catalog()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(catalog.changed())
        await asyncio.sleep(0)
        task.cancel()
    catalog.commit(puts(instance()))
    assert not catalog._changed.has_waiters


def test_tables_beside_the_snapshot_draw_from_the_same_sequence_without_moving_it() -> None:
    catalog = Catalog()
    catalog.commit(puts(instance()))
    assert (catalog.next_index(), catalog.next_index()) == (2, 3)
    assert (catalog.snapshot.index, catalog.index) == (1, 3)
    catalog.commit(puts(instance(port=1)))
    assert catalog.snapshot.index == catalog.index == catalog.snapshot.modified["web"] == 4
