import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from sidecar.config.model import HttpSettings
from sidecar.runtime.component import Health, Phase
from sidecar.web.status import StatusServer

READY = Health(Phase.READY, 0, None)


class World:
    """A part that runs alone, as its server is told of it."""

    def __init__(self) -> None:
        self.health = {"registrar": READY}
        self.outages = {"docker": 0.0, "consul://a": 0.0}
        self.stopping = False
        self.server = StatusServer(
            HttpSettings(listen="127.0.0.1:0"),
            health=lambda: self.health,
            outages=lambda: self.outages,
            stopping=lambda: self.stopping,
        )
        self.session: aiohttp.ClientSession | None = None

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        assert self.session is not None
        async with self.session.get(path, headers=headers) as response:
            return response.status, await response.text()


@asynccontextmanager
async def running() -> AsyncIterator[World]:
    world, ready = World(), asyncio.Event()
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        task = group.create_task(world.server.run(ready.set))
        await ready.wait()
        assert world.server.address is not None
        host, port = world.server.address
        async with aiohttp.ClientSession(f"http://{host}:{port}") as session:
            world.session = session
            yield world
        task.cancel()


@pytest.mark.parametrize(
    ("seconds", "status"), [(0.0, 200), (29.9, 200), (30.1, 503), (600.0, 503)]
)
async def test_health_ends_when_something_is_away_for_half_a_minute(
    seconds: float, status: int
) -> None:
    async with running() as world:
        world.outages["consul://a"] = seconds
        found, body = await world.get("/healthz")
        assert found == status
        assert ('"consul://a"' in body) is bool(seconds)


async def test_readiness_is_that_of_every_part_and_ends_with_the_stop() -> None:
    async with running() as world:
        assert (await world.get("/readyz"))[0] == 200
        world.health["registrar"] = Health(Phase.READY, 1, "store: down")
        status, body = await world.get("/readyz")
        assert status == 503
        assert "store: down" in body
        world.health["registrar"] = READY
        world.stopping = True
        assert (await world.get("/readyz"))[0] == 503


async def test_metrics_are_served_to_our_own_host_names_only() -> None:
    async with running() as world:
        assert (await world.get("/metrics"))[0] == 200
        status, body = await world.get("/metrics", Host="evil.example.org")
        assert (status, "is not this server" in body) == (403, True)
        assert (await world.get("/other"))[0] == 404
