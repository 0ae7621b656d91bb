"""Consul's keys as a KeyValue store."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

import sidecar.metrics  # noqa: F401 - its import reads /proc, which no loop should wait for
from deploy.tools.consul import Consul
from sidecar.errors import StoreConflict, StoreDenied, StoreUnavailable
from sidecar.runtime.clock import SystemClock
from sidecar.stores.base import KeyValue
from sidecar.stores.consul.keyvalue import ConsulKeyValue
from sidecar.stores.opening import open_keyvalue
from tests.integration.stores.consul.agents import url
from tests.support.pace import allowed

if TYPE_CHECKING:
    from sidecar.catalog.kv import Listing


@pytest.fixture
async def keys(consul: Consul) -> AsyncIterator[KeyValue]:
    opened = open_keyvalue(url(consul), clock=SystemClock(), environ={})
    yield opened
    assert isinstance(opened, ConsulKeyValue)
    await opened.close()


async def test_values_are_kept_whatever_they_are(keys: KeyValue) -> None:
    for key, value in (("a/b", b""), ("a/ö %?#", bytes(range(256))), ("a/c:d", b"x" * 500_000)):
        await keys.put(key, value, flags=2**64 - 1)
        entry = await keys.get(key)
        assert entry is not None
        assert (entry.key, entry.value, entry.flags) == (key, value, 2**64 - 1)
    assert await keys.get("a/none") is None
    assert [entry.key for entry in (await keys.list("a/")).entries] == ["a/b", "a/c:d", "a/ö %?#"]
    assert (await keys.list("none/")).entries == ()


async def test_a_comparison_that_is_lost_is_a_conflict(keys: KeyValue) -> None:
    await keys.put("lock", b"1", cas=0)
    with pytest.raises(StoreConflict):
        await keys.put("lock", b"2", cas=0)
    entry = await keys.get("lock")
    assert entry is not None
    await keys.put("lock", b"2", cas=entry.modify_index)
    with pytest.raises(StoreConflict):
        await keys.put("lock", b"3", cas=entry.modify_index)
    await keys.delete("lock")
    await keys.delete("lock")
    assert await keys.get("lock") is None


async def test_a_watch_yields_the_present_then_what_changes(keys: KeyValue, consul: Consul) -> None:
    await keys.put("w/a", b"1")
    seen: asyncio.Queue[Listing] = asyncio.Queue()

    async def watch() -> None:
        async for listing in keys.watch("w/"):
            seen.put_nowait(listing)

    async def shows(**values: bytes) -> None:
        async with asyncio.timeout(allowed(5)):
            while True:
                listing = await seen.get()
                if {e.key.removeprefix("w/"): e.value for e in listing.entries} == values:
                    return

    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watch())
        await shows(a=b"1")
        await keys.put("other", b"1")
        await keys.put("w/b", b"2")
        await shows(a=b"1", b=b"2")
        await keys.delete("w/a")
        await shows(b=b"2")
        await asyncio.to_thread(consul.kill)
        await asyncio.sleep(0.3)
        with pytest.raises(StoreUnavailable):
            await keys.get("w/b")
        await asyncio.to_thread(consul.start)  # a development agent has forgotten everything
        await shows()
        await keys.put("w/c", b"3")
        await shows(c=b"3")
        watching.cancel()


async def test_a_watch_after_an_index_waits_for_another(keys: KeyValue) -> None:
    await keys.put("w/a", b"1")
    known = await keys.list("w/")
    watching = aiter(keys.watch("w/", known.index))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await anext(watching)
    await keys.put("w/a", b"2")
    async for listing in keys.watch("w/", known.index):
        assert [entry.value for entry in listing.entries] == [b"2"]
        break


async def test_a_key_with_an_empty_part_is_refused(keys: KeyValue) -> None:
    """Consul cleans such a path: it would be another key."""
    with pytest.raises(StoreDenied, match="301"):
        await keys.put("a//b", b"1")
