"""The registrar and the API on one store: neither undoes what the other does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from registrar.component import Registrar
from sidecar.catalog import Instance, Status
from sidecar.config.model import RegistrarSettings
from sidecar.engine.events import Missed
from tests.support.fake_engine import FakeEngine
from tests.support.served import NODE, Client, World, served

ID = "node-1:box:80"


class Both:
    """A registrar with one container, and a client of the API."""

    def __init__(self, world: World, engine: FakeEngine, client: Client) -> None:
        self.world = world
        self.engine = engine
        self.client = client

    async def put(self, path: str, body: Any = b"") -> tuple[int, str]:
        answer = await self.client.put(path, body)
        return answer.status, answer.text

    async def reconcile(self) -> None:
        self.engine.send(Missed("a test"))
        for _ in range(100):
            await asyncio.sleep(0)

    def entry(self, service: str = "bb") -> Instance:
        (found,) = self.world.catalog.snapshot.services[service]
        return found


@asynccontextmanager
async def both() -> AsyncIterator[Both]:
    world, engine = World(), FakeEngine()
    registrar = Registrar(
        engine,
        world.store,
        RegistrarSettings(),
        node=NODE.name,
        address=NODE.address,
        clock=world.clock,
    )
    async with served(world) as client, asyncio.TaskGroup() as group:
        task = group.create_task(registrar.run(lambda: None))
        found = Both(world, engine, client)
        await found.reconcile()
        engine.start()
        await found.reconcile()
        yield found
        task.cancel()


async def test_a_check_of_the_api_survives_the_registrar() -> None:
    async with both() as world:
        check = {"Name": "alive", "ServiceID": ID, "TTL": "1h"}
        assert await world.put("/v1/agent/check/register", check) == (200, "")
        assert world.entry().status is Status.CRITICAL
        before = world.world.catalog.snapshot
        await world.reconcile()
        assert world.world.catalog.snapshot is before
        assert await world.put("/v1/agent/check/pass/alive") == (200, "")
        await world.reconcile()
        assert world.entry().status is Status.PASSING
        assert await world.put("/v1/agent/check/deregister/alive") == (200, "")
        await world.reconcile()
        assert world.entry().checks == ()


async def test_maintenance_survives_the_registrar_and_ends_when_it_is_told_to() -> None:
    async with both() as world:
        assert await world.put(f"/v1/agent/service/maintenance/{ID}?enable=true") == (200, "")
        await world.reconcile()
        assert world.entry().draining
        assert await world.put(f"/v1/agent/service/maintenance/{ID}?enable=false") == (200, "")
        await world.reconcile()
        assert not world.entry().draining


async def test_the_end_of_a_maintenance_that_never_was_does_not_end_a_drain() -> None:
    async with both() as world:
        world.engine.tell("kill", "box-id", signal=15)
        await world.reconcile()
        assert await world.put(f"/v1/agent/service/maintenance/{ID}?enable=false") == (200, "")
        assert world.entry().draining


@pytest.mark.parametrize("drain_first", [True, False])
@pytest.mark.parametrize(
    "end", [f"service/maintenance/{ID}?enable=false", f"check/deregister/_service_maintenance:{ID}"]
)
async def test_the_end_of_a_maintenance_does_not_end_a_drain(drain_first: bool, end: str) -> None:
    async with both() as world:
        if drain_first:
            world.engine.tell("kill", "box-id", signal=15)
            await world.reconcile()
        enable = f"/v1/agent/service/maintenance/{ID}?enable=true"
        assert await world.put(enable) == (200, "")
        if not drain_first:
            world.engine.tell("kill", "box-id", signal=15)
            await world.reconcile()
        assert await world.put(f"/v1/agent/{end}") == (200, "")
        assert world.entry().checks == ()
        assert world.entry().draining


async def test_checks_meta_and_maintenance_of_the_node_survive_the_registrar() -> None:
    async with both() as world:
        check = {"Name": "disk", "TTL": "1h", "Status": "warning"}
        assert await world.put("/v1/agent/check/register", check) == (200, "")
        assert await world.put("/v1/agent/maintenance?enable=true") == (200, "")
        node = {"Node": NODE.name, "Address": NODE.address, "NodeMeta": {"rack": "1"}}
        assert await world.put("/v1/catalog/register", node) == (200, "true")
        world.engine.start("more", published={"80/tcp": ":8099"})
        await world.reconcile()
        found = world.world.catalog.snapshot.nodes[NODE.name]
        assert [c.id for c in found.checks] == ["disk", "_node_maintenance"]
        assert found.meta == {"rack": "1"}
        members = world.world.catalog.snapshot.services["bb"]
        assert [i.status for i in members] == [Status.CRITICAL] * 2


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/agent/service/register", {"Name": "bb", "ID": ID}),
        ("/v1/agent/service/register", {"Name": "thief", "ID": ID}),
        (f"/v1/agent/service/deregister/{ID}", b""),
        (f"/v1/agent/check/deregister/service:{ID}", b""),
        ("/v1/agent/check/register", {"Name": "x", "ID": f"service:{ID}", "TTL": "1m"}),
        (
            "/v1/catalog/register",
            {"Node": NODE.name, "Address": "192.0.2.9", "Service": {"Service": "x", "ID": ID}},
        ),
        (
            "/v1/catalog/register",
            {"Node": NODE.name, "Address": "192.0.2.9", "Check": {"CheckID": f"service:{ID}"}},
        ),
        ("/v1/catalog/deregister", {"Node": NODE.name, "ServiceID": ID}),
        ("/v1/catalog/deregister", {"Node": NODE.name, "CheckID": f"service:{ID}"}),
        ("/v1/catalog/deregister", {"Node": NODE.name}),
    ],
)
async def test_the_api_cannot_take_what_is_a_containers(path: str, body: Any) -> None:
    async with both() as world:
        before = world.world.catalog.snapshot
        status, text = await world.put(path, body)
        assert (status, "owned by registrar:e" in text) == (409, True), text
        assert world.world.catalog.snapshot is before


async def test_a_container_cannot_take_what_the_api_registered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with both() as world:
        taken = "node-1:late:80"
        service = {"Name": "mine", "ID": taken, "Port": 1}
        assert await world.put("/v1/agent/service/register", service) == (200, "")
        id_ = world.engine.start("late", published={"80/tcp": ":8099"})
        for _ in range(3):
            await world.reconcile()
        assert world.entry("mine").port == 1
        assert world.entry().id == ID
        told = [r for r in caplog.records if "held by another" in r.message]
        assert len(told) == 1
        assert await world.put(f"/v1/agent/service/deregister/{taken}") == (200, "")
        await world.reconcile()
        assert [i.id for i in world.world.catalog.snapshot.services["bb"]] == [ID, taken]
        world.engine.remove(id_)
        await world.reconcile()
        assert world.entry().id == ID


async def test_names_of_our_own_are_refused() -> None:
    async with both() as world:
        for name in ("consul", "pinnace", "Consul"):
            status, text = await world.put("/v1/agent/service/register", {"Name": name})
            assert (status, text) == (400, f"Invalid Name: '{name}' is reserved")
