"""A whole registrar on a real engine and each store, which dies, freezes, forgets or is shared."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from deploy.tools.engine import PrivateEngine
from registrar.component import Registrar
from registrar.ports import Place
from sidecar.config.model import RegistrarSettings
from sidecar.engine.client import Engine
from sidecar.stores.base import EdgeOptions
from tests.integration.stores.conformance.backend import Backend
from tests.integration.stores.conformance.kit import entry, eventually
from tests.support.containers import Containers
from tests.support.ports import free_port

pytestmark = pytest.mark.engine

NODE = "vm-1"
QUIET = RegistrarSettings(resync=0.0)  # what is found out is not found out by a timer
FOREIGN = entry("other", 29_999, id="someone")


@pytest.fixture(scope="module")
def other() -> Iterator[PrivateEngine]:
    """A second engine, as another host has one."""
    with PrivateEngine() as private:
        private.build_images("web")
        yield private


class Ours:
    """A running registrar and the store it writes to."""

    def __init__(self, registrar: Registrar, backend: Backend) -> None:
        self.registrar = registrar
        self._backend = backend

    def holds(self, *others: "Ours") -> Callable[[], Any]:
        """Return a question whether the store holds what all want, the foreign one, and no more."""

        async def asked() -> bool:
            wanted = [i for each in (self, *others) for i in each.wanted()]
            return await self._backend.raw() == self._backend.expected([*wanted, FOREIGN])

        return asked

    def wanted(self) -> list[Any]:
        """Return what should stand, as the registrar has it."""
        return list(self.registrar._holdings.claims.desired().values())


@asynccontextmanager
async def keeping(
    engine: PrivateEngine,
    backend: Backend,
    settings: RegistrarSettings = QUIET,
    address: str = "192.0.2.7",
    options: EdgeOptions | None = None,
) -> AsyncIterator[Ours]:
    """Run a registrar beside an engine."""
    edge = backend.edge(options)
    docker = Engine(engine.url)
    place = Place(node=NODE, address=address, owner="", compat=False, is_ours=False)
    registrar = Registrar(docker, [edge], settings, place=place)
    served = asyncio.Event()
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part.run(lambda: None)) for part in edge.components]
            tasks.append(group.create_task(registrar.run(served.set)))
            async with asyncio.timeout(15):
                await served.wait()
            yield Ours(registrar, backend)
            for task in tasks:
                task.cancel()
    finally:
        await edge.close()
        await docker.close()


async def run(containers: Containers, short: str) -> str:
    words = ("-e", "SERVICE_NAME=web", "-p", f"{free_port()}:80")
    return await asyncio.to_thread(containers.run, short, *words, publish=False)


async def test_a_store_that_was_wiped_has_all_back_within_two_seconds_without_a_resync(
    backend: Backend, containers: Containers
) -> None:
    for short in ("a", "b", "c"):
        await run(containers, short)
    async with keeping(containers.engine, backend) as ours:
        await backend.put_foreign(FOREIGN)
        await eventually(ours.holds(), 3.0)
        await backend.wipe()
        await backend.put_foreign(FOREIGN)
        await eventually(ours.holds(), 2.0, "what was wiped")


async def test_what_changes_while_a_store_is_down_or_frozen_is_exact_afterwards(
    backend: Backend, containers: Containers
) -> None:
    await backend.put_foreign(FOREIGN)
    first = [await run(containers, f"old{number}") for number in range(3)]
    await backend.stop()
    async with keeping(containers.engine, backend) as ours:
        assert ours.registrar.trouble() is not None
        await backend.start()
        await eventually(ours.holds(), 5.0, "what ran when the store came")
        await backend.freeze()
        thawing = asyncio.get_running_loop().time() + 5.0
        for number in range(7):
            await run(containers, f"new{number}")
        await asyncio.to_thread(containers.remove, *first)
        await asyncio.sleep(max(0.0, thawing - asyncio.get_running_loop().time()))
        await backend.thaw()
        await eventually(ours.holds(), 5.0, "what runs after the frost")
        before = await backend.revision()
        await asyncio.sleep(1.0)
        assert await backend.revision() == before, "nothing is written twice"
        assert await ours.holds()()


async def test_two_registrars_of_one_host_name_that_clean_up_leave_each_other_alone(
    backend: Backend, containers: Containers, other: PrivateEngine
) -> None:
    await backend.put_foreign(FOREIGN)
    settings = RegistrarSettings(cleanup=True, resync=0.3)
    theirs = Containers(other)
    one = await run(containers, "one")
    try:
        async with (
            keeping(containers.engine, backend, settings) as ours,
            keeping(other, backend, settings, "192.0.2.8") as second,
        ):
            two = await run(theirs, "two")
            await eventually(ours.holds(second), 3.0, "both")
            assert {each.id for each in (*ours.wanted(), *second.wanted())} == {
                f"{NODE}:{one}:80",
                f"{NODE}:{two}:80",
            }
            for _ in range(15):  # several looks of each
                await asyncio.sleep(0.1)
                assert await ours.holds(second)()
            await asyncio.to_thread(theirs.remove, two)
            await eventually(ours.holds(), 3.0, "the one that stays")
        async with keeping(other, backend, settings, "192.0.2.8"):
            await asyncio.sleep(1.0)  # two looks of one that begins, while nobody keeps the other's
            assert await ours.holds()()
    finally:
        await asyncio.to_thread(theirs.clean)
