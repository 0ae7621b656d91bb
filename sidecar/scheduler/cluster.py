"""What is seen of a cluster at one moment, and what is wanted of it. Pure.

A *copy* is one container of ours: one incarnation of a slot. What runs on a node that cannot be
reached is believed to run on, until the node has been down for so long that its slots are lost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from sidecar.scheduler.model import NodeView, Request
from sidecar.scheduler.spec import Condition

__all__ = [
    "HEALED",
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
]


HEALED: Final = 600.0
"""After so long without a failure the delay before a restart begins anew; seconds."""
_SLOWEST: Final = 300.0


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


class When(StrEnum):
    """When an ended container is started again."""

    NONE = "none"
    ON_FAILURE = "on-failure"
    ANY = "any"


class Order(StrEnum):
    """Which comes first when a copy is replaced."""

    START_FIRST = "start-first"
    STOP_FIRST = "stop-first"


class OnFailure(StrEnum):
    """What becomes of a rollout of which too much fails."""

    PAUSE = "pause"
    CONTINUE = "continue"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One container of ours."""

    name: str
    node: str
    slot: str
    spec: str
    incarnation: int
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

    @property
    def age(self) -> tuple[int, int]:
        """What tells the newer of two copies of one slot."""
        return self.epoch, self.incarnation


@dataclass(frozen=True, slots=True)
class Restart:
    """Compose's restart policy; seconds, 0 attempts are any number, a window of 0 is all time."""

    condition: When = When.ANY
    delay: float = 5.0
    max_attempts: int = 0
    window: float = 0.0

    def is_wanted(self, exit_code: int) -> bool:
        """Return whether what ended so is to be started again at all."""
        return self.condition is When.ANY or (self.condition is When.ON_FAILURE and exit_code != 0)

    def due(
        self, failures: Sequence[float], ended: float, now: float, *, is_ended_by_us: bool
    ) -> float | None:
        """Return when what ended is started again; None: never, by the number of attempts.

        The delay doubles with each failure of late.
        """
        within = [at for at in failures if not self.window or now - at < self.window]
        if self.max_attempts and len(within) > self.max_attempts:
            return None
        recent = sum(now - at < HEALED for at in failures)
        if is_ended_by_us and not recent:
            return now
        return ended + min(self.delay * 2.0 ** min(max(recent - 1, 0), 16), _SLOWEST)


@dataclass(frozen=True, slots=True)
class Update:
    """How a new spec is rolled out."""

    parallelism: int = 1
    delay: float = 0.0
    monitor: float = 5.0
    on_failure: OnFailure = OnFailure.PAUSE
    max_failure_ratio: float = 0.0
    order: Order = Order.STOP_FIRST
    deadline: float = 300.0
    """A copy that is not ready after so long has failed."""


@dataclass(frozen=True, slots=True)
class Need:
    """A service that must have reached something before the first start."""

    service: str
    condition: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What is wanted of one service: a request per slot, all of one spec."""

    service: str
    spec: str
    slots: Mapping[str, Request]
    previous: "Goal | None" = None
    """To what a rollback goes back."""
    restart: Restart = Restart()
    update: Update = Update()
    needs: tuple[Need, ...] = ()
    min_healthy: float = 0.0
    """A copy without health check is ready after so long."""
    moves: bool = True
    """Whether its slots on a lost node are placed elsewhere."""
    lost_after: float = 15.0
    is_paused: bool = False


@dataclass(frozen=True, slots=True)
class Cluster:
    """All nodes and copies as they were seen last."""

    nodes: tuple[NodeView, ...]
    copies: Mapping[str, tuple[Copy, ...]]
    """By service."""
    since: Mapping[str, float] = field(default_factory=dict)
    """When each node came into its state."""
