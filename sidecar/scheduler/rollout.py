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

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from sidecar.scheduler.canary import is_canary
from sidecar.scheduler.cluster import Cluster, Copy, Goal, Stage
from sidecar.scheduler.conduct import OnFailure, Order
from sidecar.scheduler.memory import Memory
from sidecar.scheduler.sight import Sight
from sidecar.scheduler.slots import filled

__all__ = [
    "Phase", "Rollout", "begun", "can_begin", "effective", "ended_group", "judged", "over",
    "recalled", "resumed", "rollout_of",
]  # fmt: skip

_MANY: Final = 3
"""A copy that failed so many times is not going to run by itself."""


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


def begun(memory: Memory, goal: Goal, now: float) -> Memory:
    """Return the memory with since when the effective spec is the one to be."""
    if memory.begun.get(goal.service, ("",))[0] == goal.spec:
        return memory
    return replace(memory, begun={**memory.begun, goal.service: (goal.spec, now)})


def resumed(memory: Memory, goal: Goal, copies: Sequence[Copy]) -> Memory:
    """Return the memory with when a slot was updated last, where another process has done that."""
    if goal.service in memory.updated:
        return memory
    alive = [copy for copy in copies if copy.stage is not Stage.EXITED]
    since = [copy.since for copy in alive if copy.spec == goal.spec]
    if len(since) in {0, len(alive)}:
        return memory
    return replace(memory, updated={**memory.updated, goal.service: max(since)})


def ended_group(memory: Memory, goal: Goal, *, now: float, is_moving: bool) -> Memory:
    """Return the memory with when the last slots of a group were updated: the delay begins then."""
    service = goal.service
    if not goal.slots or any(map(is_canary, goal.slots)):
        return memory
    if any(name == service for name, _, _ in memory.moves):
        return memory  # copies go to other nodes: that is no rollout
    if is_moving:
        return replace(memory, moving=memory.moving | {service})
    if service not in memory.moving:
        return memory
    updated = {**memory.updated, service: now}
    return replace(memory, moving=memory.moving - {service}, updated=updated)


def recalled(memory: Memory, goal: Goal) -> Memory:
    """Return the memory after a person's word to go on, or a restart of ours."""
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
        slots=filled(goal.previous.slots, goal.slots),
        update=goal.rollback,
        is_rollback=True,
        is_paused=goal.is_paused,
        attempt=goal.attempt,
    )


def _has_failed(goal: Goal, memory: Memory) -> bool:
    """Return whether more of a rollout failed than may."""
    if goal.update.on_failure is OnFailure.CONTINUE:
        return False
    slots = memory.failed_slots(goal.service, goal.spec, goal.update.monitor)
    return len(slots) / max(len(goal.slots), 1) > goal.update.max_failure_ratio


def judged(memory: Memory, goal: Goal, now: float) -> Memory:
    """Return the memory with a rollout stopped of which too much failed, if only its last slot."""
    last = memory.updated.get(goal.service)
    if (goal.service, goal.spec) in memory.paused or last is None:
        return memory
    is_recent = now - last <= goal.update.deadline + goal.update.monitor
    if not is_recent or not _has_failed(goal, memory):
        return memory
    return replace(memory, paused=memory.paused | {(goal.service, goal.spec)})


def can_begin(
    goal: Goal, memory: Memory, slot: str, *,
    in_flux: int, ready: Collection[str], over: Collection[str],
) -> bool:  # fmt: skip
    """Return whether one more slot may be updated, as far as numbers say.

    ``ready``: slots of which a copy takes work; ``over``: those that ended well for good.
    """
    if goal.is_paused or (goal.service, goal.spec) in memory.paused:
        return False
    if goal.update.parallelism and in_flux >= goal.update.parallelism:
        return False
    is_safe = goal.update.order is Order.START_FIRST or slot not in ready
    return is_safe or len(ready) > _least(goal, memory, ready, over)


def _least(goal: Goal, memory: Memory, ready: Collection[str], over: Collection[str]) -> int:
    """Return how many slots stay ready: by default all but ``parallelism``.

    Nobody waits for those that are not to be ready again: they ended well, or failed with the new
    spec, and that is borne.
    """
    if goal.update.min_ready is not None:
        return goal.update.min_ready
    if not goal.update.parallelism:
        return 0
    failed = memory.failed_slots(goal.service, goal.spec, goal.update.monitor)
    given_up = sum(slot in goal.slots and slot not in ready for slot in {*over, *failed})
    return len(goal.slots) - goal.update.parallelism - given_up


def over(goal: Goal, slots: Mapping[str, Sequence[Copy]]) -> Collection[str]:
    """Return the slots that ended well and are not to be started again."""
    last = {slot: max(held, key=lambda each: each.age) for slot, held in slots.items() if held}
    return {slot for slot, copy in last.items() if _is_over(goal, copy) and not copy.exit_code}


def rollout_of(
    goal: Goal, cluster: Cluster, memory: Memory, now: float, sight: Sight | None = None
) -> Rollout:
    """Return how far a service has got; ``goal`` has its slots and may be newer than the rest.

    Who asks about many gives a ``sight`` of the cluster.
    """
    memory = recalled(memory, goal)
    sight = sight or Sight(cluster, now)
    real = effective(goal, memory)
    is_stopped = (real.service, real.spec) in memory.paused
    alive: dict[str, list[Copy]] = {slot: [] for slot in real.slots}
    last: dict[str, Copy] = {}
    for copy in cluster.copies.get(goal.service, ()):
        if copy.slot not in alive or sight.is_lost(copy, real):
            continue
        if copy.stage is not Stage.EXITED:
            alive[copy.slot].append(copy)
        if copy.slot not in last or last[copy.slot].age < copy.age:
            last[copy.slot] = copy
    ended = {slot for slot, copy in last.items() if _is_over(real, copy)}
    done = {slot for slot in ended if not last[slot].exit_code}
    current = done | _slots(alive, lambda each: each.spec == real.spec)
    ready = done | _slots(alive, lambda each: sight.is_ready(each, real))
    is_old = any(each.spec != real.spec for copies in alive.values() for each in copies)
    phase, why = _phase(goal, real, alive, is_old=is_old, is_stopped=is_stopped)
    if phase is Phase.UPDATING and not is_old:
        if len(current) == len(ready) == len(alive):
            is_later = goal.previous is not None or goal.is_rollback
            phase = Phase.COMPLETED if is_later else Phase.IDLE
        elif lost := _hopeless(real, memory, ended - done, alive.keys() - ready):
            phase, why = Phase.FAILED, lost
    failed = tuple(sorted(memory.failed_slots(goal.service, goal.spec, goal.update.monitor)))
    return Rollout(
        phase=phase, spec=real.spec, wanted=len(alive), current=len(current), ready=len(ready),
        failed=failed, why=why,
    )  # fmt: skip


def _slots(alive: Mapping[str, Sequence[Copy]], holds: Callable[[Copy], bool]) -> set[str]:
    return {slot for slot, copies in alive.items() if any(map(holds, copies))}


def _is_over(goal: Goal, copy: Copy) -> bool:
    """Return whether a copy ended and nobody wants it started again."""
    is_ended = copy.stage is Stage.EXITED and not copy.is_draining
    return is_ended and copy.spec == goal.spec and not goal.restart.is_wanted(copy.exit_code)


def _hopeless(goal: Goal, memory: Memory, ended: Collection[str], missing: Iterable[str]) -> str:
    """Return why a service that never ran as a whole will not do so soon; empty: it may."""
    if ended:
        return f"slot {min(ended)} failed and is not started again"
    for slot in sorted(missing):
        times = len(memory.failures_of(goal.service, slot, goal.spec))
        if times >= _MANY:
            return f"slot {slot} failed {times} times"
    return ""


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
