"""How the scheduler hears of work and tells of it: the registrars and the load balancer.

What the scheduler starts comes into the catalogue, into DNS and to the proxy by the registrar of
its node, in no other way.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, Protocol

from sidecar.catalog.matching import Lot
from sidecar.catalog.model import Instance
from sidecar.catalog.work import Drains, InFlight, Load, Step
from sidecar.errors import ApiError
from sidecar.hosts import Host
from sidecar.runtime.clock import Clock

if TYPE_CHECKING:
    from registrar.component import Registrar

__all__ = ["AllDrains", "Balancer", "Fleet"]

_ASK: Final = 0.2


class AllDrains:
    """``sidecar.catalog.work.Drains`` for the containers of all hosts."""

    def __init__(self, hosts: Collection[Host]) -> None:
        """Look for a container on these, one after the other."""
        self._hosts = hosts

    async def drain(
        self, reference: str, *, timeout: float | None = None, stop: bool = True
    ) -> AsyncGenerator[Step, None]:
        """Drain a container, on whichever host it is."""
        drainer = await self._found(reference)
        async with aclosing(drainer.drain(reference, timeout=timeout, stop=stop)) as steps:
            async for step in steps:
                yield step

    async def undo(self, reference: str) -> None:
        """Take a mark back."""
        await (await self._found(reference)).undo(reference)

    async def _found(self, reference: str) -> Drains:
        if not self._hosts:
            raise ApiError(404, "there is no host")
        *others, last = self._hosts
        for host in others:
            if host.registrar.trouble() is None and await host.drainer.has(reference):
                return host.drainer
        return last.drainer  # which says so when there is none


class Balancer(InFlight, Protocol):
    """Who sends work to instances (the load balancer)."""

    def sends_to(self, instance: Instance) -> bool | None:
        """Say whether an instance is to get new work now; None: no route leads to it."""

    async def loads(self) -> Mapping[tuple[str, str, int], Load]:
        """Return what each endpoint does, by service, address and port; none when unknown."""


class Fleet:
    """Component and ``sidecar.scheduler.traffic.Traffic``: whether work reaches containers."""

    name = "fleet"

    def __init__(
        self, hosts: Mapping[str, Host], clock: Clock, *, balancer: Balancer | None
    ) -> None:
        """``hosts`` by name."""
        self.changed = asyncio.Event()
        self._hosts = hosts
        self._clock = clock
        self._balancer = balancer
        self._asked: dict[tuple[str, str], bool | None] = {}
        self._lacking: set[tuple[str, str]] = set()
        self._shares: dict[str, tuple[str, Registrar, Lot]] = {}
        self._labels: dict[str, tuple[Registrar, Mapping[str, str]]] = {}
        """What each was told, and who was: a host that is reached anew has another registrar."""

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
        host = self._hosts.get(node)
        instances = host.registrar.instances(id_) if host is not None else None
        if self._balancer is None or instances is None:
            return
        sent = {each.id: self._balancer.sends_to(each) for each in instances}
        wanted = [each for each in instances if sent[each.id] is not None]
        if wanted:
            counts = [await self._balancer.in_flight(each) for each in wanted]
            self._answer(node, id_, is_routed=None not in counts and False not in sent.values())
        elif (node, id_) in self._lacking:
            self._answer(node, id_, is_routed=None)
        else:
            self._lacking.add((node, id_))

    def _answer(self, node: str, id_: str, *, is_routed: bool | None) -> None:
        if self._asked.get((node, id_), is_routed) is not is_routed:
            self._asked[node, id_] = is_routed
            self.changed.set()

    def drains(self, node: str) -> Drains | None:
        """Return who drains containers of a node."""
        found = self._hosts.get(node)
        return found.drainer if found is not None else None

    def withdraw(self, node: str, id_: str) -> None:
        """Take a container that cannot be reached out of the catalogue."""
        self._labels.pop(id_, None)  # it is forgotten with the rest, and told anew
        self._hosts[node].registrar.withdraw(id_)

    def suspend(self, node: str, *, on: bool, but: Collection[str] = ()) -> None:
        """Send nothing new to all that runs on a node, or take that back but for some ids."""
        self._hosts[node].registrar.suspend(on=on, but=but)

    def weigh(self, node: str, id_: str, share: Lot) -> None:
        """Let all canaries of a container's service have these of its requests."""
        registrar = self._hosts[node].registrar
        self._shares[id_] = node, registrar, share
        registrar.share(id_, share)

    def relabel(self, node: str, id_: str, labels: Mapping[str, str] | None) -> None:
        """Take these for a container's labels; None: its own again."""
        registrar = self._hosts[node].registrar
        known = self._labels.get(id_)
        if (known[1] if known is not None and known[0] is registrar else None) == labels:
            return
        if labels is None:
            del self._labels[id_]
        else:
            self._labels[id_] = registrar, labels
        self._asked.pop((node, id_), None)  # other labels, other routes
        self._lacking.discard((node, id_))
        registrar.relabel(id_, labels)

    def share(self, id_: str) -> Lot | None:
        """Return what a container was given last, None: nothing yet."""
        node, registrar, lot = self._shares.get(id_, ("", None, None))
        host = self._hosts.get(node)
        return lot if host is not None and host.registrar is registrar else None

    async def loads(self, containers: Mapping[str, str]) -> Mapping[str, Load]:
        """Return what the load balancer sends to containers: id to node in, id to load out."""
        if self._balancer is None:
            return {}
        counted = await self._balancer.loads()
        found: dict[str, Load] = {}
        for id_, node in containers.items():
            host = self._hosts.get(node)
            for each in (host.registrar.instances(id_) if host is not None else None) or ():
                load = counted.get((each.service, each.address, each.port))
                if load is not None:
                    found[id_] = load + found.get(id_, Load())
        return found

    def places(self, node: str, id_: str) -> Mapping[int, tuple[str, int]]:
        """Return where the ports of a container are reached, by their numbers inside it."""
        host = self._hosts.get(node)
        instances = (host.registrar.instances(id_) if host is not None else None) or ()
        return {
            int(inner): (each.address, each.port)
            for each in instances
            if (inner := str(each.id).removesuffix(":udp").rpartition(":")[2]).isdigit()
        }

    def is_routed(self, node: str, id_: str) -> bool | None:
        """Say whether work reaches a container; None: nobody is to send it any."""
        if self._balancer is None or node not in self._hosts:
            return None
        return self._asked.setdefault((node, id_), False)

    def forget(self, ids: Collection[str]) -> None:
        """Forget all containers but these."""
        self._asked = {key: known for key, known in self._asked.items() if key[1] in ids}
        self._lacking = {key for key in self._lacking if key[1] in ids}
        self._labels = {id_: found for id_, found in self._labels.items() if id_ in ids}
        self._shares = {id_: share for id_, share in self._shares.items() if id_ in ids}
