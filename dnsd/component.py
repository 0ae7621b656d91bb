"""The component ``dnsd``: answers from a Source until it is cancelled."""

import asyncio
import random
import secrets
from collections.abc import Callable

from dnsd.cache import Responder
from dnsd.server import Listener
from dnsd.site import site_of
from dnsd.tcp import Connections, Limits
from dnsd.telemetry import Telemetry
from sidecar.config.model import DnsSettings
from sidecar.config.units import Endpoint, endpoint
from sidecar.runtime.clock import Clock, SystemClock
from sidecar.runtime.log import get_logger
from sidecar.stores.base import Source

__all__ = ["DnsServer"]

_log = get_logger("dnsd")


class DnsServer:
    """Serves the zones of the settings on each address in ``listen`` (comma separated)."""

    name = "dnsd"

    def __init__(
        self,
        source: Source,
        settings: DnsSettings,
        *,
        node_name: str,
        clock: Clock | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Check the settings (raises ConfigError); nothing is opened yet."""
        self._source = source
        self._clock = SystemClock() if clock is None else clock
        self._limits = Limits() if limits is None else limits
        self._listen = tuple(map(endpoint, settings.listen.split(",")))
        self._responder = Responder(
            source,
            site_of(
                settings,
                self._listen,
                settings.node_name or node_name,
                secrets.token_bytes(16),
            ),
            serial=int(self._clock.wall()),
            draw=random.random,
            now=self._clock.wall,
        )
        self._telemetry = Telemetry(self._responder)
        self.addresses: tuple[Endpoint, ...] = ()

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve on UDP and TCP; raises AddressInUse when an address cannot be had."""
        connections = Connections(self._responder, self._clock, self._limits)
        listeners: list[Listener] = []
        try:
            for at in self._listen:
                listeners.append(Listener(at))  # noqa: PERF401 - those bound must be closed
            for listener in listeners:
                await listener.start(self._responder, connections, self._telemetry.channel)
            self.addresses = tuple(listener.address for listener in listeners)
            _log.info("serving", addresses=" ".join(map(str, self.addresses)))
            ready()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(connections.sweep(), name="dnsd tcp sweep")
        finally:
            for listener in listeners:
                listener.close()
            await connections.close()

    def trouble(self) -> str | None:
        """Say so while names that are missing cannot be called absent."""
        return None if self._source.synced else "the catalogue has not been read yet"
