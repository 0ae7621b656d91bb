"""Who sends work to containers, as far as the scheduler must tell or ask."""

from typing import Protocol

from sidecar.catalog.work import Drains

__all__ = ["Traffic"]


class Traffic(Protocol):
    """The catalogue and the load balancer for all nodes (made where all parts are known)."""

    def drains(self, node: str) -> Drains | None:
        """Return who drains containers of a node; None: nothing of it is registered by us."""

    def withdraw(self, node: str, id_: str) -> None:
        """Take a container that cannot be reached out of the catalogue."""

    def suspend(self, node: str, *, on: bool) -> None:
        """Send nothing new to all that runs on a node, or take that back."""

    def is_routed(self, node: str, id_: str) -> bool | None:
        """Say whether work reaches a container; None: nobody sends it any."""
