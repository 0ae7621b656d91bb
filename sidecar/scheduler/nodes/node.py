"""What is set of one node. Pure, and light: the program of a single host has one too."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from sidecar.scheduler.model import Resources

__all__ = ["Files", "NodeSettings", "host_of"]


@dataclass(frozen=True, slots=True)
class Files:
    """Certificates for one node; empty: none are given."""

    ca: str = ""
    cert: str = ""
    key: str = ""
    is_verified: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """One host; ``name`` is what it is known by everywhere."""

    name: str
    endpoint: str
    advertise: str = ""
    """The address of its published ports; empty: the endpoint's host, or this host's."""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    reserve: Resources = field(default_factory=Resources)
    """What is kept free."""
    overcommit: tuple[float, float] = (1.0, 1.05)
    """Of CPUs and of memory."""
    files: Files | None = None
    is_leader_capable: bool = True


def host_of(endpoint: str) -> str:
    """Return the host of an endpoint; empty for a socket of this host."""
    return "" if endpoint.startswith("unix:") else (urlsplit(endpoint).hostname or "")
