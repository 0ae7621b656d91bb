import asyncio
from collections.abc import AsyncIterator

import pytest
from kazoo.client import KazooClient

from sidecar.catalog.kv import Listing
from sidecar.errors import StoreConflict, StoreDenied, StoreUnavailable
from sidecar.runtime.clock import SystemClock
from sidecar.stores.base import KeyValue
from sidecar.stores.zookeeper.keyvalue import ZooKeeperKeyValue
from sidecar.stores.zookeeper.opening import open_keyvalue
from tests.integration.stores.conformance.zookeeper import ZooKeeperBackend
from tests.support.pace import allowed

pytestmark = pytest.mark.zookeeper
BASE = "/config/all"


@pytest.fixture
async def keys(zookeeper: ZooKeeperBackend) -> AsyncIterator[KeyValue]:
    """Give the keys below a base that does not exist yet."""
    url = f"zookeeper://{zookeeper.server.address}{BASE}"
    opened = open_keyvalue(url, clock=SystemClock(), environ={})
    yield opened
    assert isinstance(opened, ZooKeeperKeyValue)
    await opened.close()


async def _next(listings: AsyncIterator[Listing]) -> Listing:
    return await anext(listings)


async def content(keys: KeyValue, prefix: str = "") -> dict[str, bytes]:
    return {each.key: each.value for each in (await keys.list(prefix)).entries}


async def test_what_is_put_is_got_listed_and_deleted(keys: KeyValue) -> None:
    assert await keys.get("app/name") is None
    assert await content(keys) == {}
    await keys.put("app/name", b"web")
    await keys.put("app/empty", b"")
    await keys.put("apple", b"\x00\xff")
    found = await keys.get("app/name")
    assert found is not None
    assert (found.value, found.create_index) == (b"web", found.modify_index)
    assert await content(keys, "app/") == {"app/name": b"web", "app/empty": b""}
    assert await content(keys, "app") == {
        "app/name": b"web",
        "app/empty": b"",
        "apple": b"\x00\xff",
    }
    assert await content(keys, "app/n") == {"app/name": b"web"}
    assert list(await content(keys)) == sorted(await content(keys))
    await keys.delete("app/name")
    await keys.delete("app/name")
    assert await keys.get("app/name") is None
    assert await content(keys, "app") == {"app/empty": b"", "apple": b"\x00\xff"}


async def test_a_folder_is_no_key_and_goes_with_its_last(
    keys: KeyValue, zookeeper: ZooKeeperBackend
) -> None:
    def names(client: KazooClient) -> list[str]:
        return client.get_children(BASE)

    await keys.put("a/b/c", b"1")
    assert await keys.get("a") is None
    assert await content(keys) == {"a/b/c": b"1"}
    await keys.put("a", b"both")
    assert await content(keys) == {"a": b"both", "a/b/c": b"1"}
    await keys.delete("a")
    assert await content(keys) == {"a/b/c": b"1"}
    await keys.delete("a/b/c")
    assert await zookeeper.ask(names) == []


async def test_of_two_writers_by_index_one_loses(keys: KeyValue) -> None:
    await keys.put("leader", b"a", cas=0)
    with pytest.raises(StoreConflict):
        await keys.put("leader", b"b", cas=0)
    found = await keys.get("leader")
    assert found is not None
    results = await asyncio.gather(
        *(keys.put("leader", text, cas=found.modify_index) for text in (b"c", b"d")),
        return_exceptions=True,
    )
    assert [type(each) for each in results if each is not None] == [StoreConflict]
    with pytest.raises(StoreConflict):
        await keys.put("other", b"x", cas=7)


async def test_a_watch_gives_the_present_then_each_newer_listing(keys: KeyValue) -> None:
    async with asyncio.timeout(10):
        listings = keys.watch("app/")
        first = await anext(listings)
        assert first.entries == ()
        steps = [
            ("app/a", b"1", {"app/a": b"1"}),
            ("app/b/c", b"2", {"app/a": b"1", "app/b/c": b"2"}),
            ("app/a", b"3", {"app/a": b"3", "app/b/c": b"2"}),
            ("app/b/c", None, {"app/a": b"3"}),
            ("app/a", None, {}),
        ]
        index = first.index
        for key, value, expected in steps:
            await (keys.delete(key) if value is None else keys.put(key, value))
            listing = await anext(listings)
            while {each.key: each.value for each in listing.entries} != expected:
                listing = await anext(listings)
            assert listing.index > index or not expected
            index = listing.index


async def test_a_watch_from_the_present_index_waits(keys: KeyValue) -> None:
    await keys.put("app/a", b"1")
    listings = keys.watch("app/", (await keys.list("app/")).index)
    await keys.put("elsewhere", b"1")
    async with asyncio.timeout(allowed(5)):
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(_next(listings))
            await asyncio.sleep(0.3)
            assert not waiting.done()
            await keys.put("app/a", b"2")
        assert waiting.result().entries[0].value == b"2"


async def test_a_watch_lives_through_a_restart(keys: KeyValue, zookeeper: ZooKeeperBackend) -> None:
    await keys.put("app/a", b"1")
    listings = keys.watch("app/")
    assert (await anext(listings)).entries[0].value == b"1"
    await zookeeper.kill()
    with pytest.raises(StoreUnavailable):
        await keys.put("app/a", b"lost")
    await zookeeper.start()
    async with asyncio.timeout(10):
        while True:
            try:
                await keys.put("app/a", b"2")
                break
            except StoreUnavailable:
                await asyncio.sleep(0.1)
        assert (await anext(listings)).entries[0].value == b"2"


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "../b", "a/./b", "a\x00"])
async def test_a_key_that_is_no_path_is_refused(keys: KeyValue, key: str) -> None:
    with pytest.raises(StoreDenied):
        await keys.put(key, b"")
