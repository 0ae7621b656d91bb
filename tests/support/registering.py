"""A registrar on a real engine with a store in memory, and ways to wait for its catalogue."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from registrar.component import Registrar
from registrar.embedded import EmbeddedEdge
from sidecar.catalog import Instance
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Node
from sidecar.config.model import DockerSettings, RegistrarSettings
from sidecar.engine.client import Engine
from sidecar.stores.embedded import EmbeddedStore
from tests.support.docker import PLACE
from tests.support.pace import allowed

__all__ = ["Registering", "registering"]


class Registering:
    """A running registrar and what it has written."""

    def __init__(self, registrar: Registrar, catalog: Catalog) -> None:
        self.registrar = registrar
        self.catalog = catalog
        self.ever: set[str] = set()
        """Every id that ever stood in the catalogue."""

    def entries(self) -> dict[str, Instance]:
        """Return instances by id."""
        services = self.catalog.snapshot.services.values()
        return {instance.id: instance for members in services for instance in members}

    def boxes(self) -> set[str]:
        """Return the names of the containers that have instances, from the ids."""
        return {id_.split(":")[1] for id_ in self.entries()}

    async def until(self, condition: Callable[[], bool], within: float) -> None:
        """Wait for the catalogue or the registrar's state, at most so many seconds."""
        async with asyncio.timeout(allowed(within)):
            while not condition():
                await asyncio.sleep(0.005)

    async def record(self) -> None:
        """Note every id that appears."""
        async for snapshot in self.catalog.watch():
            self.ever |= {i.id for members in snapshot.services.values() for i in members}


@asynccontextmanager
async def registering(
    url: str,
    *,
    catalog: Catalog | None = None,
    resync: float = 30.0,
    ping: float = DockerSettings().ping,
) -> AsyncIterator[Registering]:
    """Run a registrar against the engine at ``url``."""
    catalog = catalog if catalog is not None else Catalog()
    engine = Engine(url)
    registrar = Registrar(
        engine,
        [EmbeddedEdge(EmbeddedStore(catalog), Node(name="vm", address="192.0.2.7"))],
        RegistrarSettings(resync=resync),
        place=PLACE,
        ping=ping,
    )
    world = Registering(registrar, catalog)
    served = asyncio.Event()
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(registrar.run(served.set)),
                group.create_task(world.record()),
            ]
            async with asyncio.timeout(10):
                await served.wait()
            yield world
            for task in tasks:
                task.cancel()
    finally:
        await engine.close()
