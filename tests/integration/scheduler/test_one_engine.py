"""The scheduler on one real engine."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from deploy.tools.engine import PrivateEngine
from sidecar.engine.client import Engine
from sidecar.engine.operations import Operations
from sidecar.runtime.clock import SystemClock
from sidecar.scheduler.component import Scheduler
from sidecar.scheduler.fencer import Fencer
from sidecar.scheduler.nodes.link import Link
from sidecar.scheduler.nodes.settings import NodeSettings
from tests.support.desk import Book, OneDesk, Sole, Still
from tests.support.pace import allowed

pytestmark = pytest.mark.engine

WEB = """
services:
  web:
    image: web
    deploy: {replicas: 3}
    network_mode: bridge
    environment: {GREETING: hello}
"""


@dataclass
class Times:
    probe: float = 2.0
    probe_timeout: float = 1.0
    down_after: float = 15.0


@asynccontextmanager
async def scheduler(desk: OneDesk, *engines: PrivateEngine) -> AsyncIterator[Scheduler]:
    clock = SystemClock()
    links, closers = [], []
    for number, engine in enumerate(engines, 1):
        found, operations = Engine(engine.url), Operations(engine.url)
        closers += [found.close, operations.close]
        settings = NodeSettings(name=f"n{number}", endpoint=engine.url)
        links.append(Link(settings, found, operations, clock=clock, times=Times()))
    fencer = Fencer(None, margin=1.0, clock=clock)
    made = Scheduler(links, desk, Sole(), Still(), fencer=fencer, journal=Book(), clock=clock)
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(made.run(lambda: None))
            yield made
            task.cancel()
    finally:
        for close in closers:
            await close()


async def until(condition, limit: float = 30.0) -> None:
    async with asyncio.timeout(allowed(limit)):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.05)


def running(engine: PrivateEngine, service: str = "web") -> list[str]:
    text = engine.docker("ps", "-q", "--filter", f"label=pinnace.service={service}")
    return text.split()


@pytest.fixture(autouse=True)
def _clean(engine: PrivateEngine) -> Iterator[None]:
    yield
    found = engine.docker("ps", "-aq", "--filter", "label=pinnace.stack").split()
    if found:
        engine.docker("rm", "-f", "-v", *found)


async def test_a_stack_comes_to_run_and_a_killed_container_is_replaced(
    engine: PrivateEngine,
) -> None:
    async with scheduler(OneDesk(WEB), engine):
        await until(lambda: len(running(engine)) == 3)
        first = running(engine)
        await asyncio.to_thread(engine.docker, "kill", first[0])
        await until(lambda: len(running(engine)) == 3 and first[0] not in running(engine))
