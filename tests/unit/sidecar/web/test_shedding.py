"""What the server does less of, one step after the other, and again when there is room."""

import asyncio

import pytest

from sidecar.runtime.overload import Action
from sidecar.web.server import WebServer
from tests.support.catalog import instance, puts
from tests.support.site import KEY, SERVICE, Site, site
from tests.support.wire import request, wire

WAITING = request("/v1/health/service/web?index=99&wait=60s")
NONE: frozenset[Action] = frozenset()


def server(here: Site) -> WebServer:
    assert here.world.server is not None
    return here.world.server


async def test_the_dashboard_goes_first() -> None:
    async with site() as here, wire(here.address) as connection:
        server(here).shed(frozenset({Action.NO_DASHBOARD}))
        assert (await connection.ask(request("/ui/"))).status == 503
        assert (await connection.ask(request(KEY))).status == 200
        server(here).shed(NONE)
        assert (await connection.ask(request("/ui/"))).status == 200


@pytest.mark.parametrize("parked", [True, False])
@pytest.mark.parametrize("path", ["/v1/health/service/web", "/v1/kv/a/b"])
async def test_waits_become_short(parked: bool, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidecar.web.server._SHORT_WAIT", 0.05)
    async with site() as here, wire(here.address) as connection:
        if parked:
            await connection.ask(request(path))
        server(here).shed(frozenset({Action.SHORT_WAITS}))
        for wait in ("", "&wait=60s", "&wait=10ms"):
            assert (await connection.ask(request(f"{path}?index=99{wait}"))).status == 200
        assert (await connection.ask(request(f"{path}?index=99&wait=x"))).status == 400


@pytest.mark.parametrize("parked", [True, False])
async def test_then_nobody_may_begin_to_wait_and_who_waits_stays(parked: bool) -> None:
    async with site() as here, wire(here.address) as early, wire(here.address) as late:
        if parked:
            await early.ask(request(SERVICE))
            await late.ask(request(SERVICE))
        index = here.world.catalog.snapshot.modified["web"]
        early.send(WAITING.replace(b"99", str(index).encode()))
        async with asyncio.timeout(5):
            while not server(here)._door.waiting:
                await asyncio.sleep(0)
        server(here).shed(frozenset({Action.NO_WAITS}))
        refused = await late.ask(WAITING)
        assert (refused.status, refused.headers["retry-after"]) == (429, "1")
        assert (await late.ask(request(SERVICE))).status == 200
        here.world.catalog.commit(puts(instance(id_="i1", port=1)))
        assert (await early.reply()).status == 200
        server(here).shed(NONE)
        late.send(WAITING.replace(b"60s", b"1ms"))
        assert (await late.reply()).status == 200


async def test_last_no_connection_is_taken_and_the_old_ones_are_served() -> None:
    async with site() as here, wire(here.address) as old:
        await old.ask(request(KEY))
        server(here).shed(frozenset(Action))
        async with wire(here.address) as new:
            assert (await new.reply()).status == 503
            assert await new.is_closed()
        assert (await old.ask(request(KEY))).status == 200
        server(here).shed(NONE)
        async with wire(here.address) as new:
            assert (await new.ask(request(KEY))).status == 200


async def test_a_connection_on_a_kept_descriptor_is_one_too_many() -> None:
    async with site() as here, wire(here.address) as old:
        await old.ask(request(KEY))
        server(here)._door.descriptors = 1
        async with wire(here.address) as new:
            assert (await new.reply()).status == 503
        assert (await old.ask(request(KEY))).status == 200
