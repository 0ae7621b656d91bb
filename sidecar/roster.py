"""The hosts of the scheduler's list, as that changes: files that are read again, and keys.

A host that is new gets an engine, a registrar and a link; one that is listed no more loses them,
and what it runs leaves the catalogue. One that is reached in another way gets others in their
place, as over a restart: its entries stay, and the new registrar compares them with what it finds.
Until it has, the old one is kept to take them out. What else is set of a host (labels, room)
changes in place. A registrar that fails is started again by itself.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from typing import Final, NamedTuple, Protocol

from sidecar.errors import ConfigError, PinnaceError
from sidecar.hosts import Host, Maker
from sidecar.registered import Registered
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from sidecar.runtime.supervisor import Supervisor
from sidecar.scheduler.nodes.node import NodeSettings
from sidecar.scheduler.nodes.settings import merged
from sidecar.stores.base import KeyValue

__all__ = ["Follower", "Roster"]

_log = get_logger("nodes")
_LOOK: Final = 1.0
_GRACE: Final = 5.0
_START: Final = 8.0
Nodes = Mapping[str, NodeSettings]


class Follower(Protocol):
    """Who works with the hosts; both calls must not block."""

    def join(self, host: Host) -> None:
        """Take one more."""

    def leave(self, name: str) -> None:
        """Let one go."""

    def change(self, host: Host) -> None:
        """Take what is set of one anew; it is reached as before."""


class _Place(NamedTuple):
    """A host's parts."""

    host: Host
    given: NodeSettings
    supervisor: Supervisor
    task: asyncio.Task[None]
    stack: AsyncExitStack
    served: asyncio.Event
    before: "_Place | None" = None
    """What it was, while its entries are those that this wrote."""


class Roster:
    """Component: keeps the hosts; ``hosts`` is a mapping that changes in place."""

    name = "nodes"

    def __init__(
        self,
        read: Callable[[], list[NodeSettings]],
        keys: KeyValue | None,
        maker: Callable[[AsyncExitStack], Maker],
        *,
        clock: Clock,
    ) -> None:
        """``read`` blocks, and raises ConfigError; ``keys``: where nodes register, if they may."""
        self.hosts: dict[str, Host] = {}
        self.followers: list[Follower] = []
        self.is_complete = False
        """Whether all nodes that are known are here."""
        self._read = read
        self._maker = maker
        self._clock = clock
        self._places: dict[str, _Place] = {}
        self._listed: list[NodeSettings] = []
        self._registered = Registered(keys, clock) if keys is not None else None
        self._trouble: str | None = None
        self._failed: dict[str, str] = {}

    def trouble(self) -> str | None:
        """Return what keeps the list from being taken, or None."""
        return self._trouble or next(iter(self._failed.values()), None)

    async def open(self) -> None:
        """Read the files. Raises ConfigError."""
        self._listed = await asyncio.to_thread(self._read)

    async def run(self, ready: Callable[[], None]) -> None:
        """Follow until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                if self._registered is not None:
                    group.create_task(self._registered.run(), name="registered nodes")
                while True:
                    if self._registered is None or self._registered.is_heard:
                        await self._settle()
                        if not self.is_complete:
                            await self._served()
                            ready()
                        self.is_complete = True
                    await self._clock.sleep(_LOOK if self.is_complete else 0.05)
                    await self._look()
        finally:
            await asyncio.gather(*map(self._end, [*self._places]))

    async def _served(self) -> None:
        """Return when all have been looked at once, or cannot be, or it takes too long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_START):
                for place in self._places.values():
                    await place.served.wait()

    async def _look(self) -> None:
        try:
            found = await asyncio.to_thread(self._read)
        except ConfigError as error:
            if str(error) != self._trouble:
                _log.error("nodes not taken", reason=error)
            self._trouble = str(error)
            return
        self._trouble, self._listed = None, found

    # What follows

    async def _settle(self) -> None:
        listed = {each.name for each in self._listed}
        others = self._registered.nodes() if self._registered is not None else []
        others = [each for each in others if each.name not in listed]
        wanted: Nodes = {each.name: each for each in merged([self._listed, others])}
        for name, place in [*self._places.items()]:
            now = wanted.get(name)
            if now is None:
                await self._leave(name)
            elif _way(now) != _way(place.given):
                await self._swap(place, now)
            else:
                self._failed.pop(name, None)
                await self._keep(place, now)
        self._failed = {name: why for name, why in self._failed.items() if name in wanted}
        for name, node in wanted.items():
            if name not in self._places:
                await self._join(node)

    async def _keep(self, place: _Place, node: NodeSettings) -> None:
        if node != place.given:
            self._change(place, node)
        elif place.before is not None and place.served.is_set():
            self._places[node.name] = place._replace(before=None)
            is_here = place.host.registrar.trouble() is None
            await self._let_go(place.before, is_taken_over=is_here)

    async def _join(self, node: NodeSettings) -> None:
        made = await self._made(node)
        if made is None:
            return
        if self.is_complete:
            _log.info("a node is new", node=node.name, endpoint=node.endpoint)
        self._take_in(node, *made)

    async def _swap(self, place: _Place, node: NodeSettings) -> None:
        """Reach a host in another way; what cannot be made leaves it as it is."""
        made = await self._made(node)
        if made is None:
            return
        _log.info("a node is reached anew", node=node.name, endpoint=node.endpoint)
        await self._stop(place)
        before = place.before or place
        if before is not place:
            await place.stack.aclose()
        for each in self.followers:
            each.leave(node.name)
        self._take_in(node, *made, before=before)

    async def _let_go(self, place: _Place, *, is_taken_over: bool) -> None:
        """Close what a host was; nobody else knows of its entries unless they are taken over."""
        if not is_taken_over:
            try:
                async with asyncio.timeout(_GRACE):
                    await place.host.registrar.forsake()
            except TimeoutError:
                _log.warning("entries of a node may be left", node=place.given.name)
        await place.stack.aclose()

    async def _made(self, node: NodeSettings) -> tuple[Host, AsyncExitStack] | None:
        stack = AsyncExitStack()
        try:
            host = await self._maker(stack).node(node)
        except PinnaceError as error:
            await stack.aclose()
            if node.name not in self._failed:
                _log.error("a node cannot be taken", node=node.name, reason=error)
            self._failed[node.name] = f"{node.name}: {error}"
            return None
        self._failed.pop(node.name, None)
        return host, stack

    def _take_in(
        self, node: NodeSettings, host: Host, stack: AsyncExitStack, before: _Place | None = None
    ) -> None:
        parts = [part for edge in host.edges for part in edge.components]
        supervisor = Supervisor([*parts, host.registrar], clock=self._clock, grace=_GRACE)
        served = asyncio.Event()
        task = self._group.create_task(supervisor.run(served.set), name=f"host {node.name}")
        self.hosts[node.name] = host
        self._places[node.name] = _Place(host, node, supervisor, task, stack, served, before)
        for each in self.followers:
            each.join(host)

    def _change(self, place: _Place, node: NodeSettings) -> None:
        """Take what is set of a host that is reached as before: what it runs is not touched."""
        settings = replace(
            place.host.settings,
            labels=node.labels,
            reserve=node.reserve,
            overcommit=node.overcommit,
            is_leader_capable=node.is_leader_capable,
        )
        host = replace(place.host, settings=settings)
        self.hosts[node.name] = host
        self._places[node.name] = place._replace(host=host, given=node)
        _log.info("a node is changed", node=node.name)
        for each in self.followers:
            each.change(host)

    async def _leave(self, name: str) -> None:
        place = self._places[name]
        _log.info("a node is listed no more", node=name)
        for each in self.followers:
            each.leave(name)
        place.host.registrar.withdraw_all()
        try:
            async with asyncio.timeout(_GRACE):
                await place.host.registrar.written()
        except TimeoutError:
            _log.warning("entries of a node may be left", node=name)
        await self._end(name, is_left=True)

    async def _end(self, name: str, *, is_left: bool = False) -> None:
        place = self._places.pop(name)
        await self._stop(place)
        self.hosts.pop(name, None)
        await place.stack.aclose()
        if place.before is not None:
            await self._let_go(place.before, is_taken_over=not is_left)

    async def _stop(self, place: _Place) -> None:
        place.supervisor.stop()
        await asyncio.wait([place.task], timeout=2 * _GRACE)
        place.task.cancel()


def _way(node: NodeSettings) -> tuple[object, ...]:
    """Return how a node is reached, from here and by clients."""
    return node.endpoint, node.advertise, node.files
