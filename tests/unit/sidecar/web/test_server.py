import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from sidecar.catalog import Drop, InstanceId, Node, PutNode, Status
from sidecar.catalog.live import Catalog
from sidecar.config.model import HttpSettings
from sidecar.errors import AddressInUse
from sidecar.runtime.clock import FakeClock
from sidecar.runtime.component import Health, Phase
from sidecar.stores.embedded import EmbeddedStore
from sidecar.web.consul.whole import CatalogApi
from sidecar.web.server import WebServer
from tests.support.catalog import instance, puts
from tests.support.routes import at_once
from tests.support.served import LOCAL


class Client:
    """Talks to one server under test."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session = session
        self._base = base

    async def get(self, path: str) -> tuple[int, Mapping[str, str], bytes]:
        async with self._session.get(self._base + path, allow_redirects=False) as response:
            return response.status, response.headers, await response.read()

    async def json(self, path: str) -> Any:
        return json.loads((await self.get(path))[2])


class World:
    """What the server reports on."""

    def __init__(self) -> None:
        self.catalog = Catalog()
        self.health = {"web": Health(Phase.READY, 0, None)}
        self.stopping = False


async def _routes() -> object:
    return {"routes": 3}


@asynccontextmanager
async def _served(world: World) -> AsyncIterator[Client]:
    server = WebServer(
        world.catalog,
        HttpSettings(listen="127.0.0.1:0"),
        health=lambda: world.health,
        stopping=lambda: world.stopping,
        api=at_once(CatalogApi(EmbeddedStore(world.catalog), LOCAL, FakeClock()).routes()),
        lb_status=_routes,
    )
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(server.run(ready.set))
        await asyncio.wait_for(ready.wait(), 5)
        assert server.address is not None
        async with aiohttp.ClientSession() as session:
            yield Client(session, "http://{}:{}".format(*server.address))
        task.cancel()


async def test_ready_only_when_synced_and_every_part_serves_without_trouble() -> None:
    world = World()
    async with _served(world) as client:
        assert (await client.get("/healthz"))[0] == 200
        assert (await client.get("/readyz"))[0] == 503
        world.catalog.mark_synced()
        assert (await client.get("/readyz"))[0] == 200
        world.health["registrar"] = Health(Phase.READY, 2, "no engine")
        status, _, body = await client.get("/readyz")
        assert status == 503
        assert json.loads(body)["components"]["registrar"] == {
            "state": "ready",
            "restarts": 2,
            "trouble": "no engine",
        }
        del world.health["registrar"]
        world.stopping = True
        assert (await client.get("/readyz"))[0] == 503


async def test_metrics_count_requests_by_route_not_by_path() -> None:
    async with _served(World()) as client:
        await client.get("/v1/health/service/secret-name")
        await client.get("/v1/no/such/path")
        text = (await client.get("/metrics"))[2].decode()
    assert 'route="/v1/health/service/{name}",status="200"' in text
    assert 'route="other",status="404"' in text
    assert "secret-name" not in text


async def test_root_leads_to_the_dashboard_which_escapes_names() -> None:
    world = World()
    hostile = "<script>alert(1)</script>"
    world.catalog.commit(puts(instance("web", hostile, tags=(hostile,), draining=True)))
    async with _served(world) as client:
        status, headers, _ = await client.get("/")
        assert (status, headers["Location"]) == (301, "/ui/")
        _, headers, body = await client.get("/ui/")
    assert b"<script" not in body
    assert b"&lt;script&gt;" in body
    assert "default-src 'none'" in headers["Content-Security-Policy"]


async def test_catalog_services_lists_sorted_tags_and_consul_itself() -> None:
    world = World()
    world.catalog.commit(puts(instance(tags=("b", "a")), instance(id_="2", tags=("c",))))
    async with _served(world) as client:
        status, headers, body = await client.get("/v1/catalog/services")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert json.loads(body) == {"consul": [], "web": ["a", "b", "c"]}
    assert headers["X-Consul-Index"] == "1"
    assert headers["X-Consul-Knownleader"] == "true"


async def test_health_service_has_consuls_shape() -> None:
    world = World()
    world.catalog.commit([PutNode(Node(name="node-1", address="192.0.2.7", meta={"r": "1"}))])
    world.catalog.commit(puts(instance(tags=("a",), meta={"k": "v"})))
    async with _served(world) as client:
        (entry,) = await client.json("/v1/health/service/web")
    assert entry["Node"]["Node"] == "node-1"
    assert entry["Node"]["Address"] == "192.0.2.7"
    assert entry["Node"]["Meta"] == {"consul-network-segment": "", "r": "1"}
    service = entry["Service"]
    assert (service["ID"], service["Service"], service["Port"]) == ("web-1", "web", 8080)
    assert (service["Tags"], service["Meta"]) == (["a"], {"k": "v"})
    assert [c["CheckID"] for c in entry["Checks"]] == ["serfHealth"]  # no check: none invented
    assert {c["Status"] for c in entry["Checks"]} == {"passing"}


async def test_health_service_filters_by_passing_and_tag() -> None:
    world = World()
    world.catalog.commit(
        puts(
            instance(id_="a", tags=("x",)),
            instance(id_="b", status=Status.WARNING),
            instance(id_="c", status=Status.CRITICAL, tags=("x",)),
            instance(id_="d", draining=True),
        )
    )

    async with _served(world) as client:

        async def ids(query: str) -> list[str]:
            found = await client.json("/v1/health/service/web" + query)
            return [entry["Service"]["ID"] for entry in found]

        assert await ids("") == ["a", "b", "c", "d"]
        assert await ids("?passing") == ["a"]
        assert await ids("?passing=true") == ["a"]
        assert await ids("?passing=0") == ["a", "b", "c", "d"]
        assert await ids("?tag=x") == ["a", "c"]
        assert await client.json("/v1/health/service/none") == []
        assert (await client.json("/v1/health/service/WEB"))[0]["Service"]["ID"] == "a"
        (*_, last) = await client.json("/v1/health/service/web")
        assert last["Checks"][-1]["Name"] == "Service Maintenance Mode"


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("index=abc", b"Invalid index"),
        ("index=-1", b"Invalid index"),
        ("index=1&wait=10", b"Invalid wait time"),
        ("index=1&wait=bad", b"Invalid wait time"),
        ("index=1&wait=-1s", b"Invalid wait time"),
        ("passing=perhaps", b"Invalid value for ?passing"),
    ],
)
async def test_bad_parameters_are_400_with_consuls_text(query: str, text: bytes) -> None:
    async with _served(World()) as client:
        status, _, body = await client.get("/v1/health/service/web?" + query)
    assert (status, body) == (400, text)


async def test_blocking_reader_wakes_on_its_own_service_only() -> None:
    world = World()
    world.catalog.commit(puts(instance("web", "a"), instance("api", "b")))
    async with _served(world) as client, asyncio.TaskGroup() as group:
        reader = group.create_task(client.get("/v1/health/service/web?index=1&wait=30s"))
        await asyncio.sleep(0.05)
        world.catalog.commit(puts(instance("api", "c")))
        await asyncio.sleep(0.05)
        assert not reader.done()
        world.catalog.commit([Drop("web", InstanceId("a"))])
        _, headers, body = await asyncio.wait_for(reader, 5)
    assert (headers["X-Consul-Index"], body) == ("3", b"[]")


async def test_blocking_reader_of_the_list_wakes_on_any_service() -> None:
    world = World()
    world.catalog.commit(puts(instance()))
    async with _served(world) as client, asyncio.TaskGroup() as group:
        reader = group.create_task(client.get("/v1/catalog/services?index=1&wait=30s"))
        await asyncio.sleep(0.05)
        world.catalog.commit(puts(instance("api", "b")))
        _, headers, body = await asyncio.wait_for(reader, 5)
    assert headers["X-Consul-Index"] == "2"
    assert json.loads(body) == {"consul": [], "web": [], "api": []}


async def test_reader_with_an_old_index_is_answered_at_once() -> None:
    world = World()
    for number in range(3):
        world.catalog.commit(puts(instance(port=number)))
    async with _served(world) as client:
        _, headers, _ = await asyncio.wait_for(
            client.get("/v1/health/service/web?index=1&wait=30s"), 5
        )
    assert headers["X-Consul-Index"] == "3"


async def test_reader_from_another_life_gets_the_lower_index_when_its_wait_ends() -> None:
    world = World()
    world.catalog.commit(puts(instance()))
    async with _served(world) as client:
        _, headers, _ = await client.get("/v1/health/service/web?index=999&wait=10ms")
    assert headers["X-Consul-Index"] == "1"


async def test_an_unknown_path_of_the_api_is_404_with_an_empty_body() -> None:
    async with _served(World()) as client:
        assert (await client.get("/v1/bogus"))[::2] == (404, b"")
        assert (await client.get("/bogus"))[0] == 404


async def test_status_of_the_load_balancer_is_served() -> None:
    async with _served(World()) as client:
        assert await client.json("/v1/pinnace/lb") == {"routes": 3}


async def test_taken_port_is_an_address_in_use() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = WebServer(
            Catalog(),
            HttpSettings(listen=f"127.0.0.1:{taken.getsockname()[1]}"),
            health=dict,
            stopping=lambda: False,
        )
        with pytest.raises(AddressInUse, match="--http"):
            await server.run(lambda: None)
