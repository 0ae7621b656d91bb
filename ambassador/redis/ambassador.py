"""The component: listeners, the source of servers, and what is swept."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from ambassador.frame.listening import Door
from ambassador.frame.secrecy import client_context, server_context
from ambassador.redis.hub import Hub
from ambassador.redis.settings import RedisSettings
from ambassador.redis.sweeping import sweep
from ambassador.redis.watching import watch
from sidecar.runtime.log import get_logger

__all__ = ["RedisAmbassador", "Topology"]

_log = get_logger("ambassador")
_DRAIN: Final = 5.0


class Topology(Protocol):
    """Where the servers are learned from."""

    async def follow(self, hub: Hub) -> None:
        """Tell the hub which servers there are until cancelled."""


class RedisAmbassador:
    """Serves clients until it is cancelled."""

    name = "ambassador"

    def __init__(self, settings: RedisSettings, topology: Topology) -> None:
        """Open nothing yet."""
        self._settings = settings
        self._topology = topology
        self.hub: Hub | None = None
        self.doors: list[Door] = []

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve; raises AddressInUse and ConfigError."""
        settings = self._settings
        context = await asyncio.to_thread(client_context, settings.tls)
        async with asyncio.TaskGroup() as group:
            hub = self.hub = Hub(settings, group, context=context)
            hub.watch_by(watch)
            tasks = [
                group.create_task(sweep(hub), name="sweep"),
                group.create_task(self._topology.follow(hub), name="topology"),
            ]
            try:
                await self._open(hub)
                ready()
                await asyncio.get_running_loop().create_future()
            finally:
                await self._stop(hub, tasks)

    async def _open(self, hub: Hub) -> None:
        shared = self._settings.workers > 1
        for listener in self._settings.listeners:
            context = await asyncio.to_thread(server_context, listener.tls)
            door = Door(
                listener.bind,
                lambda listener=listener: hub.client(listener),  # type: ignore[misc]
                context=context,
                is_shared=shared,
            )
            await door.open()
            self.doors.append(door)
            _log.info("serving", address=str(door.address), mode=listener.mode)

    async def _stop(self, hub: Hub, tasks: list[asyncio.Task[None]]) -> None:
        """Take no more, finish what is under way for some seconds, end."""
        for door in self.doors:
            door.close()
        hub.stopping = True
        try:
            async with asyncio.timeout(_DRAIN):
                while any(client.runs or client.backlog for client in hub.clients):
                    await asyncio.sleep(0.01)
        except TimeoutError:
            _log.warning("commands under way are dropped")
        finally:
            for client in list(hub.clients):
                client.close("")
            hub.end()
            for task in tasks:
                task.cancel()
            for door in self.doors:
                await door.clean()
            self.doors.clear()

    def trouble(self) -> str | None:
        """Say so while there is no primary."""
        if self.hub is None or self.hub.primary is not None:
            return None
        return self.hub.verdict.why or "no primary"
