"""What an instance has under way, for those who wait until it is done. Pure."""

from typing import Protocol

from sidecar.catalog.model import Instance

__all__ = ["InFlight"]


class InFlight(Protocol):
    """Who sends work to instances and counts it (the load balancer)."""

    async def in_flight(self, instance: Instance) -> int | None:
        """Return the requests and connections an instance has now; None: not known here."""
