"""What a trial of a new spec makes of a goal: stable copies as before, and canaries. Pure.

While a spec is tried the service is two: its slots, of the spec before, which are kept and healed;
and slots for canaries, of the new one. When it is promoted the slots are rolled out as ever, and
the canaries serve on until all are. A trial that was aborted stays aborted until a person has it go
on, also over a restart: it stands as a stopped rollout (``Goal.is_stopped``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sidecar.scheduler.actions import Action, Alarm, Weigh
from sidecar.scheduler.canary import PREFIX, CanaryPolicy, Phase, Sides, Trial, is_canary, step
from sidecar.scheduler.cluster import Cluster, Copy, Goal, OnFailure, Order, Stage
from sidecar.scheduler.memory import Memory
from sidecar.scheduler.sight import Sight
from sidecar.scheduler.slots import filled

__all__ = ["Split", "tried"]


@dataclass(frozen=True, slots=True)
class Split:
    """The goals a service is looked at by, each with its copies; what is done and remembered."""

    parts: tuple[tuple[Goal, Sequence[Copy]], ...]
    memory: Memory
    actions: tuple[Action, ...] = ()


def tried(goal: Goal, cluster: Cluster, memory: Memory, sight: Sight, now: float) -> Split:
    """Return what to look at; ``goal`` has a request for each slot."""
    copies = cluster.copies.get(goal.service, ())
    known = memory.trials.get(goal.service)
    if goal.canary is None or goal.is_rollback:
        return Split(((goal, copies),), _without(memory, goal.service))
    stable = [copy for copy in copies if not is_canary(copy.slot)]
    canaries = [copy for copy in copies if is_canary(copy.slot)]
    sides = cluster.sides.get(goal.service, Sides())
    resumed = None
    if goal.trial is not None and goal.trial.spec == goal.spec:
        resumed = goal.trial.resumed(goal.canary, sides, now, cluster.wall)
    trial = _begun(goal, stable, memory, known, resumed)
    if trial is None:
        return Split(((goal, copies),), _without(memory, goal.service))
    after = _stepped(goal, goal.canary, trial, canaries, sides, memory, sight, now)
    if after.phase is Phase.PROMOTED and _is_done(goal, stable, sight):
        return Split(((goal, copies),), _without(memory, goal.service))
    memory = replace(memory, trials={**memory.trials, goal.service: after})
    lot = after.lot(goal.canary)
    actions: list[Action] = [
        Weigh(goal.service, copy, lot)
        for copy in canaries
        if copy.stage is Stage.RUNNING and sight.is_reachable(copy)
        and copy.share != lot and copy.spec == goal.spec
    ]  # fmt: skip
    if after.phase is Phase.ABORTED and (goal.service, goal.spec) not in memory.paused:
        memory = replace(memory, paused=memory.paused | {(goal.service, goal.spec)})
        actions.append(Alarm(f"the canary of {goal.service} was aborted: {after.why}"))
    elif after.phase is Phase.WAITING:
        text = f"the canary of {goal.service} waits: {after.why}"
        actions.append(Alarm(text, is_trouble=False))
    parts = (
        (_stable_goal(goal, after, stable), stable),
        (_canary_goal(goal, goal.canary, after), canaries),
    )
    return Split(parts, memory, tuple(actions))


def _without(memory: Memory, service: str) -> Memory:
    if service not in memory.trials:
        return memory
    trials = {name: trial for name, trial in memory.trials.items() if name != service}
    return replace(memory, trials=trials)


def _begun(
    goal: Goal, stable: Sequence[Copy], memory: Memory, known: Trial | None, resumed: Trial | None
) -> Trial | None:
    """Return the trial as it stands; None where there is nothing to try.

    ``known`` is from the look before, ``resumed`` what another process had written down.
    """
    is_stopped = (goal.service, goal.spec) in memory.paused
    if known is not None and known.spec == goal.spec:
        # A person had it go on.
        return known if is_stopped or known.phase is not Phase.ABORTED else Trial(goal.spec)
    alive = [copy for copy in stable if copy.stage is not Stage.EXITED]
    if not any(copy.spec != goal.spec for copy in alive):
        return None
    if goal.promoted == goal.spec or any(copy.spec == goal.spec for copy in alive):
        number = resumed.number if resumed is not None else 0
        return Trial(goal.spec, phase=Phase.PROMOTED, number=number)
    if is_stopped:
        why = resumed.why if resumed is not None else ""
        return Trial(goal.spec, phase=Phase.ABORTED, why=why or "it was aborted before")
    if resumed is not None and resumed.phase is not Phase.ABORTED:
        return resumed
    return Trial(goal.spec)


def _stepped(  # noqa: PLR0917 - one look's worth of what is known
    goal: Goal, policy: CanaryPolicy, trial: Trial, canaries: Sequence[Copy], sides: Sides,
    memory: Memory, sight: Sight, now: float,
) -> Trial:  # fmt: skip
    own = [copy for copy in canaries if copy.spec == goal.spec]
    after = step(
        policy,
        trial,
        sides,
        now,
        ready=sum(sight.is_ready(copy, goal) for copy in own),
        wanted=policy.count(len(goal.slots), trial.number),
        has_failed=any(
            is_canary(each.slot) and (each.service, each.spec) == (goal.service, goal.spec)
            for each in memory.failures
        ),
        is_promoted=goal.promoted == goal.spec,
        is_held=goal.is_paused,
    )
    if after.phase is Phase.TRYING:
        for due in (after.since + policy.hold, after.counted + policy.deadline):
            if due > now:
                sight.wait(due)
    return after


def _is_done(goal: Goal, stable: Sequence[Copy], sight: Sight) -> bool:
    """Return whether every slot has the new spec, ready, and nothing else."""
    alive = [copy for copy in stable if copy.stage is not Stage.EXITED]
    ready = {copy.slot for copy in alive if copy.spec == goal.spec and sight.is_ready(copy, goal)}
    return goal.slots.keys() <= ready and all(copy.spec == goal.spec for copy in alive)


def _stable_goal(goal: Goal, trial: Trial, stable: Sequence[Copy]) -> Goal:
    if trial.phase is Phase.PROMOTED:
        return goal
    before = goal.previous
    is_other = bool(stable) and before is not None and before.spec not in {c.spec for c in stable}
    if before is None or not before.slots or is_other:
        # How the old ones are made is not known: the spec before may have been on trial itself.
        return replace(goal, is_paused=True)
    slots = filled(before.slots, goal.slots)
    return replace(goal, spec=before.spec, slots=slots, previous=None, is_paused=False)


def _canary_goal(goal: Goal, policy: CanaryPolicy, trial: Trial) -> Goal:
    slots = {}
    pattern = next(iter(goal.slots.values()), None)
    if trial.phase is not Phase.ABORTED and pattern is not None:
        numbers = range(1, policy.count(len(goal.slots), trial.number) + 1)
        slots = {f"{PREFIX}{each}": replace(pattern, slot=f"{PREFIX}{each}") for each in numbers}
    update = replace(
        goal.update, parallelism=0, order=Order.STOP_FIRST, on_failure=OnFailure.CONTINUE
    )
    return replace(goal, slots=slots, update=update, previous=None, is_paused=False, needs=())
