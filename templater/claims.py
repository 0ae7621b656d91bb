"""What one service alone asks for, whoever else asks for the same. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final, NamedTuple

from sidecar.catalog.model import TCP_LISTEN, Instance, Status
from templater.asked import Place, https_of, places_of, shape_of
from templater.names import Address, Host, Port, SocketAddress, Weight, shown
from templater.shapes import Https, Shape
from templater.upstreams import Endpoint, Key, Problem, Protocol, State, Upstream

__all__ = ["Asking", "Claim", "claim_of"]

_MAX_SERVICE: Final = 200
_MAX_WEIGHT: Final = 256


class Asking(NamedTuple):
    """A place, and how those who ask for it are reached there."""

    place: Place
    upstream: Upstream
    endpoints: tuple[Endpoint, ...]
    https: Https | None


@dataclass(frozen=True, slots=True)
class Claim:
    """What one service alone asks for."""

    endpoints: tuple[Endpoint, ...]
    own: tuple[Host, ...]
    asked: tuple[Asking, ...]
    ports: tuple[Port, ...]
    problems: tuple[Problem, ...]
    upstream: Upstream
    """Where its own hosts lead."""


def claim_of(
    name: str,
    instances: Iterable[Instance],
    domains: Sequence[str],
    reserved: AbstractSet[int] = frozenset(),
) -> Claim | None:
    """Return what a service asks for, or None when it has only UDP.

    ``reserved`` are our own ports: nobody may have the proxy lead to our own API (T7).
    """
    members = [instance for instance in instances if "udp" not in instance.tags]
    if not members:
        return None
    problems: list[Problem] = []
    own = _own_hosts(name, domains, problems)
    if not own:
        return Claim((), (), (), (), tuple(problems), Upstream(Protocol.HTTP, name))
    seats = [_endpoint(one, problems, reserved) for one in members]
    endpoints = tuple(one for one in seats if one is not None)

    def complain(key: str, reason: str) -> None:
        problems.append(Problem(name, key, reason))

    places = places_of(members, complain)
    groups = {
        askers: _group([place for place, who in places.items() if who == askers])
        for askers in places.values()
    }
    asked = []
    for place, askers in places.items():
        some = members if len(askers) == len(members) else [members[at] for at in askers]
        shape = _at(place, shape_of(some, complain))
        found = endpoints
        if some is not members:
            shape = shape._replace(group=groups[askers])
            found = tuple(one for at in askers if (one := seats[at]) is not None)
        upstream = Upstream(Protocol.HTTP, name, shape)
        asked.append(Asking(place, upstream, found, https_of(some, complain)))
    upstream = Upstream(Protocol.HTTP, name, shape_of(members, complain))
    ports = tuple(_ports(name, members, problems))
    return Claim(endpoints, own, tuple(asked), ports, tuple(dict.fromkeys(problems)), upstream)


def _group(places: Iterable[Place]) -> str:
    """Return a name for those who ask for exactly these places."""
    return min(f"{place.site}{place.path}/" for place in places)


def _at(place: Place, shape: Shape) -> Shape:
    if place.dest is None:
        return shape
    return shape._replace(prefix=place.path, dest=place.dest)


def _own_hosts(name: str, domains: Sequence[str], problems: list[Problem]) -> tuple[Host, ...]:
    try:
        if len(name) > _MAX_SERVICE or name.endswith("."):
            raise ValueError(f"{shown(name)} is not a host name")  # caught two lines below
        below = ["localhost", *domains, *(f"service.{domain}" for domain in domains)]
        return tuple(Host(f"{name}.{domain}") for domain in below)
    except ValueError:
        problems.append(Problem(name, "name", f"{shown(name)} cannot be part of a host name"))
        return ()


def _ports(name: str, members: Iterable[Instance], problems: list[Problem]) -> Iterator[Port]:
    for text in sorted({text for one in members if (text := one.meta.get(TCP_LISTEN))}):
        try:
            yield Port(text.strip(" "))
        except ValueError as error:
            problems.append(Problem(name, TCP_LISTEN, str(error)))


def _endpoint(
    instance: Instance, problems: list[Problem], reserved: AbstractSet[int]
) -> Endpoint | None:
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
        if port in reserved and address.is_loopback:
            raise ValueError(f"{SocketAddress(address, port)} is this program itself")
    except ValueError as error:
        problems.append(Problem(instance.service, place, str(error)))
        return None
    key = Key(instance.node, instance.id)
    return Endpoint(key, address, port, Weight(weight), _state(instance))


def _state(instance: Instance) -> State:
    if instance.status is Status.CRITICAL:
        return State.MAINT
    return State.DRAIN if instance.draining else State.READY
