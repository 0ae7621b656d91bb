"""A stack as it is wanted: services with everything the core decides by. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from sidecar.scheduler.conduct import Conduct
from sidecar.scheduler.constraints import Constraint
from sidecar.scheduler.expressions import Expression
from sidecar.scheduler.model import Port, Request, Resources, Soft, Strategy
from sidecar.scheduler.recipe import Build, Recipe

__all__ = ["Condition", "Dependency", "Mode", "ServiceSpec", "StackSpec", "requests_of"]

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


_NO_RESOURCES: Final = Resources()


def _nothing() -> Mapping[str, str]:
    return _NOTHING


class Mode(StrEnum):
    """How many containers a service has: a number, or one on each node."""

    REPLICATED = "replicated"
    GLOBAL = "global"


class Condition(StrEnum):
    """What a dependency must have reached."""

    STARTED = "service_started"
    HEALTHY = "service_healthy"
    COMPLETED = "service_completed_successfully"


@dataclass(frozen=True, slots=True)
class Dependency:
    """One entry of ``depends_on``."""

    service: str
    condition: Condition = Condition.STARTED
    is_required: bool = True
    restarts: bool = False
    is_same_slot: bool = False
    """Of several copies the one beside it counts (a member of its pod)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """One service."""

    name: str
    image: str = ""
    container_name: str = ""
    mode: Mode = Mode.REPLICATED
    replicas: int = 1
    labels: Mapping[str, str] = field(default_factory=_nothing, hash=False)
    environment: Mapping[str, str | None] = field(default_factory=dict, hash=False)
    strategy: Strategy = Strategy.SPREAD
    resources: Resources = _NO_RESOURCES
    classic: Resources = _NO_RESOURCES
    """What classic Swarm looks at: ``cpu_shares`` as whole CPUs, the limit of memory."""
    ports: tuple[Port, ...] = ()
    exposed: tuple[Port, ...] = ()
    host_network: bool = False
    constraints: tuple[Expression | Constraint, ...] = ()
    affinities: tuple[Expression, ...] = ()
    whitelists: tuple[Expression, ...] = ()
    reschedule: tuple[str, ...] = ()
    """Classic Swarm's ``reschedule:`` entries as they were written."""
    soft: tuple[Soft, ...] = ()
    beside: tuple[str, ...] = ()
    """Containers that must be on the same node."""
    near: tuple[str, ...] = ()
    """Services that it is linked to or takes something from: one of each must be there too."""
    pod: str = ""
    """The service whose network it shares (``network_mode: service:NAME``)."""
    volumes: tuple[str, ...] = ()
    platform: str = ""
    max_per_node: int = 0
    spread_over: tuple[str, ...] = ()
    depends_on: tuple[Dependency, ...] = ()
    has_healthcheck: bool = False
    scaled_as: str = ""
    """The service whose number of copies it has: its pod's."""
    conduct: Conduct = field(default_factory=Conduct)
    adopts: bool = False
    """It takes over what docker-compose made for it."""
    recipe: Recipe = field(default_factory=lambda: Recipe(build=Build(image="")), hash=False)
    """How its containers are made; ``spec_of`` it is the service's spec."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSpec:
    """A stack: its services in the order in which they must start."""

    name: str
    services: tuple[ServiceSpec, ...] = ()


def requests_of(stack: str, service: ServiceSpec, *, classic: bool = False) -> list[Request]:
    """Return what a service asks for, a request per slot."""
    request = Request(
        stack=stack,
        service=service.name,
        image=service.image,
        labels=service.labels,
        strategy=service.strategy,
        resources=service.classic if classic else service.resources,
        ports=service.ports,
        host_network=service.host_network,
        exposed=service.exposed,
        constraints=service.constraints,
        affinities=service.affinities,
        whitelists=service.whitelists,
        soft=service.soft,
        beside=service.beside,
        near=service.near,
        volumes=service.volumes,
        platform=service.platform,
        max_per_node=service.max_per_node,
        spread_over=service.spread_over,
    )
    return [_slot(request, service, number) for number in range(1, service.replicas + 1)]


def _slot(request: Request, service: ServiceSpec, number: int) -> Request:
    return replace(request, slot=str(number), name=service.container_name)
