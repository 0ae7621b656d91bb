"""The component ``dnsd``: answers from a Source until it is cancelled."""

import asyncio
import random
from collections.abc import Callable

from dnsd import names
from dnsd.authority import Site
from dnsd.cache import Responder
from dnsd.server import Listener, packed_host
from dnsd.tcp import Connections, Limits
from dnsd.telemetry import Telemetry
from sidecar.config.model import DnsSettings
from sidecar.config.units import Endpoint, endpoint
from sidecar.errors import ConfigError
from sidecar.runtime.clock import Clock, SystemClock
from sidecar.runtime.log import get_logger
from sidecar.stores.base import Source

__all__ = ["DnsServer"]

_log = get_logger("dnsd")
_LONGEST_TTL = 2**31 - 1  # RFC 2181 8
_LARGEST_PAYLOAD = 4096


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
            site_of(settings, self._listen, settings.node_name or node_name),
            serial=int(self._clock.wall()),
            draw=random.random,
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


def site_of(settings: DnsSettings, listen: tuple[Endpoint, ...], node_name: str) -> Site:
    """Return what the answers need of the settings; raises ConfigError with every mistake."""
    problems: list[str] = []
    zones: set[names.Zone] = set()
    for key, text in (("domain", settings.domain), ("alt_domain", settings.alt_domain)):
        try:
            if text:
                zones.add(names.zone_of(text))
        except ValueError as error:
            problems.append(f"dns.{key}: {text!r} is no domain: {error}")
    datacenter = names.fold(settings.datacenter)
    if not 1 <= len(datacenter) <= 63 or b"." in datacenter:
        problems.append(f"dns.datacenter: {settings.datacenter!r} is no label")
    if problems:
        raise ConfigError(problems)
    hosts = [packed for at in listen if (packed := packed_host(at)) is not None]
    return Site(
        zones=tuple(sorted(zones, key=lambda zone: -len(zone.labels))),
        datacenter=datacenter,
        node=names.fold(node_name),
        addresses=tuple(dict.fromkeys(hosts)),
        ttl=int(min(max(settings.ttl, 0), _LONGEST_TTL)),
        only_passing=settings.only_passing,
        payload=min(max(settings.max_udp_payload, 512), _LARGEST_PAYLOAD),
    )
