"""How far a new spec of a service has got, and whether the next slot may be updated. Pure.

    idle            what runs is what is wanted, and nothing came before it
    updating        slots of the old spec are replaced, so many at a time
    paused          by a person, or because too much of it failed; the rest stays as it was
    rolling_back    slots go back to the previous spec
    rollback_paused the same, held by a person or by failures: a rollback is never taken back itself
    completed       every slot has the new spec and is ready
    failed          the new spec failed, and was taken back or never came to run

All of it is read from what is seen, what is wanted and ``Memory``; what must outlive the process
(that a rollout stopped) stands beside the wanted state and comes back in ``Goal.is_stopped``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sidecar.scheduler.cluster import Cluster, Copy, Goal, Stage
from sidecar.scheduler.conduct import OnFailure
from sidecar.scheduler.memory import Memory
from sidecar.scheduler.model import Request
from sidecar.scheduler.sight import Sight

__all__ = ["Phase", "Rollout", "can_begin", "effective", "has_failed", "recalled", "rollout_of"]


class Phase(StrEnum):
    """The state of a rollout."""

    IDLE = "idle"
    UPDATING = "updating"
    PAUSED = "paused"
    ROLLING_BACK = "rolling_back"
    ROLLBACK_PAUSED = "rollback_paused"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One service's rollout as it is seen now."""

    phase: Phase
    spec: str
    """What is being made true: the wanted spec, or the one that is gone back to."""
    wanted: int
    current: int
    """Slots that have it."""
    ready: int
    """Slots of which a copy takes work, of whatever spec."""
    failed: tuple[str, ...] = ()
    """Slots of which a copy of the wanted spec failed while it was watched."""
    why: str = ""

    @property
    def is_settled(self) -> bool:
        """Whether nothing more is to be waited for."""
        is_over = self.phase in {Phase.IDLE, Phase.COMPLETED}
        return is_over and self.ready >= self.wanted and self.current >= self.wanted


def recalled(memory: Memory, goal: Goal) -> Memory:
    """Return the memory after a person resumed the rollout, or after a restart of ours."""
    service = goal.service
    known = memory.attempts.get(service)
    if known == goal.attempt:
        return memory
    attempts = {**memory.attempts, service: goal.attempt}
    paused, failures = memory.paused, memory.failures
    if known is None and goal.is_stopped:
        paused |= {(service, goal.spec)}
    elif known is not None:
        paused = frozenset(each for each in paused if each[0] != service)
        failures = tuple(each for each in failures if each.service != service)
    return replace(memory, attempts=attempts, paused=paused, failures=failures)


def effective(goal: Goal, memory: Memory) -> Goal:
    """Return the goal, or the previous one while a rollout that failed is taken back."""
    if goal.previous is None or goal.update.on_failure is not OnFailure.ROLLBACK:
        return goal
    if goal.is_rollback or (goal.service, goal.spec) not in memory.paused:
        return goal
    return replace(
        goal.previous,
        slots=_same_slots(goal, goal.previous),
        update=goal.rollback,
        is_rollback=True,
        is_paused=goal.is_paused,
        attempt=goal.attempt,
    )


def _same_slots(goal: Goal, previous: Goal) -> Mapping[str, Request]:
    pattern = next(iter(previous.slots.values()), None)
    if pattern is None:
        return {}
    return {slot: previous.slots.get(slot, replace(pattern, slot=slot)) for slot in goal.slots}


def has_failed(goal: Goal, memory: Memory) -> bool:
    """Return whether more of a rollout failed than may."""
    if goal.update.on_failure is OnFailure.CONTINUE:
        return False
    slots = memory.failed_slots(goal.service, goal.spec, goal.update.monitor)
    return len(slots) / max(len(goal.slots), 1) > goal.update.max_failure_ratio


def can_begin(goal: Goal, memory: Memory, *, in_flux: int, is_ready: bool, ready: int) -> bool:
    """Return whether one more slot may be updated, as far as numbers say.

    ``is_ready``: a copy of that slot takes work; ``ready``: slots of which one does.
    """
    if goal.is_paused or (goal.service, goal.spec) in memory.paused:
        return False
    if goal.update.parallelism and in_flux >= goal.update.parallelism:
        return False
    least = goal.update.min_ready
    return least is None or not is_ready or ready > least


def rollout_of(goal: Goal, cluster: Cluster, memory: Memory, now: float) -> Rollout:
    """Return how far a service has got."""
    sight = Sight(cluster, now)
    real = effective(goal, memory)
    is_stopped = (real.service, real.spec) in memory.paused
    alive: dict[str, list[Copy]] = {slot: [] for slot in real.slots}
    for copy in cluster.copies.get(goal.service, ()):
        if copy.slot in alive and copy.stage is not Stage.EXITED and not sight.is_lost(copy, real):
            alive[copy.slot].append(copy)
    current = sum(any(each.spec == real.spec for each in copies) for copies in alive.values())
    is_old = any(each.spec != real.spec for copies in alive.values() for each in copies)
    ready = sum(any(sight.is_ready(each, real) for each in copies) for copies in alive.values())
    failed = tuple(sorted(memory.failed_slots(goal.service, goal.spec, goal.update.monitor)))
    phase, why = _phase(goal, real, alive, is_old=is_old, is_stopped=is_stopped)
    if phase is Phase.UPDATING and not is_old and current == ready == len(alive):
        phase = Phase.COMPLETED if goal.previous is not None else Phase.IDLE
    return Rollout(
        phase=phase, spec=real.spec, wanted=len(alive), current=current, ready=ready,
        failed=failed, why=why,
    )  # fmt: skip


def _phase(
    goal: Goal,
    real: Goal,
    alive: Mapping[str, Sequence[Copy]],
    *,
    is_old: bool,
    is_stopped: bool,
) -> tuple[Phase, str]:
    is_back, by_itself = real.is_rollback, real is not goal
    failed = f"too much of {goal.spec} failed"
    if not is_old and by_itself and all(alive.values()):
        return Phase.FAILED, f"{failed}; it was taken back to {real.spec}"
    if real.is_paused and is_old:
        return (Phase.ROLLBACK_PAUSED if is_back else Phase.PAUSED), "paused by a person"
    if is_stopped and is_back:
        return Phase.ROLLBACK_PAUSED, f"too much of {real.spec} failed as well"
    if is_stopped:
        return (Phase.PAUSED if is_old else Phase.FAILED), failed
    if is_back and is_old:
        return Phase.ROLLING_BACK, failed if by_itself else ""
    return Phase.UPDATING, ""
