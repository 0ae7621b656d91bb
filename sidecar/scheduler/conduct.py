"""How a service behaves over time: when it is started again, how a new spec is rolled out. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from sidecar.scheduler.canary import CanaryPolicy
from sidecar.scheduler.fencing import Fencing
from sidecar.scheduler.sources.wanted import Autoscale

__all__ = ["HEALED", "Conduct", "Keeps", "OnFailure", "Order", "Restart", "Update", "When"]

HEALED: Final = 600.0
"""After so long without a failure the delay before a restart begins anew; seconds."""
_SLOWEST: Final = 300.0


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


class Keeps(StrEnum):
    """Which of two copies of a slot stays when a lost node is back."""

    REPLACEMENT = "keep_replacement"
    ORIGINAL = "keep_original"
    LONGEST = "longest_running"


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
    min_ready: int | None = None
    """So many stay ready while others are updated; None: all but ``parallelism``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """All of it for one service; ``min_healthy`` and ``lost_after`` are of ``Goal``."""

    restart: Restart = field(default_factory=Restart)
    update: Update = field(default_factory=Update)
    rollback: Update = field(default_factory=Update)
    min_healthy: float = 0.0
    moves: bool = True
    lost_after: float | None = None
    fencing: Fencing = Fencing.CATALOG
    keeps: Keeps = Keeps.REPLACEMENT
    canary: CanaryPolicy | None = None
    autoscale: Autoscale | None = None
    rebalances: bool = False
    orphan_keep: float = 3600.0
