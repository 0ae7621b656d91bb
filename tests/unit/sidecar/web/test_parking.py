"""Readers that wait without a task: woken together, and never forgotten."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from sidecar.catalog import Check, Status
from sidecar.config.model import HttpSettings
from sidecar.errors import ApiError
from sidecar.metrics import REGISTRY
from tests.support.catalog import instance, puts
from tests.support.site import KEY, Site, same, site
from tests.support.wire import Wire, request, wire

WEB = "/v1/health/service/web"


def waiting(here: Site) -> int:
    assert here.world.server is not None
    return here.world.server._door.waiting


def index(here: Site) -> int:
    return here.world.catalog.snapshot.modified["web"]


@asynccontextmanager
async def parked(here: Site, *targets: str) -> AsyncIterator[list[Wire]]:
    """Park one connection for each target; ``{}`` is the present index."""
    async with AsyncExitStack() as stack:
        found = []
        for target in targets:
            connection = await stack.enter_async_context(wire(here.address))
            await connection.ask(request(target.partition("?")[0]))
            connection.send(request(target.format(index(here))))
            found.append(connection)
        async with asyncio.timeout(5):
            while waiting(here) < len(targets):
                await asyncio.sleep(0)
        yield found


async def test_a_change_wakes_all_with_the_answer_that_is_there_by_then() -> None:
    async with site() as here:
        targets = [f"{WEB}?index={{}}&wait=60s"] * 3 + [f"{WEB}?wait=50s&index={{}}"]
        tasks = len(asyncio.all_tasks())
        async with parked(here, *targets) as readers:
            assert len(asyncio.all_tasks()) - tasks <= len(targets)  # aiohttp's own, one each
            assert here.short.answered == len(targets)
            here.world.catalog.commit(puts(instance(id_="i1", port=1)))
            replies = [await reader.reply() for reader in readers]
            async with wire(here.address) as connection:
                plain = await connection.ask(request(WEB))
            assert all(same(reply, plain) for reply in replies)
            assert plain.headers["x-consul-index"] == str(index(here))
            assert waiting(here) == 0
            assert same(await readers[0].ask(request(WEB)), plain)


async def test_who_is_woken_waits_again_and_is_counted() -> None:
    labels = {"route": "/v1/health/service/{name}", "status": "200"}
    async with site() as here, parked(here, f"{WEB}?index={{}}") as (reader,):
        before = REGISTRY.get_sample_value("pinnace_web_requests_total", labels) or 0.0
        for port in range(3):
            here.world.catalog.commit(puts(instance(id_="i1", port=port + 1)))
            reply = await reader.reply()
            assert int(reply.headers["x-consul-index"]) == index(here)
            reader.send(request(f"{WEB}?index={index(here)}"))
            async with asyncio.timeout(5):
                while not waiting(here):
                    await asyncio.sleep(0)
        after = REGISTRY.get_sample_value("pinnace_web_requests_total", labels)
        assert after == before + 3


async def test_other_services_and_the_same_again_wake_nobody() -> None:
    async with site() as here, parked(here, f"{WEB}?index={{}}") as (reader,):
        here.world.catalog.commit(puts(instance("other")))
        here.world.catalog.commit(puts(instance(id_="i1")))
        await asyncio.sleep(0.02)
        assert waiting(here) == 1
        here.world.catalog.commit(puts(instance(id_="i1", port=1)))
        assert (await reader.reply()).status == 200


async def test_an_absent_service_is_waited_for_through_its_beginning() -> None:
    async with site() as here:
        async with parked(here, "/v1/health/service/new?index={}") as (reader,):
            here.world.catalog.commit(puts(instance("new")))
            assert b'"new"' in (await reader.reply()).body
        async with parked(here, "/v1/health/service/gone?index=99") as (reader,):
            here.world.catalog.commit(puts(instance("gone")))  # index 3: below what it has
            await asyncio.sleep(0.02)
            for port in range(200):
                here.world.catalog.commit(puts(instance("gone", port=port)))
            assert b'"gone"' in (await reader.reply()).body


async def test_after_the_wait_the_answer_is_as_it_was_and_a_later_index_is_lowered() -> None:
    async with site() as here:
        targets = [f"{WEB}?index={{}}&wait=30ms", f"{WEB}?index=99&wait=30ms"]
        async with parked(here, *targets) as readers:
            for reader in readers:
                reply = await reader.reply()
                assert reply.headers["x-consul-index"] == str(index(here))
            assert waiting(here) == 0


async def test_registrations_do_not_wake_for_checks_and_show_what_was_at_the_beginning() -> None:
    failing = (Check(id="c", name="c", status=Status.CRITICAL),)
    async with site() as here:
        async with parked(here, "/v1/catalog/service/web?index={}&wait=80ms") as (reader,):
            before = index(here)
            here.world.catalog.commit(puts(instance(id_="i1", checks=failing)))
            assert index(here) > before
            reply = await reader.reply()
            assert reply.headers["x-consul-index"] == str(before)
        async with parked(here, "/v1/catalog/service/web?index={}&wait=60s") as (reader,):
            here.world.catalog.commit(puts(instance(id_="i1", checks=failing, port=1)))
            assert (await reader.reply()).headers["x-consul-index"] == str(index(here))


async def test_more_requests_behind_one_that_waits_are_answered_in_order() -> None:
    async with site() as here, parked(here, f"{WEB}?index={{}}&wait=60s") as (reader,):
        reader.send(request(KEY))
        reader.send(request("/v1/kv/none"))
        await asyncio.sleep(0.02)
        assert waiting(here) == 1  # now by a task
        here.world.catalog.commit(puts(instance(id_="i1", port=1)))
        assert [(await reader.reply()).status for _ in range(3)] == [200, 200, 404]
        assert waiting(here) == 0


async def test_who_leaves_gives_the_place_back() -> None:
    async with site() as here:
        async with parked(here, f"{WEB}?index={{}}", f"{WEB}?index={{}}"):
            assert waiting(here) == 2
        async with asyncio.timeout(5):
            while waiting(here):
                await asyncio.sleep(0)
        here.world.catalog.commit(puts(instance(id_="i1", port=1)))
        await asyncio.sleep(0)
        assert here.world.api.reading._waiting._groups == {}


async def test_one_more_than_may_wait_is_refused() -> None:
    settings = HttpSettings(listen="127.0.0.1:0", max_waiting=1)
    async with (
        site(settings) as here,
        parked(here, f"{WEB}?index={{}}"),
        wire(here.address) as late,
    ):
        await late.ask(request(WEB))
        reply = await late.ask(request(f"{WEB}?index={index(here)}"))
        assert (reply.status, reply.headers["retry-after"]) == (429, "1")


async def test_who_waits_is_not_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidecar.web.connection._KEEP_ALIVE", 0.1)
    async with site() as here, parked(here, f"{WEB}?index={{}}&wait=300ms") as (reader,):
        assert (await reader.reply()).status == 200


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("index=x", 400),
        ("index=1&wait=x", 400),
        ("index=1&index=99", 200),
        ("index=0&wait=9s", 200),
    ],
)
async def test_odd_waits_are_answered_as_without_a_short_way(query: str, status: int) -> None:
    async with site() as here:
        async with wire(here.address) as connection:
            wanted = await connection.ask(request(f"{WEB}?{query}"))
        async with wire(here.address) as connection:
            await connection.ask(request(WEB))
            found = await connection.ask(request(f"{WEB}?{query}"))
        assert (found.status, found.body) == (wanted.status, wanted.body)
        assert found.status == status


async def test_an_index_given_twice_does_not_make_anothers_wait_short() -> None:
    async with site() as here, wire(here.address) as connection:
        await connection.ask(request(f"{WEB}?index=1&index=99&wait=10ms"))
        async with wire(here.address) as other:
            other.send(request(f"{WEB}?index=99"))
            async with asyncio.timeout(5):
                while not waiting(here):
                    await asyncio.sleep(0)


@pytest.mark.parametrize("wait", ["60s", "10ms"])
async def test_a_filter_that_cannot_be_is_told_after_the_wait(wait: str) -> None:
    async with site() as here, wire(here.address) as reader:
        reader.send(request(f"{WEB}?index={index(here)}&wait={wait}&filter=Bogus==1"))
        async with asyncio.timeout(5):
            while not waiting(here):
                await asyncio.sleep(0)
        if wait == "60s":
            here.world.catalog.commit(puts(instance(id_="i1", port=1)))
        reply = await reader.reply()
        assert (reply.status, b"Bogus" in reply.body) == (500, True)
        assert waiting(here) == 0


async def test_whoever_serves_a_parked_reader_tells_what_went_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with site() as here, parked(here, f"{WEB}?index={{}}&wait=60s") as (reader,):
        reading = here.world.api.reading

        def broken(*_: object, **__: object) -> None:
            raise ApiError(500, "no answer")

        monkeypatch.setattr(reading, "_answer", broken)
        here.world.catalog.commit(puts(instance(id_="i1", port=1)))
        reply = await reader.reply()
        assert (reply.status, reply.body) == (500, b"no answer")


async def test_the_server_stops_while_readers_wait() -> None:
    async with AsyncExitStack() as outer:
        async with site() as here:
            (reader,) = await outer.enter_async_context(parked(here, f"{WEB}?index={{}}"))
        assert await reader.is_closed()
        assert here.world.api.reading._waiting._groups == {}
