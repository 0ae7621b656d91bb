"""What cannot be seen and is remembered: when copies failed. Pure.

Losing it costs delays that begin anew, and no more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Final

from sidecar.scheduler.canary import Trial
from sidecar.scheduler.cluster import HEALED, Cluster, Copy, Health, Stage

__all__ = ["Failure", "Memory", "Move", "counted"]

_STRAIN: Final = 300.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A copy that ended or became unhealthy: of which slot and spec, where and when."""

    service: str
    slot: str
    spec: str
    node: str
    at: float
    age: float = 0.0
    """How long it had run, 0 when that is not known."""


@dataclass(frozen=True, slots=True)
class Move:
    """A copy that is to leave a node for a better one, and since when."""

    node: str
    at: float


@dataclass(frozen=True, slots=True)
class Memory:
    """What was seen to fail, and which failures were counted."""

    failures: tuple[Failure, ...] = ()
    counted: frozenset[tuple[str, int, float]] = frozenset()
    """Name, incarnation and time of each end that is in ``failures``."""
    updated: Mapping[str, float] = field(default_factory=dict)
    """When a slot of a service was updated last: begun, and later when it was done."""
    moving: frozenset[str] = frozenset()
    """Services of which an update of slots is under way."""
    trials: Mapping[str, Trial] = field(default_factory=dict)
    """Canaries, by service."""
    paused: frozenset[tuple[str, str]] = frozenset()
    """Rollouts that stopped: service and spec."""
    attempts: Mapping[str, int] = field(default_factory=dict)
    """``Goal.attempt`` of each service as it was seen last."""
    begun: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    """Which spec of a service was wanted last, and since when."""
    cut_off: float = -inf
    """When most nodes could not be reached, last: what is lost is counted anew from then on."""

    moves: Mapping[tuple[str, str, int], Move] = field(default_factory=dict)
    """Copies that move to other nodes: service, slot and incarnation of each."""
    moved: tuple[float, ...] = ()
    """When moves began of late."""
    unmoved: Mapping[str, float] = field(default_factory=dict)
    """When a move of a service failed."""

    def late(self, service: str, copy: Copy, now: float) -> "Memory":
        """Return it with a copy that never became ready; taken once."""
        known = self.failures_of(service, copy.slot, copy.spec)
        if any(at >= copy.since for at in known):
            return self
        failure = Failure(service, copy.slot, copy.spec, copy.node, now)
        return replace(self, failures=(*self.failures, failure))

    def left(self, service: str, slot: str) -> frozenset[str]:
        """Return the nodes that copies of a slot are to leave."""
        moves = self.moves.items()
        return frozenset(move.node for (of, at, _), move in moves if (of, at) == (service, slot))

    def failures_of(self, service: str, slot: str, spec: str) -> list[float]:
        """Return when copies of a slot failed."""
        wanted = service, slot, spec
        return [each.at for each in self.failures if (each.service, each.slot, each.spec) == wanted]

    def failed_slots(self, service: str, spec: str, monitor: float = inf) -> set[str]:
        """Return the slots of which a copy of this spec failed when it had not run for long.

        What failed before the spec was wanted (the last time) does not count.
        """
        wanted = service, spec
        known, since = self.begun.get(service, (spec, -inf))
        return {
            each.slot
            for each in self.failures
            if (each.service, each.spec) == wanted
            and each.age <= monitor
            and (known != spec or each.at >= since)
        }

    def strain(self, node: str, now: float) -> int:
        """Return how many copies failed on a node of late."""
        return sum(each.node == node and now - each.at < _STRAIN for each in self.failures)


def counted(cluster: Cluster, memory: Memory, now: float) -> Memory:
    """Return the memory with the failures that are seen for the first time."""
    found: list[Failure] = []
    marks: set[tuple[str, int, float]] = set()
    for service, copies in cluster.copies.items():
        for copy in copies:
            ended_badly = copy.stage is Stage.EXITED and not copy.is_draining
            if not ended_badly and copy.health is not Health.UNHEALTHY:
                continue
            mark = copy.name, copy.incarnation, copy.since
            marks.add(mark)
            if mark not in memory.counted:
                ended = copy.since if copy.stage is Stage.EXITED else now
                age = 0.0 if copy.started is None else ended - copy.started
                at = min(ended, now)
                found.append(Failure(service, copy.slot, copy.spec, copy.node, at, age))
    if not found and marks >= memory.counted:
        return memory
    recent = tuple(each for each in memory.failures if now - each.at < 2 * HEALED)
    return replace(memory, failures=(*recent, *found), counted=frozenset(marks))
