"""Instance, Node and Snapshot: what is known about services at one index.

Everything here is immutable and pure. Snapshots share structure: a commit replaces only the
tuples of the services it touched, so ``new.services["web"] is old.services["web"]`` *is* the
change test for DNS caches, templates and routes.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NewType

__all__ = [
    "EMPTY",
    "HTTP_HOST",
    "TCP_LISTEN",
    "Instance",
    "InstanceId",
    "Node",
    "Snapshot",
    "Status",
    "empty_mapping",
]

InstanceId = NewType("InstanceId", str)

HTTP_HOST: Final = "pinnace-http-host"
"""Meta key: host names, comma separated, that HTTP routes to this service."""
TCP_LISTEN: Final = "pinnace-tcp-listen"
"""Meta key: the port on which the load balancer listens for this service's TCP traffic."""


class Status(enum.StrEnum):
    """What the checks of an instance say, best first (Consul's three words)."""

    PASSING = "passing"
    WARNING = "warning"
    CRITICAL = "critical"


def empty_mapping() -> Mapping[str, str]:
    """Return an immutable empty mapping."""
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One running endpoint of a service; identified by ``(service, id)``.

    ``tags`` keep their order, because Consul returns them as they were registered.
    ``draining`` is apart from ``status``: such an instance finishes what it has and takes
    nothing new, whatever its checks say. ``owner`` marks who may remove the entry.
    """

    id: InstanceId
    service: str
    node: str
    address: str
    port: int
    tags: tuple[str, ...] = ()
    meta: Mapping[str, str] = field(default_factory=empty_mapping, hash=False)
    weight: int = 1
    status: Status = Status.PASSING
    draining: bool = False
    owner: str = ""

    @property
    def takes_new_work(self) -> bool:
        """Say whether names and proxies may send something new here."""
        return not self.draining and self.status is not Status.CRITICAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A host that runs instances."""

    name: str
    address: str
    meta: Mapping[str, str] = field(default_factory=empty_mapping, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The whole catalogue at one index.

    ``services`` maps a name to its instances, ordered by id, never to an empty tuple.
    ``modified`` maps a service name to the index of its last change; a name stays there after
    its last instance is gone, so that a blocking reader of it sees the index move up.
    """

    index: int = 0
    services: Mapping[str, tuple[Instance, ...]] = field(default_factory=dict, hash=False)
    nodes: Mapping[str, Node] = field(default_factory=dict, hash=False)
    modified: Mapping[str, int] = field(default_factory=dict, hash=False)


EMPTY: Final = Snapshot()
"""Index 0: nothing was ever committed."""
