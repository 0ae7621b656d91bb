"""What a mirror takes from a real Consul cluster, and how."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

import sidecar.metrics  # noqa: F401 - its import reads /proc, which no loop should wait for
from deploy.tools.consul import Consul
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Instance, Status
from sidecar.runtime.clock import SystemClock
from sidecar.stores.consul.address import address_of
from sidecar.stores.consul.client import Client
from sidecar.stores.consul.mirror import ConsulMirror
from sidecar.stores.opening import open_mirror
from tests.integration.stores.consul.agents import ask, at_work, eventually, url
from tests.support.oracle import consul_program


@pytest.fixture(scope="module")
def kept() -> Iterator[Consul]:
    """One cluster for all tests of this module."""
    with Consul(program=consul_program()) as running:
        yield running


@pytest.fixture
async def cluster(kept: Consul) -> Consul:
    for node in await ask(kept, "GET", "catalog/nodes"):
        if node["Node"] != kept.node:
            await ask(kept, "PUT", "catalog/deregister", {"Node": node["Node"]})
    for id_ in await ask(kept, "GET", "agent/services"):
        await ask(kept, "PUT", f"agent/service/deregister/{id_}")
    await ask(kept, "DELETE", "kv/?recurse=")
    return kept


@asynccontextmanager
async def mirrored(consul: Consul, watched: int = 48) -> AsyncIterator[Catalog]:
    """Run a mirror; the catalogue is complete when the block begins."""
    catalog = Catalog()
    client = Client(address_of(url(consul), {}))
    mirror = ConsulMirror(client, catalog, clock=SystemClock(), watched=watched)
    async with at_work([mirror]):
        assert catalog.synced
        yield catalog


def found(catalog: Catalog, service: str) -> dict[str, Instance]:
    return {each.id: each for each in catalog.snapshot.services.get(service, ())}


async def register(consul: Consul, node: str, id_: str, **fields: Any) -> None:
    """Register as the agent of another node does."""
    checks = fields.pop("checks", [])
    body = {
        "Node": node,
        "Address": "192.0.2.9",
        "Service": {"ID": id_, "Service": "web", "Port": 80} | fields,
        "Checks": [{"CheckID": f"c-{id_}", "ServiceID": id_, "Name": "c"} | c for c in checks],
    }
    await ask(consul, "PUT", "catalog/register", body)


async def test_all_that_is_known_of_an_instance_arrives(cluster: Consul) -> None:
    await register(
        cluster,
        "far",
        "far-1",
        Address="192.0.2.10",
        Tags=["b", "a"],
        Meta={"k": "v"},
        Weights={"Passing": 7, "Warning": 3},
        TaggedAddresses={"lan_ipv6": {"Address": "2001:db8::1", "Port": 8080}},
        checks=[{"Status": "warning", "Output": "so so"}],
    )
    async with mirrored(cluster) as catalog:
        instance = found(catalog, "web")["far-1"]
        assert (instance.node, instance.address, instance.port) == ("far", "192.0.2.10", 80)
        assert (instance.tags, dict(instance.meta)) == (("b", "a"), {"k": "v"})
        assert (instance.weight, instance.warning_weight) == (7, 3)
        assert instance.tagged["lan_ipv6"] == ("2001:db8::1", 8080)
        assert instance.status is Status.WARNING
        assert [check.output for check in instance.checks] == ["so so"]
        node = catalog.snapshot.nodes["far"]
        assert (node.name, node.address) == ("far", "192.0.2.9")
        assert {check.id for check in catalog.snapshot.nodes[cluster.node].checks} == {"serfHealth"}
        assert "consul" not in catalog.snapshot.services


@pytest.mark.parametrize("watched", [48, 0], ids=["watched", "in turn"])
async def test_nodes_and_services_come_change_and_go(cluster: Consul, watched: int) -> None:
    async with mirrored(cluster, watched) as catalog:
        for number in range(4):
            await register(cluster, f"node-{number}", f"id-{number}")
        await eventually(lambda: _is(lambda: len(found(catalog, "web")), 4))
        await register(cluster, "node-1", "id-1", Port=81)
        await eventually(lambda: _is(lambda: found(catalog, "web")["id-1"].port, 81))
        await ask(cluster, "PUT", "catalog/deregister", {"Node": "node-2", "ServiceID": "id-2"})
        await eventually(lambda: _is(lambda: "id-2" in found(catalog, "web"), False))
        assert "node-2" in catalog.snapshot.nodes
        await ask(cluster, "PUT", "catalog/deregister", {"Node": "node-3"})
        await eventually(lambda: _is(lambda: set(found(catalog, "web")), {"id-0", "id-1"}))
        assert "node-3" not in catalog.snapshot.nodes


async def test_statuses_are_followed(cluster: Consul) -> None:
    await register(cluster, "far", "far-1", checks=[{"Status": "passing"}])
    async with mirrored(cluster) as catalog:

        async def shows(status: str) -> bool:
            return found(catalog, "web")["far-1"].status == status

        for status in ("critical", "warning", "passing"):
            check = {"CheckID": "c-far-1", "ServiceID": "far-1", "Name": "c", "Status": status}
            body = {"Node": "far", "SkipNodeUpdate": True, "Check": check}
            await ask(cluster, "PUT", "catalog/register", body)
            await eventually(partial(shows, status))
        node = {"CheckID": "n", "Name": "n", "Status": "critical"}
        body = {"Node": "far", "SkipNodeUpdate": True, "Check": node}
        await ask(cluster, "PUT", "catalog/register", body)
        await eventually(partial(shows, "critical"))


async def test_no_instance_is_ever_seen_without_its_check(cluster: Consul) -> None:
    """Or it would take work before it was ever found well."""
    seen: list[Status] = []
    async with mirrored(cluster) as catalog, asyncio.TaskGroup() as group:

        async def watch() -> None:
            async for snapshot in catalog.watch():
                seen.extend(each.status for each in snapshot.services.get("web", ()))

        watching = group.create_task(watch())
        for number in range(20):
            await register(cluster, "far", f"id-{number}", checks=[{"Status": "critical"}])
        await eventually(lambda: _is(lambda: len(found(catalog, "web")), 20))
        watching.cancel()
    assert set(seen) == {Status.CRITICAL}


async def test_keys_of_registrators_are_instances(
    cluster: Consul, caplog: pytest.LogCaptureFixture
) -> None:
    catalog = Catalog()
    store = url(cluster, "consulkv", "/services")
    for key, value in (
        ("services/web/vm:web:80", "192.0.2.1:80"),
        ("services/web/custom", "[2001:db8::1]:81"),
        ("services/web/odd", "odd"),
        ("elsewhere/web/vm:web:80", "192.0.2.1:80"),
    ):
        await ask_raw(cluster, key, value)
    mirror = open_mirror(store, catalog, clock=SystemClock(), environ={})
    async with at_work([mirror]):
        assert catalog.synced
        held = found(catalog, "web")
        assert {id_: (each.node, each.address, each.port) for id_, each in held.items()} == {
            "vm:web:80": ("vm", "192.0.2.1", 80),
            "custom": ("2001:db8::1", "2001:db8::1", 81),
        }
        await ask_raw(cluster, "services/web/custom", "192.0.2.2:82")
        await ask(cluster, "DELETE", "kv/services/web/vm:web:80")
        await eventually(
            lambda: _is(lambda: [e.port for e in found(catalog, "web").values()], [82])
        )
    assert [each.message for each in caplog.records].count("a key is no entry") == 1


async def ask_raw(consul: Consul, key: str, value: str) -> None:
    client = Client(address_of(url(consul), {}))
    await client.call("PUT", f"kv/{key}", None, value.encode())
    await client.close()


async def _is(question: Any, expected: object) -> bool:
    return bool(question() == expected)
