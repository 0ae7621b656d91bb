"""Who sends work to containers, as far as the scheduler must tell or ask."""

from asyncio import Event
from collections.abc import Collection, Mapping
from typing import Protocol

from sidecar.catalog.matching import Lot
from sidecar.catalog.work import Drains, Load

__all__ = ["Traffic"]


class Traffic(Protocol):
    """The catalogue and the load balancer for all nodes (made where all parts are known)."""

    changed: Event
    """Set when ``is_routed`` says more."""

    def drains(self, node: str) -> Drains | None:
        """Return who drains containers of a node; None: nothing of it is registered by us."""

    def withdraw(self, node: str, id_: str) -> None:
        """Take a container that cannot be reached out of the catalogue."""

    def suspend(self, node: str, *, on: bool, but: Collection[str] = ()) -> None:
        """Send nothing new to all that runs on a node, or take that back but for some ids."""

    def weigh(self, node: str, id_: str, share: Lot) -> None:
        """Let all canaries of a container's service have these of its requests."""

    def relabel(self, node: str, id_: str, labels: Mapping[str, str] | None) -> None:
        """Take these for a container's labels, whatever its engine says; None: its own again."""

    def share(self, id_: str) -> Lot | None:
        """Return what a container was given last, None: nothing yet."""

    async def loads(self, containers: Mapping[str, str]) -> Mapping[str, Load]:
        """Return what the load balancer sends to containers: id to node in, id to load out."""

    def places(self, node: str, id_: str) -> Mapping[int, tuple[str, int]]:
        """Return where the ports of a container are reached, by their numbers inside it."""

    def is_routed(self, node: str, id_: str) -> bool | None:
        """Say whether work reaches a container; None: nobody is to send it any."""

    def forget(self, ids: Collection[str]) -> None:
        """Forget all containers but these."""
