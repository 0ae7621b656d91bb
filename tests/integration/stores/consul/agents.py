"""What the tests on a real agent share: an agent asked by plain HTTP, edges that run, waiting."""

import asyncio
import http.client
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from deploy.tools.consul import Consul
from sidecar.catalog.model import Instance, InstanceId, Key, key_of
from sidecar.runtime.clock import SystemClock
from sidecar.runtime.component import Component
from sidecar.stores.base import Edge, EdgeOptions, Holder
from sidecar.stores.opening import open_edge
from tests.support.pace import allowed

__all__ = ["HOLDER", "ask", "edge_at", "entry", "eventually", "service", "url", "wanted"]

HOLDER = Holder("registrar:engine-1", "vm")


def entry(service: str = "web", port: int = 21001, **overrides: Any) -> Instance:
    """Return the instance of a container's port."""
    fields: dict[str, Any] = {
        "id": InstanceId(f"vm:{service}:{port}"),
        "service": service,
        "node": "vm",
        "address": "192.0.2.1",
        "port": port,
        "owner": HOLDER.owner,
    }
    return Instance(**(fields | overrides))


def wanted(*instances: Instance) -> dict[Key, Instance]:
    """Return these by their keys."""
    return {key_of(each): each for each in instances}


def url(consul: Consul, scheme: str = "consul", path: str = "") -> str:
    """Return the agent's address as a store."""
    return f"{scheme}://127.0.0.1:{consul.ports['http']}{path}"


async def ask(consul: Consul, method: str, path: str, body: object = None, token: str = "") -> Any:
    """Return the JSON of an answer, or its text; fail when it is refused."""

    def asked() -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", consul.ports["http"], timeout=10)
        try:
            data = None if body is None else json.dumps(body)
            headers = {"X-Consul-Token": token} if token else {}
            connection.request(method, f"/v1/{path}", data, headers)
            response = connection.getresponse()
            text = response.read().decode()
            assert response.status in {200, 404}, f"{path}: {response.status} {text}"
            return json.loads(text) if response.status == 200 and text else None
        finally:
            connection.close()

    return await asyncio.to_thread(asked)


async def service(consul: Consul, id_: str) -> Any:
    """Return a service of the agent with its checks by id, None when it is not there."""
    services = await ask(consul, "GET", "agent/services")
    checks = await ask(consul, "GET", "agent/checks")
    if id_ not in services:
        return None
    own = {name: check for name, check in checks.items() if check["ServiceID"] == id_}
    return services[id_] | {"Checks": own}


@asynccontextmanager
async def edge_at(
    store: str, environ: Mapping[str, str] | None = None, options: EdgeOptions | None = None
) -> AsyncIterator[Edge]:
    """Run an edge."""
    edge = open_edge(store, options or EdgeOptions(), clock=SystemClock(), environ=environ or {})
    try:
        async with at_work(edge.components):
            yield edge
    finally:
        await edge.close()


@asynccontextmanager
async def at_work(components: Iterable[Component]) -> AsyncIterator[None]:
    """Run components; the block begins when all are ready."""
    async with asyncio.TaskGroup() as group:
        tasks = []
        for component in components:
            ready = asyncio.Event()
            tasks.append(group.create_task(component.run(ready.set)))
            async with asyncio.timeout(10):
                await ready.wait()
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def eventually(condition: Callable[[], Awaitable[object]], limit: float = 5.0) -> float:
    """Return after how many seconds the condition held."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not (last := await condition()):
        assert loop.time() - began < allowed(limit), f"not within {limit} s: {last!r}"
        await asyncio.sleep(0.02)
    return loop.time() - began
