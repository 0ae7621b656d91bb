"""What the scheduler decides about: nodes with their containers, and requests for a place. Pure.

CPU is counted in billionths of one CPU (nano-CPUs), memory in bytes, both as integers, so that sums
are exact. A view is what was seen last; what was decided since is added by the board.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # the program of one host has no use for them
    from sidecar.scheduler.constraints import Constraint
    from sidecar.scheduler.expressions import Expression

__all__ = [
    "NANO",
    "Availability",
    "ContainerView",
    "NodeView",
    "Placement",
    "Policy",
    "Port",
    "Reason",
    "Refusal",
    "Request",
    "Resources",
    "Soft",
    "State",
    "Strategy",
]

NANO: Final = 1_000_000_000


def _empty() -> Mapping[str, str]:
    return _NOTHING


def _no_images() -> Mapping[str, tuple[str, ...]]:
    return MappingProxyType({})


_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Availability(StrEnum):
    """What an operator wants of a node."""

    ACTIVE = "active"
    PAUSE = "pause"
    DRAIN = "drain"


class State(StrEnum):
    """How a node was seen last."""

    JOINING = "joining"
    UP = "up"
    SUSPECT = "suspect"
    DOWN = "down"
    FENCED = "fenced"


class Strategy(StrEnum):
    """How feasible nodes are ranked."""

    SPREAD = "spread"
    BINPACK = "binpack"
    RANDOM = "random"
    BALANCED = "balanced"


@dataclass(frozen=True, slots=True)
class Port:
    """A port of the host: ``address`` is empty for all of them, ``number`` 0 for any free one."""

    number: int
    protocol: str = "tcp"
    address: str = ""

    def __str__(self) -> str:
        """As users write it."""
        return f"{self.address}:{self.number}/{self.protocol}".lstrip(":")


@dataclass(frozen=True, slots=True)
class Resources:
    """Nano-CPUs and bytes; 0 asks for nothing."""

    cpu: int = 0
    memory: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerView:
    """One container on a node, running or not."""

    name: str
    id: str = ""
    image: str = ""
    image_id: str = ""
    labels: Mapping[str, str] = field(default_factory=_empty, hash=False)
    ports: tuple[Port, ...] = ()
    """Bindings that were asked for when it does not run, else those that it has."""
    host_network: bool = False
    exposed: tuple[Port, ...] = ()
    resources: Resources = Resources()
    running: bool = True
    is_over: bool = False
    """A copy of ours that ended: it never starts again, and is kept for its logs only."""
    volumes: tuple[str, ...] = ()
    stack: str = ""
    service: str = ""
    slot: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """One host with a Docker engine; ``labels`` holds the default tags too."""

    name: str
    id: str = ""
    engine_name: str = ""
    address: str = ""
    labels: Mapping[str, str] = field(default_factory=_empty, hash=False)
    engine_labels: Mapping[str, str] = field(default_factory=_empty, hash=False)
    capacity: Resources = Resources()
    """What containers may ask for in sum, after reserve and overcommit."""
    health: int = 100
    """Classic's indicator, 0 to 100."""
    state: State = State.UP
    availability: Availability = Availability.ACTIVE
    is_leader_capable: bool = False
    images: Mapping[str, tuple[str, ...]] = field(default_factory=_no_images, hash=False)
    """Image id -> its names with tags."""
    containers: tuple[ContainerView, ...] = ()
    strain: int = 0
    """How many times containers failed here lately; many sort the node last."""


@dataclass(frozen=True, slots=True)
class Soft:
    """A wish: an expression about constraints or affinities and what it is worth."""

    expression: "Expression | Constraint"
    weight: int = 1
    is_affinity: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A container that wants a node. Those of one service differ by ``slot`` and ``name`` only."""

    service: str
    slot: str = "1"
    stack: str = ""
    name: str = ""
    image: str = ""
    labels: Mapping[str, str] = field(default_factory=_empty, hash=False)
    strategy: Strategy = Strategy.SPREAD
    resources: Resources = Resources()
    ports: tuple[Port, ...] = ()
    host_network: bool = False
    exposed: tuple[Port, ...] = ()
    constraints: "tuple[Expression | Constraint, ...]" = ()
    affinities: "tuple[Expression, ...]" = ()
    whitelists: "tuple[Expression, ...]" = ()
    soft: tuple[Soft, ...] = ()
    beside: tuple[str, ...] = ()
    """Names of containers that must be on the same node (links, volumes_from, network)."""
    near: tuple[str, ...] = ()
    """Services of its stack of which a container must be on the same node."""
    volumes: tuple[str, ...] = ()
    """Named local volumes: where one exists already, there it goes."""
    platform: str = ""
    max_per_node: int = 0
    spread_over: tuple[str, ...] = ()
    """Labels of nodes whose values share the containers evenly, outermost first."""
    avoid: frozenset[str] = frozenset()
    """Nodes that must not be taken, e.g. the one it comes from."""
    only: str = ""
    """The one node it may go to."""

    @property
    def key(self) -> tuple[str, str]:
        """What counts as the same service."""
        return self.stack, self.service


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for all decisions."""

    seed: int = 0
    is_classic: bool = False
    """Classic Swarm's semantics exactly."""
    frees_stopped_ports: bool = False
    domain: str = ""
    """The label whose value is a node's failure domain, for ``balanced``."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a node is out: ``text`` is equal for equal causes, ``detail`` is about this node."""

    filter: str
    text: str
    detail: str = ""
    short_by: int = 0


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a request goes, and why there."""

    request: Request
    node: str
    key: tuple[int, ...] = ()
    runner_up: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why no node takes a request: each reason with the nodes that gave it."""

    request: Request
    reasons: tuple[tuple[Reason, tuple[str, ...]], ...]
    relaxation: str = ""
