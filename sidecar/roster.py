"""The hosts of the scheduler's list, as that changes: files that are read again, and keys.

A host that is new gets an engine, a registrar and a link; one that is listed no more loses them,
and what it runs leaves the catalogue. A registrar that fails is started again by itself.

A node that registers itself (``pinnace agent --endpoint``) is known while its key is written. It is
not forgotten as soon as that ends, as that may be what a lost host does, and losing hosts is the
scheduler's business; but after so long that nobody waits for it.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from typing import Final, NamedTuple, Protocol

from sidecar.catalog.kv import Entry, Listing
from sidecar.errors import ConfigError, PinnaceError, StoreDenied, StoreUnavailable
from sidecar.hosts import Host, Maker
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from sidecar.runtime.supervisor import Supervisor
from sidecar.scheduler.fencing import FOLDER, record_of
from sidecar.scheduler.nodes.node import NodeSettings
from sidecar.scheduler.nodes.settings import merged, registered
from sidecar.stores.base import KeyValue

__all__ = ["Follower", "Roster"]

_log = get_logger("nodes")
_LOOK: Final = 1.0
_FORGET: Final = 600.0
_GRACE: Final = 5.0
_START: Final = 8.0
Nodes = Mapping[str, NodeSettings]


class Follower(Protocol):
    """Who works with the hosts; both calls must not block."""

    def join(self, host: Host) -> None:
        """Take one more."""

    def leave(self, name: str) -> None:
        """Let one go."""


class _Place(NamedTuple):
    """A host's parts."""

    host: Host
    given: NodeSettings
    supervisor: Supervisor
    task: asyncio.Task[None]
    stack: AsyncExitStack
    served: asyncio.Event


class _Told(NamedTuple):
    """What a key said, in which version, and since when."""

    value: bytes
    version: int
    at: float


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
        self._keys = keys
        self._maker = maker
        self._clock = clock
        self._places: dict[str, _Place] = {}
        self._listed: list[NodeSettings] = []
        self._told: dict[str, _Told] = {}
        self._is_heard = keys is None
        self._trouble: str | None = None
        self._bad: dict[str, bytes] = {}
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
                if self._keys is not None:
                    group.create_task(self._hear(self._keys), name="registered nodes")
                while True:
                    if self._is_heard:
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

    # Nodes that register themselves

    async def _hear(self, keys: KeyValue) -> None:
        backoff = Backoff(0.1, 5.0)
        while True:
            try:
                async for listing in keys.watch(FOLDER):
                    self._take(listing)
                    backoff.reset()
            except (StoreUnavailable, StoreDenied) as error:
                _log.warning("registered nodes cannot be read", reason=error)
            await self._clock.sleep(backoff.next())

    def _take(self, listing: Listing) -> None:
        now = self._clock.monotonic()

        def told(entry: Entry) -> _Told:
            known = self._told.get(entry.key)
            if known is not None and known.version == entry.modify_index:
                return known
            return _Told(entry.value, entry.modify_index, now)

        self._told = {entry.key: told(entry) for entry in listing.entries}
        self._is_heard = True

    def _registered(self) -> list[NodeSettings]:
        found, now = [], self._clock.monotonic()
        for key, told in self._told.items():
            about = record_of(told.value).node
            if not about or now - told.at > _FORGET:
                continue
            name = key.removeprefix(FOLDER)
            try:
                found.append(registered({**about, "name": name}, key))
            except ConfigError as error:
                if self._bad.get(key) != told.value:
                    _log.error("a registered node is not taken", reason=error)
                self._bad[key] = told.value
        return found

    # What follows

    async def _settle(self) -> None:
        listed = {each.name for each in self._listed}
        others = [each for each in self._registered() if each.name not in listed]
        wanted: Nodes = {each.name: each for each in merged([self._listed, others])}
        for name, place in [*self._places.items()]:
            if wanted.get(name) != place.given:
                await self._leave(name)
        self._failed = {name: why for name, why in self._failed.items() if name in wanted}
        for name, node in wanted.items():
            if name not in self._places:
                await self._join(node)

    async def _join(self, node: NodeSettings) -> None:
        stack = AsyncExitStack()
        try:
            host = await self._maker(stack).node(node)
        except PinnaceError as error:
            await stack.aclose()
            if node.name not in self._failed:
                _log.error("a node cannot be taken", node=node.name, reason=error)
            self._failed[node.name] = f"{node.name}: {error}"
            return
        self._failed.pop(node.name, None)
        parts = [part for edge in host.edges for part in edge.components]
        supervisor = Supervisor([*parts, host.registrar], clock=self._clock, grace=_GRACE)
        served = asyncio.Event()
        task = self._group.create_task(supervisor.run(served.set), name=f"host {node.name}")
        self.hosts[node.name] = host
        self._places[node.name] = _Place(host, node, supervisor, task, stack, served)
        if self.is_complete:
            _log.info("a node is new", node=node.name, endpoint=node.endpoint)
        for each in self.followers:
            each.join(host)

    async def _leave(self, name: str) -> None:
        host = self._places[name].host
        _log.info("a node is listed no more", node=name)
        for each in self.followers:
            each.leave(name)
        host.registrar.withdraw_all()
        try:
            async with asyncio.timeout(_GRACE):
                await host.registrar.written()
        except TimeoutError:
            _log.warning("entries of a node may be left", node=name)
        await self._end(name)

    async def _end(self, name: str) -> None:
        place = self._places.pop(name)
        place.supervisor.stop()
        await asyncio.wait([place.task], timeout=2 * _GRACE)
        place.task.cancel()
        self.hosts.pop(name, None)
        await place.stack.aclose()
