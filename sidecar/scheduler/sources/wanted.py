"""What is to be measured of a service, and where. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sidecar.scheduler.scale import Metric, ScalePolicy

__all__ = ["PERIOD", "STALE", "Autoscale", "Kind", "Wanted"]

PERIOD: Final = 15.0
STALE: Final = 2
"""Periods after which a sample is missing."""


class Kind(StrEnum):
    """Where a number comes from."""

    CPU = "cpu"
    """Of what the container may use; of one core where it has no limit."""
    MEMORY = "memory"
    """Of the container's limit; of the host's memory where it has none."""
    SESSIONS = "sessions"
    REQUESTS = "requests"
    QUEUE = "queue"
    NGINX = "nginx"
    """``stub_status`` of the instance: connections that are open, or requests per second."""
    ENDPOINT = "endpoint"
    """A series of the instance's own exposition in Prometheus' format."""
    PROMETHEUS = "prometheus"
    """A query to a Prometheus server."""
    KEY = "key"
    """A number under a key of the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One metric of a service; what it is measured against is in ``Metric``."""

    kind: Kind
    metric: Metric
    url: str = ""
    query: str = ""
    """Prometheus' query, the series of an endpoint, or the key."""
    port: int = 0
    """Of the container."""
    path: str = ""
    is_rate: bool = False
    """What is read is a count; its growth per second is meant."""


@dataclass(frozen=True, slots=True)
class Autoscale:
    """How a service is scaled: by what, and how fast."""

    policy: ScalePolicy
    metrics: tuple[Wanted, ...]
    period: float = PERIOD
