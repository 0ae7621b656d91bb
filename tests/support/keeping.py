"""A registrar on a real engine and real stores, in this process; and what Consul holds."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from deploy.tools.consul import Consul
from registrar.component import Registrar
from registrar.ports import Place
from sidecar.config.model import RegistrarSettings
from sidecar.engine.client import Engine
from sidecar.runtime.clock import SystemClock
from sidecar.stores.base import EdgeOptions
from sidecar.stores.opening import open_edge
from tests.support.pace import allowed

__all__ = ["Held", "held", "keeping", "url_of"]

Held = dict[str, Any]


def url_of(consul: Consul, port: int | None = None) -> str:
    """Return the URL that a registrar takes, by another port if one is given."""
    return f"consul://127.0.0.1:{port or consul.ports['http']}"


def held(consul: Consul) -> Held:
    """Return the agent's services by id; none while it is away."""
    return consul.get("/v1/agent/services")[1] or {}


class Keeping:
    """A running registrar."""

    def __init__(self, registrar: Registrar, consul: Consul) -> None:
        self.registrar = registrar
        self.consul = consul

    async def services(self) -> Held:
        """Return the agent's services by id."""
        return await asyncio.to_thread(held, self.consul)

    async def until(self, condition: Callable[[Held], bool], within: float) -> None:
        """Wait for what Consul holds."""
        async with asyncio.timeout(allowed(within)):
            while not condition(await self.services()):
                await asyncio.sleep(0.01)

    async def until_ids(self, *names: str, within: float = 3.0) -> None:
        """Wait until these containers are all that Consul holds."""
        wanted = {f"vm:{name}:80" for name in names}
        await self.until(lambda found: found.keys() == wanted, within)


@asynccontextmanager
async def keeping(
    docker: str,
    consul: Consul,
    *,
    url: str = "",
    settings: RegistrarSettings | None = None,
    environ: Mapping[str, str] | None = None,
    ping: float = 10.0,
) -> AsyncIterator[Keeping]:
    """Run a registrar of host ``vm`` between an engine and Consul."""
    settings = settings or RegistrarSettings()
    options = EdgeOptions(is_marked=not settings.compat)
    place = Place(node="vm", address="192.0.2.7", owner="", compat=settings.compat, is_ours=False)
    async with AsyncExitStack() as stack:
        engine = Engine(docker)
        stack.push_async_callback(engine.close)
        edge = open_edge(url or url_of(consul), options, clock=SystemClock(), environ=environ or {})
        stack.push_async_callback(edge.close)
        registrar = Registrar(engine, [edge], settings, place=place, ping=ping)
        served = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part.run(lambda: None)) for part in edge.components]
            tasks.insert(0, group.create_task(registrar.run(served.set)))
            async with asyncio.timeout(15):
                await served.wait()
            yield Keeping(registrar, consul)
            tasks[0].cancel()
            await asyncio.wait(tasks[:1])
            for task in tasks:
                task.cancel()
