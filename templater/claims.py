"""What one service alone asks for, whoever else asks for the same. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sidecar.catalog.model import TCP_LISTEN, Instance, Status
from templater.asked import Place, https_of, places_of, shape_of
from templater.names import Address, Host, Port, Weight, shown
from templater.shapes import PLAIN, Https, Shape
from templater.upstreams import Endpoint, Key, Problem, State

__all__ = ["Claim", "claim_of"]

_MAX_SERVICE: Final = 200
_MAX_WEIGHT: Final = 256


@dataclass(frozen=True, slots=True)
class Claim:
    """What one service alone asks for."""

    endpoints: tuple[Endpoint, ...]
    own: tuple[Host, ...]
    asked: tuple[Place, ...]
    ports: tuple[Port, ...]
    problems: tuple[Problem, ...]
    shape: Shape = PLAIN
    https: Https | None = None


def claim_of(name: str, instances: Iterable[Instance], domains: Sequence[str]) -> Claim | None:
    """Return what a service asks for, or None when it has only UDP."""
    members = [instance for instance in instances if "udp" not in instance.tags]
    if not members:
        return None
    problems: list[Problem] = []
    own = _own_hosts(name, domains, problems)
    if not own:
        return Claim((), (), (), (), tuple(problems))
    endpoints = tuple(found for one in members if (found := _endpoint(one, problems)) is not None)

    def complain(key: str, reason: str) -> None:
        problems.append(Problem(name, key, reason))

    asked = tuple(places_of(members, complain))
    shape, https = shape_of(members, complain), https_of(members, complain)
    ports = tuple(_ports(name, members, problems))
    return Claim(endpoints, own, asked, ports, tuple(dict.fromkeys(problems)), shape, https)


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
