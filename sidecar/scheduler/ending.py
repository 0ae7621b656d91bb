"""How copies end: step by step, and what is kept of them for a while. Pure.

To *retire* a copy is to drain it, stop it when it is drained, and remove it when it has ended. Of
those that ended the newest of a slot are kept for their logs. One that ended because another copy
of its slot ran elsewhere meanwhile (its node was lost and came back) is an *orphan*: it is kept for
a time, and does not count among those.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from sidecar.scheduler.actions import Drain, Remove, Stop
from sidecar.scheduler.cluster import Copy, Goal, Stage
from sidecar.scheduler.memory import Memory
from sidecar.scheduler.sight import Sight

__all__ = ["due_of", "retired", "swept", "witness_of"]

_KEPT: Final = 2
"""Ended containers kept per slot, for their logs."""


def retired(service: str, copy: Copy, sight: Sight) -> Drain | Stop | Remove | None:
    """Return the next step of a copy's end; None where it is on its way, or out of reach."""
    if not sight.is_reachable(copy):
        return None
    if copy.stage is Stage.EXITED:
        return Remove(service, copy)
    if copy.stage is Stage.CREATED or copy.is_drained:
        return Stop(service, copy)
    return None if copy.is_draining else Drain(service, copy)


def due_of(goal: Goal, last: Copy, memory: Memory, now: float) -> float | None:
    """Return when an ended copy is to be followed by another one; None: never, by its policy."""
    restart = goal.restart
    if not last.is_draining and not restart.is_wanted(last.exit_code):
        return None
    failures = memory.failures_of(goal.service, last.slot, goal.spec)
    return restart.due(failures, last.since, now, is_ended_by_us=last.is_draining)


def swept(goal: Goal, copies: Sequence[Copy], sight: Sight, now: float) -> Iterator[Remove]:
    """Return what is to be removed of what ended in a slot; ``copies`` are all of the slot."""
    ended = sorted(
        (copy for copy in copies if copy.stage is Stage.EXITED),
        key=lambda each: each.age,
        reverse=True,
    )
    witnesses = {copy.name: witness_of(copy, copies) for copy in ended}
    history = [copy for copy in ended if witnesses[copy.name] is None]
    over = {copy.name for copy in history[_KEPT:]}
    kept = {
        copy.name for copy in ended
        if witnesses[copy.name] is not None and now - copy.since < goal.orphan_keep
    }  # fmt: skip
    needed = {other.name for name in kept if (other := witnesses[name]) is not None}
    for copy in ended:
        if copy.name in kept:
            sight.wait(copy.since + goal.orphan_keep)
        elif copy.name in needed or not sight.is_reachable(copy):
            continue
        elif witnesses[copy.name] is not None or copy.name in over:
            yield Remove(goal.service, copy)


def witness_of(copy: Copy, others: Iterable[Copy]) -> Copy | None:
    """Return a copy of the same spec that ran on another node when this one ended, if any did."""
    found = [
        other
        for other in others
        if other.stage is not Stage.CREATED
        and other.spec == copy.spec
        and other.node != copy.node
        and other.started is not None
        and other.started <= copy.since
        and (other.stage is Stage.RUNNING or other.since > copy.since)
    ]
    return max(found, key=lambda each: (each.stage is Stage.RUNNING, each.age), default=None)
