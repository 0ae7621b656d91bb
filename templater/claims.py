"""What one service alone asks for, whoever else asks for the same. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, TypeVar

from sidecar.catalog.model import BACKUP, CANARY, CANARY_MATCH, TCP_LISTEN, Instance, Status
from sidecar.catalog.shares import Percent, Wish, weights_of
from templater.asked import Place, https_of, places_of, shape_of
from templater.names import Address, Host, Port, SocketAddress, Weight, shown
from templater.shapes import Https, Match, Shape
from templater.upstreams import Endpoint, Key, Problem, Protocol, State, Upstream

__all__ = ["Asking", "Claim", "claim_of"]

_MAX_SERVICE: Final = 200
_NO_WEIGHT: Final = Weight(0)
T = TypeVar("T")
_TRUTHS: Final = {"true": True, "false": False}


class _Seat(NamedTuple):
    """An endpoint whose weight depends on the others, and what it asks for."""

    endpoint: Endpoint
    wish: Wish
    match: tuple[Match, ...] = ()


Canaries = tuple[tuple[Upstream, tuple[Endpoint, ...]], ...]
"""Upstreams of the requests that are for canaries, with those."""


class Asking(NamedTuple):
    """A place, and how those who ask for it are reached there."""

    place: Place
    upstream: Upstream
    endpoints: tuple[Endpoint, ...]
    https: Https | None
    canaries: Canaries = ()


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
    listening: Upstream
    """Where its ports lead."""
    https: Https | None = None
    """What its own hosts ask of TLS."""
    canaries: Canaries = ()
    """Of its own hosts."""


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
        upstream = Upstream(Protocol.HTTP, name)
        return Claim((), (), (), (), tuple(problems), upstream, upstream)
    seats = [_seat(one, problems, reserved) for one in members]
    endpoints = _weighed(seats)
    shares = {seat.wish.canary for seat in seats if seat is not None} - {None}
    if len(shares) > 1:
        problems.append(Problem(name, CANARY, "instances differ; the smallest share counts"))

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
        found, those = endpoints, seats
        if some is not members:
            shape = shape._replace(group=groups[askers])
            those = [seats[at] for at in askers]
            found = _weighed(those)
        upstream = Upstream(Protocol.HTTP, name, shape)
        tls = https_of(some, complain)
        asked.append(Asking(place, upstream, found, tls, _canaries(upstream, those)))
    shape = shape_of(members, complain)
    https = https_of(members, complain)
    ports = tuple(_ports(name, members, problems))
    upstream = Upstream(Protocol.HTTP, name, shape)
    return Claim(
        endpoints, own, tuple(asked), ports, tuple(dict.fromkeys(problems)),
        upstream, Upstream(Protocol.TCP, name, shape.of_tcp),
        None if https is None else https._replace(certificate=None, is_own=True),
        _canaries(upstream, seats),
    )  # fmt: skip


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


def _seat(instance: Instance, problems: list[Problem], reserved: AbstractSet[int]) -> _Seat | None:
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
    weight = instance.warning_weight if instance.status is Status.WARNING else instance.weight
    if weight < 0:
        problems.append(Problem(instance.service, "weight", f"weight {weight} is taken as 0"))
    key, state = Key(instance.node, instance.id), _state(instance)
    backup = _read(instance, BACKUP, _truth, problems) or False
    canary = _read(instance, CANARY, Percent, problems)
    match = _read(instance, CANARY_MATCH, Match.all_of, problems) or ()
    if match and canary is None:
        canary = Percent("0")  # it is for those requests alone
    counts = state is State.READY and not backup
    endpoint = Endpoint(key, address, port, _NO_WEIGHT, state, backup)
    return _Seat(endpoint, Wish(weight, canary, counts), match)


def _weighed(seats: Iterable[_Seat | None]) -> tuple[Endpoint, ...]:
    """Return those that have a place, with the weights that their shares need."""
    found = [seat for seat in seats if seat is not None]
    weights = weights_of([seat.wish for seat in found])
    return tuple(
        replace(seat.endpoint, weight=Weight(weight))
        for seat, weight in zip(found, weights, strict=True)
    )


def _canaries(upstream: Upstream, seats: Iterable[_Seat | None]) -> Canaries:
    """Return an upstream for each kind of requests that canaries are to have, all of them."""
    by_match: dict[tuple[Match, ...], list[_Seat]] = {}
    for seat in seats:
        if seat is not None and seat.match:
            alone = seat._replace(wish=seat.wish._replace(canary=None))
            by_match.setdefault(seat.match, []).append(alone)
    return tuple(
        (upstream._replace(shape=upstream.shape._replace(match=match)), _weighed(found))
        for match, found in by_match.items()
    )


def _read(
    instance: Instance, key: str, make: Callable[[str], T], problems: list[Problem]
) -> T | None:
    text = instance.meta.get(key)
    if not text:
        return None
    try:
        return make(text)
    except ValueError as error:
        problems.append(Problem(instance.service, key, str(error)))
        return None


def _truth(text: str) -> bool:
    if text not in _TRUTHS:
        raise ValueError(f"{shown(text)} is neither true nor false")
    return _TRUTHS[text]


def _state(instance: Instance) -> State:
    if instance.status is Status.CRITICAL:
        return State.MAINT
    return State.DRAIN if instance.draining else State.READY
