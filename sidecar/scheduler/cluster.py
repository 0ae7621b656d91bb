"""What is seen of a cluster at one moment, and what is wanted of it. Pure.

A *copy* is one container of ours: one incarnation of a slot. What runs on a node that cannot be
reached is believed to run on, until the node has been down for so long that its slots are lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from sidecar.catalog.matching import Lot
from sidecar.scheduler.canary import CanaryPolicy, Kept, Sides
from sidecar.scheduler.conduct import HEALED, Keeps, OnFailure, Order, Restart, Update, When
from sidecar.scheduler.fencing import Fences, Fencing
from sidecar.scheduler.model import NodeView, Request
from sidecar.scheduler.spec import Condition

__all__ = [
    "HEALED",
    "WELL",
    "Cluster",
    "Copy",
    "Goal",
    "Health",
    "Need",
    "OnFailure",
    "Order",
    "Restart",
    "Stage",
    "Update",
    "When",
]


class Stage(StrEnum):
    """What the engine says of a container."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"


class Health(StrEnum):
    """What its health check says; NONE without one."""

    NONE = "none"
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


WELL: Final = frozenset({Health.NONE, Health.HEALTHY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One container of ours."""

    name: str
    node: str
    slot: str
    spec: str
    incarnation: int
    id: str = ""
    """The engine's."""
    role: str = "main"
    needs: tuple[str, ...] = ()
    """The services of its stack that it depends on."""
    within: str = ""
    """The id of the container whose network it shares."""
    epoch: int = 0
    stage: Stage = Stage.RUNNING
    health: Health = Health.NONE
    exit_code: int = 0
    since: float = 0.0
    """When it came into its stage."""
    is_draining: bool = False
    is_drained: bool = False
    is_registered: bool = True
    """Whether the catalogue has instances of it."""
    is_up: bool = True
    """Whether the load balancer sends it work, where there is one."""
    share: Lot | None = None
    """What canaries were given of the traffic last; None: nothing yet."""
    started: float | None = None
    """When it began to run; None when that is not known."""

    @property
    def age(self) -> tuple[int, int]:
        """What tells the newer of two copies of one slot."""
        return self.epoch, self.incarnation


@dataclass(frozen=True, slots=True)
class Need:
    """A service that must have reached something before the first start."""

    service: str
    condition: Condition
    is_same_slot: bool = False
    is_required: bool = True
    """Else it is waited for only as long as it may come to be."""
    restarts: bool = False
    """When that service is replaced, this one is afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What is wanted of one service: a request per slot, all of one spec."""

    service: str
    spec: str
    slots: Mapping[str, Request]
    previous: "Goal | None" = None
    """To what a rollback goes back."""
    restart: Restart = field(default_factory=Restart)
    update: Update = field(default_factory=Update)
    rollback: Update = field(default_factory=Update)
    """How ``previous`` is rolled out again."""
    needs: tuple[Need, ...] = ()
    min_healthy: float = 0.0
    """A copy without health check is ready after so long."""
    moves: bool = True
    """Whether its slots on a lost node are placed elsewhere."""
    fencing: Fencing = Fencing.CATALOG
    keeps: Keeps = Keeps.REPLACEMENT
    canary: CanaryPolicy | None = None
    """How a new spec is tried first."""
    promoted: str = ""
    """The spec whose canary a person found good."""
    trial: Kept | None = None
    """How far its trial had got when that was written down, last."""
    lost_after: float = 15.0
    is_paused: bool = False
    is_rollback: bool = False
    """It was asked for as the way back; its failure takes nothing back."""
    is_stopped: bool = False
    """Its rollout had failed when this process began."""
    attempt: int = 0
    """How many times a person had the rollout go on."""
    size: int | None = None
    """So many slots; which ones, what runs decides. ``slots`` then holds a pattern. Each node has
    one where ``is_everywhere``."""
    is_everywhere: bool = False
    adopts: bool = False
    """It takes over what docker-compose made for it."""
    rebalances: bool = False
    """Copies move to nodes that joined."""
    orphan_keep: float = 3600.0
    """A copy that lost to its replacement is kept for so long."""
    pod: str = ""
    """The service in whose network each slot is, on the same node."""
    members: tuple[str, ...] = ()
    """The services that are in its pod: it is ready when they are."""
    follows: bool = False
    """It has the slots of its pod."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """All nodes and copies as they were seen last."""

    nodes: tuple[NodeView, ...]
    copies: Mapping[str, tuple[Copy, ...]]
    """By service."""
    since: Mapping[str, float] = field(default_factory=dict)
    """When each node came into its state."""
    fences: Fences = field(default_factory=Fences)
    sides: Mapping[str, Sides] = field(default_factory=dict)
    """What the load balancer counted of services with canaries."""
    wall: float = 0.0
    """The time of day, which other processes know too."""
