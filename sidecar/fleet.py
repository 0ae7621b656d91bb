"""The engines that the scheduler works with, and what registers what runs on each of them.

Each node has a registrar of its own, the same as one host has: what the scheduler starts comes
into the catalogue, into DNS and to the proxy in no other way.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final, Protocol

from registrar.component import Registrar
from registrar.draining import Drainer
from sidecar.catalog.model import Instance
from sidecar.catalog.work import Drains, InFlight
from sidecar.engine.client import Engine, EngineInfo
from sidecar.engine.connection import Tls
from sidecar.engine.operations import Operations
from sidecar.runtime.clock import Clock
from sidecar.scheduler.nodes.link import Link, Times
from sidecar.scheduler.nodes.settings import NodeSettings
from sidecar.scheduler.nodes.tunnel import Tunnel, command_of

__all__ = ["Fleet", "NodeEngine", "Registered", "linked"]

_ASK: Final = 0.2
_SSH: Final = "ssh:"


class NodeEngine(Engine):
    """An engine that is known by its node's name: copies of one machine share an engine's id."""

    def __init__(self, url: str, *, node: str, tls: Tls | None = None) -> None:
        """``node`` is the configured name."""
        super().__init__(url, tls=tls)
        self._node = node

    async def info(self) -> EngineInfo:
        """Return who answers, by the node's name."""
        found = await super().info()
        return EngineInfo(id=self._node, name=found.name, version=found.version)


async def linked(
    settings: NodeSettings, *, clock: Clock, times: Times, stack: AsyncExitStack
) -> tuple[Link, Engine]:
    """Return a node's link and engine; ``stack`` closes them."""
    url = settings.endpoint
    if url.startswith(_SSH):
        tunnel = Tunnel(command_of(url))
        stack.push_async_callback(tunnel.close)
        url = await tunnel.open()
    files = settings.files
    tls = None
    if files is not None:
        tls = Tls(files.ca, files.cert, files.key, files.is_verified)
    engine = NodeEngine(url, node=settings.name, tls=tls)
    operations = Operations(url, tls=tls)
    for close in (engine.close, operations.close):
        stack.push_async_callback(close)
    return Link(settings, engine, operations, clock=clock, times=times), engine


@dataclass(frozen=True, slots=True)
class Registered:
    """A node with who registers what runs there."""

    registrar: Registrar
    drainer: Drainer


class Balancer(InFlight, Protocol):
    """Who sends work to instances (the load balancer)."""

    def routes_to(self, instance: Instance) -> bool:
        """Say whether it is to send work to an instance."""


class Fleet:
    """Component and ``sidecar.scheduler.traffic.Traffic``: whether work reaches containers."""

    name = "fleet"

    def __init__(
        self,
        nodes: Mapping[str, Registered],
        clock: Clock,
        *,
        balancer: Balancer | None,
    ) -> None:
        """``nodes`` by name."""
        self.changed = asyncio.Event()
        self._nodes = nodes
        self._clock = clock
        self._balancer = balancer
        self._asked: dict[tuple[str, str], bool | None] = {}
        self._lacking: set[tuple[str, str]] = set()

    async def run(self, ready: Callable[[], None]) -> None:
        """Ask the load balancer about those that somebody waits for."""
        ready()
        while True:
            await self._clock.sleep(_ASK)
            for key in [key for key, known in self._asked.items() if known is False]:
                await self._ask(*key)

    async def _ask(self, node: str, id_: str) -> None:
        """Find out whether the proxy has a container; one that it is not to have is not asked for.

        Routes follow the catalogue at once, so what they lack a second time they are to lack.
        """
        instances = self._nodes[node].registrar.instances(id_)
        if self._balancer is None or instances is None:
            return
        wanted = [each for each in instances if self._balancer.routes_to(each)]
        if wanted:
            counts = [await self._balancer.in_flight(each) for each in wanted]
            self._answer(node, id_, is_routed=None not in counts)
        elif (node, id_) in self._lacking:
            self._answer(node, id_, is_routed=None)
        else:
            self._lacking.add((node, id_))

    def _answer(self, node: str, id_: str, *, is_routed: bool | None) -> None:
        if self._asked[node, id_] is not is_routed:
            self._asked[node, id_] = is_routed
            self.changed.set()

    def drains(self, node: str) -> Drains | None:
        """Return who drains containers of a node."""
        found = self._nodes.get(node)
        return found.drainer if found is not None else None

    def withdraw(self, node: str, id_: str) -> None:
        """Take a container that cannot be reached out of the catalogue."""
        if node in self._nodes:
            self._nodes[node].registrar.withdraw(id_)

    def suspend(self, node: str, *, on: bool, but: Collection[str] = ()) -> None:
        """Send nothing new to all that runs on a node, or take that back."""
        if node in self._nodes:
            self._nodes[node].registrar.suspend(on=on, but=but)

    def is_routed(self, node: str, id_: str) -> bool | None:
        """Say whether work reaches a container; None: nobody sends it any."""
        if self._balancer is None or node not in self._nodes:
            return None
        return self._asked.setdefault((node, id_), False)

    def forget(self, ids: Collection[str]) -> None:
        """Forget all containers but these."""
        self._asked = {key: known for key, known in self._asked.items() if key[1] in ids}
        self._lacking = {key for key in self._lacking if key[1] in ids}
