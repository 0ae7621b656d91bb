"""The component: listeners, the source of servers, and what is swept."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from ambassador.frame.address import Address
from ambassador.frame.listening import Door
from ambassador.frame.room import room_for
from ambassador.frame.tls import client_context, server_context
from ambassador.redis.client import Client
from ambassador.redis.hub import Hub
from ambassador.redis.settings import Listener, RedisSettings
from ambassador.redis.sweeping import sweep
from ambassador.redis.watching import watch
from sidecar.errors import AddressInUse, ConfigError, UpstreamUnavailable
from sidecar.runtime.log import get_logger

if TYPE_CHECKING:
    import ssl

__all__ = ["RedisAmbassador", "Topology"]

_log = get_logger("ambassador")
_DRAIN: Final = 5.0


_FIXED: Final = ("upstream.source", "upstream.tls", "workers")


def _fitted(settings: RedisSettings) -> RedisSettings:
    """Return the settings with as many clients as there are descriptors for."""
    is_shared = settings.is_multiplexed
    most = room_for(settings.max_clients, each=2 - is_shared, shared=0.25 * is_shared)
    return replace(settings, max_clients=most)


def _of(settings: RedisSettings, name: str) -> object:
    return getattr(settings, name.removeprefix("upstream."))


class Topology(Protocol):
    """Where the servers are learned from."""

    async def follow(self, hub: Hub) -> None:
        """Tell the hub which servers there are until cancelled."""


def _kinds(settings: RedisSettings) -> tuple[type[Hub], Callable[[Any, Listener], Client]]:
    """Return what is shared, and what serves a client."""
    if settings.source != "cluster":
        return Hub, Client
    from ambassador.redis.cluster.client import ClusterClient  # noqa: PLC0415 - memory
    from ambassador.redis.cluster.hub import ClusterHub  # noqa: PLC0415

    return ClusterHub, ClusterClient


class RedisAmbassador:
    """Serves clients until it is cancelled."""

    name = "ambassador"

    def __init__(self, settings: RedisSettings, topology: Topology) -> None:
        """Open nothing yet."""
        self._settings = settings
        self._topology = topology
        self.hub: Hub | None = None
        self._doors: dict[Address, Door] = {}
        self._listeners: dict[Address, Listener] = {}
        self._group: asyncio.TaskGroup | None = None
        self._following: asyncio.Task[None] | None = None
        self._make: Callable[[Any, Listener], Client] = Client

    @property
    def serving(self) -> Hub:
        """Return the shared state. Raises UpstreamUnavailable while it does not serve."""
        if self.hub is None:
            raise UpstreamUnavailable("not serving yet")
        return self.hub

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve; raises AddressInUse and ConfigError."""
        settings = self._settings
        context = await asyncio.to_thread(client_context, settings.tls)
        async with asyncio.TaskGroup() as group:
            make, self._make = _kinds(settings)
            hub = self.hub = make(_fitted(settings), group, watch, context=context)
            sweeping = group.create_task(sweep(hub), name="sweep")
            self._following = group.create_task(self._topology.follow(hub), name="topology")
            self._group = group
            try:
                await self._open(hub, settings)
                ready()
                await asyncio.get_running_loop().create_future()
            finally:
                await self._stop(hub, sweeping)

    async def reload(self, settings: RedisSettings, topology: Topology | None = None) -> None:
        """Take new settings: all of them or none. Clients stay, with what they came for.

        Raises ConfigError and AddressInUse.
        """
        hub = self.serving
        fixed = [name for name in _FIXED if _of(settings, name) != _of(self._settings, name)]
        if fixed:
            raise ConfigError([f"{name}: this needs a restart" for name in fixed])
        await self._open(hub, settings)
        self._settings = settings
        hub.take(_fitted(settings))
        wanted = {listener.bind for listener in settings.listeners}
        for bind in [known for known in self._doors if known not in wanted]:
            door = self._doors.pop(bind)
            door.close()
            await door.clean()
        if topology is not None and self._following is not None and self._group is not None:
            self._following.cancel()
            self._topology = topology
            self._following = self._group.create_task(topology.follow(hub), name="topology")
        _log.info("reloaded", listeners=len(self._doors))

    @property
    def addresses(self) -> list[Address]:
        """Return where it listens."""
        return [door.address for door in self._doors.values()]

    async def _open(self, hub: Hub, settings: RedisSettings) -> None:
        """Listen where it does not yet; nothing is opened when one cannot be."""
        opened: dict[Address, Door] = {}
        changed: list[tuple[Door, ssl.SSLContext | None]] = []
        try:
            for listener in settings.listeners:
                context = await asyncio.to_thread(server_context, listener.tls)
                if listener.bind in self._doors:
                    if listener.tls or self._listeners[listener.bind].tls:
                        changed.append((self._doors[listener.bind], context))
                    continue
                door = Door(
                    listener.bind,
                    partial(self._client, hub, listener.bind),
                    context=context,
                    is_shared=settings.workers > 1,
                )
                opened[listener.bind] = door
                await door.open()
        except (AddressInUse, ConfigError):
            for door in opened.values():
                door.close()
            raise
        for door, fresh in changed:
            await door.change(fresh)  # the certificate may be another in the same file
        self._doors |= opened
        self._listeners = {listener.bind: listener for listener in settings.listeners}
        for bind, door in opened.items():
            mode = self._listeners[bind].mode
            _log.info("serving", address=str(door.address), mode=mode)

    def _client(self, hub: Hub, bind: Address) -> Client:
        return self._make(hub, self._listeners[bind])

    async def _stop(self, hub: Hub, sweeping: asyncio.Task[None]) -> None:
        """Take no more, finish what is under way for some seconds, end."""
        for door in self._doors.values():
            door.close()
        hub.stopping = True
        try:
            async with asyncio.timeout(_DRAIN):
                await hub.finished()
        except TimeoutError:
            _log.warning("commands under way are dropped")
        finally:
            for client in list(hub.clients):
                client.close("")
            hub.end()
            for task in (sweeping, self._following):
                if task is not None:
                    task.cancel()
            for door in self._doors.values():
                await door.clean()
            self._doors.clear()
            self.hub = None

    def refresh(self) -> None:
        """Bring the metrics up to date."""
        if self.hub is not None:
            self.hub.tallies.refresh()

    def trouble(self) -> str | None:
        """Say so while there is no primary, or no replica where one is asked for."""
        hub = self.hub
        if hub is None:
            return "not serving yet"
        return hub.trouble() or (hub.unreadable() if hub.settings.ready == "replica" else None)
