"""What the cases share: instances, a small registrar, and waiting with a limit."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Instance, InstanceId, Key, Origin, key_of
from sidecar.errors import StoreUnavailable
from sidecar.runtime.component import Component
from sidecar.stores.base import Edge, Holder, Mirror
from tests.support.pace import allowed

__all__ = [
    "HERE",
    "THERE",
    "Keeper",
    "entry",
    "eventually",
    "mirrored",
    "quiet",
    "running",
    "seconds",
    "wanted",
]

HERE = Holder("registrar:engine-1", "vm-1")
THERE = Holder("registrar:engine-2", "vm-2")


def entry(
    service: str = "web",
    port: int = 21001,
    *,
    holder: Holder = HERE,
    address: str = "192.0.2.1",
    protocol: str = "tcp",
    inside: int = 80,
    **overrides: Any,
) -> Instance:
    """Return the instance of a container's port, named as the registrar names it."""
    suffix = ":udp" if protocol == "udp" else ""
    fields: dict[str, Any] = {
        "id": InstanceId(f"{holder.node}:{service}-{port}:{inside}{suffix}"),
        "service": service,
        "node": holder.node,
        "address": address,
        "port": port,
        "owner": holder.owner,
        "tags": ("udp",) if suffix else (),
        "tags_given": bool(suffix),
        "origin": Origin(f"{port:064x}", f"{port:012x}", inside, protocol),
    }
    return Instance(**(fields | overrides))


def wanted(*instances: Instance) -> dict[Key, Instance | None]:
    """Return what ``Edge.write`` takes to make these."""
    return {key_of(each): each for each in instances}


async def eventually(
    condition: Callable[[], Awaitable[object]], limit: float, what: str = "the condition"
) -> None:
    """Return when the condition holds; fail with its last value after ``limit`` seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + allowed(limit)
    while not (last := await condition()):
        assert loop.time() < deadline, f"{what} did not come in {limit} s: {last!r}"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def _served(components: Iterable[Component]) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each.run(lambda: None), name=each.name) for each in components]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


@asynccontextmanager
async def running(*edges: Edge) -> AsyncIterator[None]:
    """Run what these edges need, and close them. A component that raises fails the test."""
    try:
        async with _served(each for edge in edges for each in edge.components):
            yield
    finally:
        for edge in edges:
            await edge.close()


@asynccontextmanager
async def mirrored(make: Callable[[Catalog], Mirror]) -> AsyncIterator[tuple[Catalog, Mirror]]:
    """Run a mirror of the store; yields once it said it is ready, with its catalogue."""
    catalog = Catalog()
    mirror = make(catalog)
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(mirror.run(ready.set), name=mirror.name)
        try:
            async with asyncio.timeout(10):
                await ready.wait()
            yield catalog, mirror
        finally:
            task.cancel()


async def quiet(edge: Edge, desired: Mapping[Key, Instance], holder: Holder = HERE) -> None:
    """Take the disturbances that writing may have left, until one second brings no more."""
    for _ in range(5):
        try:
            async with asyncio.timeout(1):
                await edge.disturbed()
        except TimeoutError:
            return
        assert not await edge.audit(desired, holder)
    raise AssertionError("the edge is disturbed again and again though nobody touches its entries")


class Keeper:
    """A registrar in small: writes what changed, audits when disturbed, tries again."""

    def __init__(self, edge: Edge, holder: Holder = HERE) -> None:
        """Keep the holder's entries on this edge."""
        self.desired: dict[Key, Instance] = {}
        self._edge = edge
        self._holder = holder
        self._dirty: set[Key] = set()
        self._wake = asyncio.Event()

    def want(self, *instances: Instance) -> None:
        """Desire these from now on."""
        for each in instances:
            self.desired[key_of(each)] = each
            self._dirty.add(key_of(each))
        self._wake.set()

    def drop(self, *instances: Instance) -> None:
        """Desire these no more."""
        for each in instances:
            self.desired.pop(key_of(each), None)
            self._dirty.add(key_of(each))
        self._wake.set()

    async def settled(self, limit: float = 5.0) -> None:
        """Return when nothing is left to write."""
        await eventually(self._is_settled, limit, "the end of writing")

    async def _is_settled(self) -> bool:
        return not self._dirty

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Run the edge and keep its entries meanwhile."""
        async with running(self._edge), asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._write()), group.create_task(self._watch())]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch = {key: self.desired.get(key) for key in self._dirty}
            try:
                await self._edge.write(batch)
            except StoreUnavailable:
                self._wake.set()
                await asyncio.sleep(0.1)
                continue
            # What changed meanwhile stays to be written.
            self._dirty -= {k for k, each in batch.items() if self.desired.get(k) is each}

    async def _watch(self) -> None:
        while True:
            await self._edge.disturbed()
            while True:
                try:
                    self._dirty |= await self._edge.audit(self.desired, self._holder)
                    break
                except StoreUnavailable:
                    await asyncio.sleep(0.1)
            if self._dirty:
                self._wake.set()


@contextmanager
def seconds(limit: float) -> Iterator[None]:
    """Fail when the block takes longer."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    yield
    took = loop.time() - began
    assert took <= allowed(limit), f"took {took:.2f} s, more than {limit} s"
