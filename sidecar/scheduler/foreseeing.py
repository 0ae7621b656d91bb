"""What a stack file would change on the nodes as they are, without doing any of it. Pure.

Slots are compared as the plan does: what runs of the wanted spec stays, what runs of another one is
updated if another one would have a place without it, what is missing is placed (with all else that
is missing, as if it were there already), and what is wanted no more is removed. When and in what
order is left to the rollout.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sidecar.scheduler.board import Board
from sidecar.scheduler.cluster import Cluster, Copy, Goal, Stage
from sidecar.scheduler.decision import beside, document_of, shown
from sidecar.scheduler.model import Placement, Policy, Request
from sidecar.scheduler.placing import Decision, Placer
from sidecar.scheduler.recipe import key_of
from sidecar.scheduler.sizing import sized

__all__ = ["foreseen"]


@dataclass(frozen=True, slots=True)
class _Change:
    decisions: list[Decision] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    removals: list[dict[str, Any]] = field(default_factory=list)
    kept: list[dict[str, Any]] = field(default_factory=list)


def foreseen(stack: str, goals: Iterable[Goal], cluster: Cluster, policy: Policy) -> dict[str, Any]:
    """Return the changes of a stack with these goals, in the order in which services start."""
    change, board = _Change(), Board(cluster.nodes, policy)
    placer = Placer(board)
    homes: dict[tuple[str, str], str] = {}
    wanted = [sized(goal, cluster) for goal in goals]
    for goal in wanted:
        alive = _alive(cluster.copies.get(goal.service, ()))
        missing: list[Request] = []
        old: dict[str, Copy] = {}
        for slot, request in goal.slots.items():
            copies = alive.pop(slot, [])
            if any(copy.spec == goal.spec for copy in copies):
                homes[goal.service, slot] = copies[-1].node
                change.kept.append(_told(goal.service, copies[-1]))
                continue
            if copies:
                old[slot] = copies[-1]
                _leave(board, copies)
            missing.append(beside(request, goal.pod, homes) if goal.pod else request)
        for decision in placer.place(missing):
            slot = decision.request.slot
            if isinstance(decision, Placement):
                homes[goal.service, slot] = decision.node
            if slot in old and isinstance(decision, Placement):
                change.updates.append(_update(goal, old[slot]))
            else:
                change.decisions.append(decision)
        _remove(change, goal.service, alive)
    known = {goal.service for goal in wanted}
    for service in sorted(cluster.copies.keys() - known):
        if service.startswith(key_of(stack, "")):
            _remove(change, service, _alive(cluster.copies[service]))
    return {
        "stack": stack, **document_of(change.decisions), "updates": change.updates,
        "removals": change.removals, "kept": change.kept,
    }  # fmt: skip


def _alive(copies: Sequence[Copy]) -> dict[str, list[Copy]]:
    found: dict[str, list[Copy]] = {}
    for copy in sorted(copies, key=lambda each: each.age):
        if copy.stage is not Stage.EXITED and not copy.is_draining:
            found.setdefault(copy.slot, []).append(copy)
    return found


def _leave(board: Board, copies: Iterable[Copy]) -> None:
    for copy in copies:
        standing = board.standings.get(copy.node)
        found = standing.container(copy.name) if standing is not None else None
        if found is not None:
            board.remove(found, copy.node)


def _update(goal: Goal, copy: Copy) -> dict[str, Any]:
    how = "canary" if goal.canary is not None else str(goal.update.order)
    return {**_told(goal.service, copy), "from": copy.spec, "to": goal.spec, "how": how}


def _remove(change: _Change, service: str, alive: Mapping[str, Sequence[Copy]]) -> None:
    for copies in alive.values():
        change.removals.extend(_told(service, copy) for copy in copies)


def _told(service: str, copy: Copy) -> dict[str, Any]:
    _, _, name = service.partition("/")
    return {"service": name, "slot": shown(copy.slot), "node": copy.node, "container": copy.name}
