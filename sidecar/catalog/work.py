"""What an instance has under way, and how far its drain is. Pure."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from sidecar.catalog.model import Instance

__all__ = ["Drains", "InFlight", "Load", "Step"]


class Load(NamedTuple):
    """What a load balancer counts of one instance, since its own start or reload."""

    sessions: int = 0
    queued: int = 0
    requests: int = 0
    rate: float = 0.0
    """Requests in the last second."""
    latency: float | None = None
    """Seconds to the answer, a mean of the last ones."""
    failures: int = 0
    """Connections that failed, answers that broke off, answers of 500 and above."""
    retries: int = 0
    is_counted: bool = True
    """Whether requests, failures and retries are known; where not, they are 0."""
    has_queue: bool = True
    """Whether what waits is known; where not, sessions are those of the address (nginx)."""

    def __add__(self, other: object) -> "Load":
        """Return both together."""
        if not isinstance(other, Load):
            return NotImplemented
        latencies = [each.latency for each in (self, other) if each.latency is not None]
        return Load(
            self.sessions + other.sessions,
            self.queued + other.queued,
            self.requests + other.requests,
            self.rate + other.rate,
            max(latencies, default=None),
            self.failures + other.failures,
            self.retries + other.retries,
            self.is_counted and other.is_counted,
            self.has_queue and other.has_queue,
        )


class InFlight(Protocol):
    """Who sends work to instances and counts it (the load balancer)."""

    async def in_flight(self, instance: Instance) -> int | None:
        """Return the requests and connections an instance has now; None: not known here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a drain, ``seconds`` after its begin.

    ``marked``: nothing new is sent to the ``instances``; ``waiting``: still so much in flight, or
    so many seconds to go; ``done``: nothing is under way any more; ``overdue``: the time was up
    first; ``stopped``: the container has ended.
    """

    phase: Literal["marked", "waiting", "done", "overdue", "stopped"]
    seconds: float
    instances: tuple[str, ...] = ()
    in_flight: int | None = None
    left: float | None = None


class Drains(Protocol):
    """Who can drain a container (the registrar)."""

    def drain(
        self, reference: str, *, timeout: float | None = None, stop: bool = True
    ) -> AsyncGenerator[Step, None]:
        """Drain a container, step by step; who leaves before the end takes the mark back.

        Raises ApiError when there is no such container, EngineUnavailable, EngineDenied.
        """

    async def undo(self, reference: str) -> None:
        """Take a mark back. Raises as ``drain``."""
