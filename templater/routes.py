"""Routes: what any proxy needs to know, as a pure function of a Snapshot.

Who gets a host name or a port is decided here, in this order, so that the answer depends on the
snapshot alone: the names that follow from a service's own name come before those a container
asks for (nobody can take ``web.localhost`` from ``web``), then the first service by name wins.
Whatever cannot be represented is left out with a Problem naming service and field; the other
services are not touched.
"""

import enum
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from sidecar.catalog.model import HTTP_HOST, TCP_LISTEN, Instance, Node, Snapshot, Status
from sidecar.catalog.query import address_of
from templater.names import Address, Host, Port, Weight, Wildcard, shown

__all__ = [
    "Endpoint",
    "Key",
    "Known",
    "Problem",
    "Protocol",
    "Routes",
    "State",
    "Upstream",
    "routes_of",
]

_MAX_SERVICE: Final = 200
_MAX_HOSTS: Final = 64  # per service: a label of 100 kB must not fill the map
_MAX_WEIGHT: Final = 256


class State(enum.StrEnum):
    """What a proxy may send to an endpoint: new work, nothing new, nothing."""

    READY = "ready"
    DRAIN = "drain"
    MAINT = "maint"


class Protocol(enum.StrEnum):
    """How an upstream is spoken to."""

    HTTP = "http"
    TCP = "tcp"


class Upstream(NamedTuple):
    """A service as a proxy sees it, by one protocol."""

    protocol: Protocol
    service: str


class Key(NamedTuple):
    """Which instance of its service an endpoint is."""

    node: str
    id: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One member of an upstream; ``key`` never reaches a configuration."""

    key: Key
    address: Address
    port: Port
    weight: Weight
    state: State


class Problem(NamedTuple):
    """Why a service, or a part of what it asks for, is left out."""

    service: str
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Routes:
    """Everything a proxy serves; ``upstreams`` holds each upstream named by the others."""

    hosts: Mapping[Host, Upstream] = field(default_factory=dict)
    wildcards: Mapping[Wildcard, Upstream] = field(default_factory=dict)
    listeners: Mapping[Port, Upstream] = field(default_factory=dict)
    upstreams: Mapping[Upstream, tuple[Endpoint, ...]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def endpoints(self) -> frozenset[tuple[str, Key]]:
        """Return service and key of every endpoint."""
        return frozenset(
            (upstream.service, endpoint.key)
            for upstream, members in self.upstreams.items()
            for endpoint in members
        )


@dataclass(frozen=True, slots=True)
class _Claim:
    """What one service alone asks for."""

    endpoints: tuple[Endpoint, ...]
    own: tuple[Host, ...]
    asked: tuple[Host | Wildcard, ...]
    ports: tuple[Port, ...]
    problems: tuple[Problem, ...]


Known = MutableMapping[str, tuple[tuple[Instance, ...], tuple[str, ...], _Claim | None]]
"""What earlier snapshots' services asked for, reused for those that are the same object.

In the middle: the addresses that their instances have from their nodes.
"""


def routes_of(
    snapshot: Snapshot,
    domains: Sequence[str],
    *,
    reserved: AbstractSet[int] = frozenset(),
    known: Known | None = None,
) -> Routes:
    """Return the routes of a snapshot; ``reserved`` are the ports that are our own."""
    known = {} if known is None else known
    claims = {
        name: claim
        for name in sorted(snapshot.services)
        if (claim := _remembered(known, name, snapshot, domains)) is not None
    }
    for gone in known.keys() - snapshot.services.keys():
        del known[gone]
    return _settled(claims, reserved)


def _remembered(
    known: Known, name: str, snapshot: Snapshot, domains: Sequence[str]
) -> _Claim | None:
    instances, nodes = snapshot.services[name], snapshot.nodes
    lent = tuple(address_of(one, nodes) for one in instances if not one.address)
    found = known.get(name)
    if found is None or found[0] is not instances or found[1] != lent:
        placed = [one if one.address else _placed(one, nodes) for one in instances]
        found = known[name] = (instances, lent, _claim(name, placed, domains))
    return found[2]


def _placed(instance: Instance, nodes: Mapping[str, Node]) -> Instance:
    return replace(instance, address=address_of(instance, nodes))


def _settled(claims: Mapping[str, _Claim], reserved: AbstractSet[int]) -> Routes:
    hosts: dict[Host, Upstream] = {}
    wildcards: dict[Wildcard, Upstream] = {}
    listeners: dict[Port, Upstream] = {}
    upstreams: dict[Upstream, tuple[Endpoint, ...]] = {}
    problems = [problem for claim in claims.values() for problem in claim.problems]
    for own in (True, False):
        for name, claim in claims.items():
            upstream = Upstream(Protocol.HTTP, name)
            upstreams[upstream] = claim.endpoints
            for host in claim.own if own else claim.asked:
                taken = (
                    wildcards.setdefault(host, upstream)
                    if isinstance(host, Wildcard)
                    else hosts.setdefault(host, upstream)
                )
                if taken != upstream:
                    where = "name" if own else HTTP_HOST
                    shape = f"*{host}" if isinstance(host, Wildcard) else host
                    reason = f"host {shape} belongs to service {shown(taken.service)}"
                    problems.append(Problem(name, where, reason))
    for name, claim in claims.items():
        for port in claim.ports:
            upstream = Upstream(Protocol.TCP, name)
            if port in reserved:
                problems.append(Problem(name, TCP_LISTEN, f"port {port} is one of our own"))
            elif (taken := listeners.setdefault(port, upstream)) != upstream:
                reason = f"port {port} belongs to service {shown(taken.service)}"
                problems.append(Problem(name, TCP_LISTEN, reason))
            else:
                upstreams[upstream] = claim.endpoints
    return Routes(hosts, wildcards, listeners, upstreams, tuple(dict.fromkeys(problems)))


def _claim(name: str, instances: Iterable[Instance], domains: Sequence[str]) -> _Claim | None:
    """Return what a service asks for, or None when it has only UDP."""
    members = [instance for instance in instances if "udp" not in instance.tags]
    if not members:
        return None
    problems: list[Problem] = []
    own = _own_hosts(name, domains, problems)
    if not own:
        return _Claim((), (), (), (), tuple(problems))
    endpoints = tuple(found for one in members if (found := _endpoint(one, problems)) is not None)
    asked = tuple(_asked_hosts(name, members, problems))
    ports = tuple(_ports(name, members, problems))
    return _Claim(endpoints, own, asked, ports, tuple(dict.fromkeys(problems)))


def _own_hosts(name: str, domains: Sequence[str], problems: list[Problem]) -> tuple[Host, ...]:
    try:
        if len(name) > _MAX_SERVICE or name.endswith("."):
            raise ValueError(f"{shown(name)} is not a host name")  # caught two lines below
        below = ["localhost", *domains, *(f"service.{domain}" for domain in domains)]
        return tuple(Host(f"{name}.{domain}") for domain in below)
    except ValueError:
        problems.append(Problem(name, "name", f"{shown(name)} cannot be part of a host name"))
        return ()


def _asked_hosts(
    name: str, members: Iterable[Instance], problems: list[Problem]
) -> Iterator[Host | Wildcard]:
    texts = {text for one in members if (text := one.meta.get(HTTP_HOST))}
    words = dict.fromkeys(
        word for text in sorted(texts) for part in text.split(",") if (word := part.strip(" "))
    )
    if len(words) > _MAX_HOSTS:
        problems.append(Problem(name, HTTP_HOST, f"more than {_MAX_HOSTS} hosts; the first stay"))
    for word in list(words)[:_MAX_HOSTS]:
        try:
            yield Wildcard(word) if word.startswith("*") else Host(word)
        except ValueError as error:
            problems.append(Problem(name, HTTP_HOST, str(error)))


def _ports(name: str, members: Iterable[Instance], problems: list[Problem]) -> Iterator[Port]:
    for text in sorted({text for one in members if (text := one.meta.get(TCP_LISTEN))}):
        try:
            yield Port(text.strip(" "))
        except ValueError as error:
            problems.append(Problem(name, TCP_LISTEN, str(error)))


def _endpoint(instance: Instance, problems: list[Problem]) -> Endpoint | None:
    asked = instance.warning_weight if instance.status is Status.WARNING else instance.weight
    weight = min(max(asked, 0), _MAX_WEIGHT)
    if weight != asked:
        reason = f"weight {asked} is taken as {weight}"
        problems.append(Problem(instance.service, "weight", reason))
    place = "address"
    try:
        address = Address(instance.address)
        if not address.is_endpoint:
            raise ValueError(f"{address} is not the address of one host")
        place = "port"
        port = Port(instance.port)
    except ValueError as error:
        problems.append(Problem(instance.service, place, str(error)))
        return None
    key = Key(instance.node, instance.id)
    return Endpoint(key, address, port, Weight(weight), _state(instance))


def _state(instance: Instance) -> State:
    if instance.status is Status.CRITICAL:
        return State.MAINT
    return State.DRAIN if instance.draining else State.READY
