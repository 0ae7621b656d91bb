"""What a proxy counts: the work of each endpoint and its own. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sidecar.catalog.work import Load
from templater.routes import Key, Upstream

__all__ = ["Counters", "Work", "load_of"]


@dataclass(frozen=True, slots=True)
class Work:
    """What an endpoint does; None: this proxy does not count that.

    ``requests``, ``failures`` and ``retries`` begin at the proxy's last start or reload.
    """

    sessions: int
    queued: int | None = None
    requests: int | None = None
    rate: int | None = None
    """Requests in the last second."""
    latency: float | None = None
    """Seconds to the answer (of TCP: to the connection), mean of the last 1024."""
    failures: int | None = None
    """Connections that failed, answers that broke off, answers of 500 and above."""
    retries: int | None = None
    health: str | None = None
    """The proxy's own word."""


def load_of(work: Work) -> Load:
    """Return what others than the proxy's own parts ask of an endpoint's work."""
    return Load(
        sessions=work.sessions,
        queued=work.queued or 0,
        requests=work.requests or 0,
        rate=work.rate or 0.0,
        latency=work.latency,
        failures=work.failures or 0,
        retries=work.retries or 0,
        is_counted=work.requests is not None,
        has_queue=work.queued is not None,
    )


@dataclass(frozen=True, slots=True)
class Counters:
    """What a proxy does as a whole, and each of its endpoints."""

    program: str
    connections: int | None = None
    requests: int | None = None
    rate: float | None = None
    endpoints: Mapping[tuple[Upstream, Key], Work] = field(default_factory=dict)
    lacks: str = ""
    """What this proxy does not count, in one line."""
