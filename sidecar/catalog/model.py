"""Instance, Node and Snapshot: what is known about services at one index.

Everything here is immutable and pure. Snapshots share structure: a commit replaces only the
tuples of the services it touched, so ``new.services["web"] is old.services["web"]`` *is* the
change test for DNS caches, templates and routes.
"""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple, NewType

__all__ = [
    "BACKUP",
    "CANARY",
    "CANARY_MATCH",
    "CERT_NAME",
    "CHECK",
    "CHECK_FALL",
    "CHECK_INTERVAL",
    "CHECK_RISE",
    "EMPTY",
    "HSTS",
    "HTTPS_METHOD",
    "HTTP_ACCESS",
    "HTTP_BALANCE",
    "HTTP_HOST",
    "HTTP_PROTO",
    "RETRIES",
    "STICKY",
    "TCP_LISTEN",
    "TIMEOUT_ANSWER",
    "TIMEOUT_CONNECT",
    "TIMEOUT_TUNNEL",
    "Check",
    "Instance",
    "InstanceId",
    "Key",
    "Node",
    "Origin",
    "Snapshot",
    "Status",
    "empty_mapping",
    "key_of",
    "worst",
]

InstanceId = NewType("InstanceId", str)

HTTP_HOST: Final = "pinnace-http-host"
"""Meta key: hosts, comma separated, whose HTTP goes to this service: ``HOST[/PATH][=/DEST]``."""
HTTP_PROTO: Final = "pinnace-http-proto"
"""Meta key: how the service speaks: ``http``, ``https``, ``grpc`` or ``grpcs``."""
HTTP_ACCESS: Final = "pinnace-http-access"
"""Meta key: who may ask: ``external`` (everybody), ``internal``, or networks, comma separated."""
HTTP_BALANCE: Final = "pinnace-http-balance"
"""Meta key: how requests are shared out: ``roundrobin``, ``leastconn``, ``source``, ``random``."""
HTTPS_METHOD: Final = "pinnace-https-method"
"""Meta key: ``redirect``, ``noredirect``, ``nohttp`` or ``nohttps``, where there is TLS."""
CERT_NAME: Final = "pinnace-cert-name"
"""Meta key: the name of the certificate for the service's hosts."""
HSTS: Final = "pinnace-https-hsts"
"""Meta key: ``off``, or the value of Strict-Transport-Security."""
STICKY: Final = "pinnace-http-sticky"
"""Meta key: ``cookie``, ``cookie:NAME`` or ``source``: who stays with its endpoint."""
RETRIES: Final = "pinnace-http-retries"
"""Meta key: how often a request is tried anew."""
TIMEOUT_CONNECT: Final = "pinnace-timeout-connect"
TIMEOUT_ANSWER: Final = "pinnace-timeout-answer"
TIMEOUT_TUNNEL: Final = "pinnace-timeout-tunnel"
"""Meta keys: how long the proxy waits for a connection, an answer, in a tunnel: ``30s``."""
CHECK: Final = "pinnace-check"
"""Meta key: what the proxy asks of each endpoint: ``tcp``, or a path."""
CHECK_INTERVAL: Final = "pinnace-check-interval"
CHECK_FALL: Final = "pinnace-check-fall"
CHECK_RISE: Final = "pinnace-check-rise"
"""Meta keys: how often it asks, how many failures take an endpoint out, how many answers back."""
CANARY: Final = "pinnace-canary"
"""Meta key: the percentage of requests that all instances with this key get together."""
CANARY_MATCH: Final = "pinnace-canary-match"
"""Meta key: requests that all go to the instances with it: ``header:NAME=VALUE,cookie:...``."""
BACKUP: Final = "pinnace-backup"
"""Meta key: ``true``: gets work only when no other instance can."""
TCP_LISTEN: Final = "pinnace-tcp-listen"
"""Meta key: the port on which the load balancer listens for this service's TCP traffic."""


class Status(enum.StrEnum):
    """What the checks of an instance say, best first (Consul's three words)."""

    PASSING = "passing"
    WARNING = "warning"
    CRITICAL = "critical"


_ORDER: Final = {Status.PASSING: 0, Status.WARNING: 1, Status.CRITICAL: 2}


def worst(statuses: Iterable[Status]) -> Status:
    """Return the worst of the statuses; passing when there is none."""
    return max(statuses, key=_ORDER.__getitem__, default=Status.PASSING)


def empty_mapping() -> Mapping[str, str]:
    """Return an immutable empty mapping."""
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What one test of an instance or node last said.

    ``definition`` is how it is run, as JSON, so that it can be run again after a restart; empty
    when somebody else runs it. What runs it is no part of what it says and does not count when
    two are compared. ``tags`` are those of its instance when it was registered, ``service_tags``
    when it last changed (set by ``apply``, as the indexes are): a check outlives a registration
    of its instance, and Consul shows the one in the agent, the other elsewhere.
    """

    id: str
    name: str
    status: Status = Status.CRITICAL
    notes: str = ""
    output: str = ""
    type: str = field(default="", compare=False)
    definition: str = field(default="", compare=False)
    tags: tuple[str, ...] | None = None
    service_tags: tuple[str, ...] = field(default=(), compare=False)
    created: int = field(default=0, compare=False)
    modified: int = field(default=0, compare=False)


class Origin(NamedTuple):
    """The container an instance comes from, as some stores and checks name it.

    ``container`` is its whole id, ``port`` the one inside it.
    """

    container: str
    hostname: str
    port: int
    protocol: str = "tcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One running endpoint of a service; identified by ``(service, node, id)``, as in Consul.

    ``tags`` keep their order, because Consul returns them as they were registered. ``status`` is
    the worst of the ``checks`` and of the node's; whoever writes the one writes the other.
    ``draining`` is apart from ``status``: such an instance finishes what it has and takes
    nothing new, whatever its checks say; ``ending`` is a drain that only whoever registered the
    instance can take back, as its container was asked to end. ``owner`` marks who may remove the
    entry. ``meta_given`` and ``tags_given`` tell an empty one from none, as Consul does.
    ``created`` and ``modified`` are indexes, set by ``apply``. ``origin`` is known only where the
    instance was made.
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
    ending: bool = False
    owner: str = ""
    checks: tuple[Check, ...] = ()
    warning_weight: int = 1
    tagged: Mapping[str, tuple[str, int]] = field(default_factory=dict, hash=False)
    tag_override: bool = False
    meta_given: bool = False
    tags_given: bool = False
    origin: Origin | None = field(default=None, compare=False)
    created: int = field(default=0, compare=False)
    modified: int = field(default=0, compare=False)

    @property
    def takes_new_work(self) -> bool:
        """Say whether names and proxies may send something new here."""
        return not self.draining and self.status is not Status.CRITICAL


class Key(NamedTuple):
    """What identifies an instance."""

    service: str
    node: str
    id: InstanceId


def key_of(instance: Instance) -> Key:
    """Return the key of an instance."""
    return Key(instance.service, instance.node, instance.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A host that runs instances."""

    name: str
    address: str
    meta: Mapping[str, str] = field(default_factory=empty_mapping, hash=False)
    id: str = ""
    checks: tuple[Check, ...] = ()
    tagged: Mapping[str, str] = field(default_factory=dict, hash=False)
    created: int = field(default=0, compare=False)
    modified: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The whole catalogue at one index.

    ``services`` maps a name to its instances, ordered by node and id, never to an empty tuple.

    The other indexes are what a blocking reader waits on, so that only changes it asked for wake
    it (measured on Consul 1.8.7): ``modified`` is a service's last change of any kind,
    ``registered`` its last change other than of checks; a service that is gone has neither and
    its reader waits on ``extinct_index``, when a service last lost its last instance. All
    registrations, nodes and checks have ``services_index``, ``nodes_index``, ``checks_index``.
    """

    index: int = 0
    services: Mapping[str, tuple[Instance, ...]] = field(default_factory=dict, hash=False)
    nodes: Mapping[str, Node] = field(default_factory=dict, hash=False)
    modified: Mapping[str, int] = field(default_factory=dict, hash=False)
    registered: Mapping[str, int] = field(default_factory=dict, hash=False)
    services_index: int = 0
    nodes_index: int = 0
    checks_index: int = 0
    extinct_index: int = 0


EMPTY: Final = Snapshot()
"""Index 0: nothing was ever committed."""
