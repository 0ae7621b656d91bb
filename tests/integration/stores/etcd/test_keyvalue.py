"""Keys over both APIs, as the templater and the scheduler use them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from deploy.tools.etcd import Etcd
from sidecar.catalog.kv import Listing
from sidecar.errors import StoreConflict, StoreDenied, StoreUnavailable
from sidecar.runtime.clock import SystemClock
from sidecar.stores.etcd.keyvalue import EtcdKeyValue
from sidecar.stores.etcd.opening import open_keyvalue
from tests.support.ports import free_port
from tests.support.relay import TcpRelay

pytestmark = pytest.mark.etcd
SCHEMES = ["etcd", "etcd2"]


def opened(port: int, scheme: str) -> EtcdKeyValue:
    return open_keyvalue(f"{scheme}://127.0.0.1:{port}", clock=SystemClock(), environ={})


@pytest.fixture(params=SCHEMES)
async def kv(server: Etcd, request: pytest.FixtureRequest) -> AsyncIterator[EtcdKeyValue]:
    keys = opened(server.port, request.param)
    yield keys
    await keys.close()


def shown(listing: Listing) -> dict[str, bytes]:
    return {each.key: each.value for each in listing.entries}


async def following_of(listings: AsyncIterator[Listing]) -> Listing:
    return await anext(listings)


async def test_what_is_put_is_got_until_it_is_deleted(kv: EtcdKeyValue) -> None:
    await kv.ping()
    assert await kv.get("/kv/a") is None
    await kv.put("/kv/a", "grün".encode())
    got = await kv.get("/kv/a")
    assert got is not None
    assert (got.key, got.value) == ("/kv/a", "grün".encode())
    await kv.put("/kv/a", b"")
    again = await kv.get("/kv/a")
    assert again is not None
    assert again.value == b""
    assert again.modify_index > got.modify_index
    await kv.delete("/kv/a")
    await kv.delete("/kv/a")
    assert await kv.get("/kv/a") is None


async def test_a_listing_holds_the_keys_that_begin_so_sorted(kv: EtcdKeyValue) -> None:
    for key in ("/kv/app/b", "/kv/app/a/x", "/kv/apple", "/kv/other"):
        await kv.put(key, key.encode())
    below = await kv.list("/kv/app/")
    assert list(shown(below)) == ["/kv/app/a/x", "/kv/app/b"]
    assert shown(below)["/kv/app/b"] == b"/kv/app/b"
    assert list(shown(await kv.list("/kv/app"))) == ["/kv/app/a/x", "/kv/app/b", "/kv/apple"]
    assert shown(await kv.list("/kv/none")) == {}
    assert below.index >= max(each.modify_index for each in below.entries)


async def test_a_compare_and_set_is_won_once(kv: EtcdKeyValue) -> None:
    await kv.put("/kv/lock", b"1", cas=0)
    with pytest.raises(StoreConflict):
        await kv.put("/kv/lock", b"2", cas=0)
    got = await kv.get("/kv/lock")
    assert got is not None
    await kv.put("/kv/lock", b"3", cas=got.modify_index)
    with pytest.raises(StoreConflict):
        await kv.put("/kv/lock", b"4", cas=got.modify_index)
    await kv.delete("/kv/lock")
    with pytest.raises(StoreConflict):
        await kv.put("/kv/lock", b"5", cas=got.modify_index)


async def test_a_watch_yields_the_present_then_each_newer_listing(kv: EtcdKeyValue) -> None:
    await kv.put("/kv/a", b"1")
    async with asyncio.timeout(10), aclosing(kv.watch("/kv/")) as listings:
        first = await anext(listings)
        assert shown(first) == {"/kv/a": b"1"}
        await kv.put("/kv/b", b"2")
        second = await anext(listings)
        assert shown(second) == {"/kv/a": b"1", "/kv/b": b"2"}
        await kv.put("/elsewhere", b"0")
        await kv.delete("/kv/a")
        third = await anext(listings)
        assert shown(third) == {"/kv/b": b"2"}
        assert first.index < second.index < third.index
    async with asyncio.timeout(10), aclosing(kv.watch("/kv/", after=-1)) as listings:
        assert shown(await anext(listings)) == {"/kv/b": b"2"}
    await kv.delete("/elsewhere")


async def test_a_watch_does_not_repeat_what_the_reader_has(kv: EtcdKeyValue) -> None:
    await kv.put("/kv/a", b"1")
    present = await kv.list("/kv/")
    async with asyncio.timeout(10), aclosing(kv.watch("/kv/", present.index)) as listings:
        async with asyncio.TaskGroup() as group:
            following = group.create_task(following_of(listings))
            await asyncio.sleep(0.3)
            assert not following.done()
            await kv.put("/kv/a", b"2")
        assert shown(following.result()) == {"/kv/a": b"2"}


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_watch_waits_while_the_store_is_away(server: Etcd, scheme: str) -> None:
    relay = TcpRelay(server.port)
    async with relay.running():
        behind, direct = opened(relay.port, scheme), opened(server.port, scheme)
        await direct.put("/kv/a", b"1")
        async with asyncio.timeout(10), aclosing(behind.watch("/kv/")) as listings:
            await anext(listings)
            relay.shut()
            await direct.put("/kv/a", b"2")
            await direct.put("/kv/a", b"3")
            async with asyncio.TaskGroup() as group:
                following = group.create_task(following_of(listings))
                await asyncio.sleep(0.3)
                await relay.open()
            assert shown(following.result()) == {"/kv/a": b"3"}
        await behind.close()
        await direct.close()


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_store_that_is_away_is_unavailable(scheme: str) -> None:
    keys = opened(free_port(), scheme)
    for act in (keys.get, keys.list, keys.delete):
        with pytest.raises(StoreUnavailable):
            await act("/kv/a")
    with pytest.raises(StoreUnavailable):
        await keys.put("/kv/a", b"1")
    await keys.close()


async def test_what_an_api_cannot_hold_is_refused(server: Etcd) -> None:
    new, old = opened(server.port, "etcd"), opened(server.port, "etcd2")
    await new.put("/kv/a", b"\xff\x00")
    got = await new.get("/kv/a")
    assert got is not None
    assert got.value == b"\xff\x00"
    with pytest.raises(StoreDenied):
        await old.put("/kv/a", b"\xff\x00")
    with pytest.raises(StoreDenied, match="too large"):
        await new.put("/kv/a", b"x" * 2_000_000)
    await new.close()
    await old.close()


async def test_a_directory_of_v2_is_no_key(server: Etcd) -> None:
    keys = opened(server.port, "etcd2")
    await keys.put("kv/folder/a", b"1")  # v2 knows no key without its slash
    assert await keys.get("/kv/folder") is None
    assert shown(await keys.list("kv/")) == {"kv/folder/a": b"1"}
    with pytest.raises(StoreDenied):
        await keys.put("/kv/folder", b"1")
    await keys.delete("/kv/folder")
    assert await keys.get("/kv/folder/a") is not None
    await keys.close()
