"""The hosts whose containers are registered: this one, or those of the scheduler's list.

Each has an engine, a registrar of its own, and who drains its containers. What a registrar writes
goes to the same stores whichever host it is of.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from registrar.component import Registrar
from registrar.draining import Drainer
from registrar.host import host_addresses
from registrar.ports import Place, place_of
from registrar.tagging import tagging_of
from sidecar.catalog.model import Node
from sidecar.config.model import DnsSettings, Settings
from sidecar.config.units import duration, endpoints
from sidecar.engine.client import Engine, EngineInfo, ExtraTags
from sidecar.engine.connection import Tls
from sidecar.runtime.clock import Clock
from sidecar.scheduler.nodes.node import NodeSettings, host_of
from sidecar.stores.embedded import EmbeddedStore

if TYPE_CHECKING:
    from sidecar.catalog.work import InFlight
    from sidecar.stores.base import Edge

__all__ = ["Host", "Maker", "names_kept", "own_ports"]

_SSH: Final = "ssh:"
_LOOKUP: Final = 1.0


@dataclass(frozen=True, slots=True)
class Host:
    """One host; ``settings.endpoint`` is where its engine is reached from here."""

    settings: NodeSettings
    engine: Engine
    registrar: Registrar
    drainer: Drainer
    edges: "tuple[Edge, ...]"


def names_kept(dns: DnsSettings) -> Callable[[str], float]:
    """Return for how long a client may use what it was told of a service: its TTL and a second.

    The second is for who asked a moment ago and connects now.
    """
    pairs = (entry.rpartition("=") for entry in dns.service_ttl)
    ttls = {name.casefold(): duration(text) for name, _, text in pairs}

    def kept(service: str) -> float:
        if not (dns.listen or dns.tls_listen or dns.https_listen):
            return 0.0
        name = service.casefold()
        keys = (name, *(f"{name[:end]}*" for end in range(len(name), -1, -1)))
        return next((ttls[key] for key in keys if key in ttls), dns.ttl) + _LOOKUP

    return kept


class _NodeEngine(Engine):
    """An engine that is known by its node's name: copies of one machine share an engine's id."""

    def __init__(self, url: str, node: str, tls: Tls | None, extra_tags: ExtraTags | None) -> None:
        super().__init__(url, tls=tls, extra_tags=extra_tags)
        self._node = node

    async def info(self) -> EngineInfo:
        """Return who answers, by the node's name."""
        found = await super().info()
        return EngineInfo(id=self._node, name=found.name, version=found.version)


class Maker:
    """Makes hosts; ``stack`` closes what they hold."""

    def __init__(
        self,
        settings: Settings,
        store: EmbeddedStore,
        clock: Clock,
        stack: AsyncExitStack,
        *,
        work: "InFlight | None",
        is_shared: bool,
    ) -> None:
        """``is_shared``: the catalogue is a mirror of a store that others write too."""
        self._settings = settings
        self._store = store
        self._clock = clock
        self._stack = stack
        self._work = work
        self._is_shared = is_shared

    async def this_one(self) -> Host:
        """Return the host that we run on."""
        settings = self._settings
        address, second = await self._addresses()
        engine = Engine(settings.docker.url, extra_tags=tagging_of(settings.registrar.tags))
        node = NodeSettings(
            name=settings.registrar.node, endpoint=settings.docker.url, advertise=address
        )
        place = place_of(
            settings.registrar,
            node=node.name,
            address=address,
            second=second,
            own_ports=own_ports(settings),
        )
        return await self._host(node, engine, place)

    async def node(self, node: NodeSettings) -> Host:
        """Return the host of a node."""
        settings = self._settings
        own, _ = await self._addresses()
        address = node.advertise or host_of(node.endpoint) or own
        url = node.endpoint
        if url.startswith(_SSH):
            from sidecar.scheduler.nodes.tunnel import Tunnel, command_of  # noqa: PLC0415

            tunnel = Tunnel(command_of(url))
            self._stack.push_async_callback(tunnel.close)
            url = await tunnel.open()
        files = node.files
        tls = None
        if files is not None:
            tls = Tls(files.ca, files.cert, files.key, files.is_verified)
        engine = _NodeEngine(url, node.name, tls, tagging_of(settings.registrar.tags))
        # The settings' own addresses are of the host that we run on.
        registrar = msgspec.structs.replace(settings.registrar, ip=node.advertise, second_ip="")
        place = place_of(registrar, node=node.name, address=address, own_ports=own_ports(settings))
        return await self._host(
            NodeSettings(
                name=node.name,
                endpoint=url,
                advertise=address,
                labels=node.labels,
                reserve=node.reserve,
                overcommit=node.overcommit,
                files=files,
                is_leader_capable=node.is_leader_capable,
            ),
            engine,
            place,
        )

    async def _host(self, node: NodeSettings, engine: Engine, place: Place) -> Host:
        self._stack.push_async_callback(engine.close)
        edges = self._edges(Node(name=node.name, address=node.advertise))
        registrar = Registrar(
            engine,
            edges,
            self._settings.registrar,
            place=place,
            ping=self._settings.docker.ping,
        )
        drainer = Drainer(
            engine,
            registrar,
            self._clock,
            work=self._work,
            default=self._settings.lb.drain,
            is_shared=self._is_shared,
            kept=names_kept(self._settings.dns),
        )
        return Host(node, engine, registrar, drainer, tuple(edges))

    async def _addresses(self) -> tuple[str, str]:
        return await asyncio.to_thread(host_addresses, self._settings.registrar)

    def _edges(self, node: Node) -> "list[Edge]":
        """Return where a registrar writes: the store, and those besides it."""
        given = self._settings.registrar
        urls = list(given.stores)
        edges: list[Edge] = []
        if self._is_shared:
            urls.insert(0, self._settings.store.url)
        else:
            from registrar.embedded import EmbeddedEdge  # noqa: PLC0415

            edges.append(EmbeddedEdge(self._store, node))
        if urls:
            from sidecar.stores.base import EdgeOptions  # noqa: PLC0415
            from sidecar.stores.opening import open_edge  # noqa: PLC0415

            options = EdgeOptions(
                ttl=given.ttl,
                refresh=given.ttl_refresh,
                is_marked=not given.compat,
                is_original=given.compat,
            )
            edges += (open_edge(url, options, clock=self._clock) for url in urls)
        for edge in edges:
            self._stack.push_async_callback(edge.close)
        return edges


def own_ports(settings: Settings) -> frozenset[int]:
    """Return the ports this program listens on: no label may point there."""
    dns, lb = settings.dns, settings.lb
    of_dns = dns.listen, dns.tls_listen, dns.https_listen
    listens = (settings.http.listen, *of_dns, lb.listen, lb.tls_listen, lb.stats)
    return frozenset(place.port for text in listens for place in endpoints(text))
