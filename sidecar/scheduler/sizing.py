"""Which slots a service has: so many, or one on each node that may have one. Pure.

Slots are numbers from 1 on. When there are more than wanted, those go first that do not run, then
those on the nodes with most copies of the service, then the newest; among equals the higher number
(the order of SwarmKit, replicated/services.go, up to "most copies"). A copy that is leaving already
goes on, so that the choice stays what it was while it is carried out.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from sidecar.scheduler.cluster import Cluster, Copy, Goal, Health, Stage
from sidecar.scheduler.filters import is_met, is_of_platform
from sidecar.scheduler.model import Availability, NodeView, Request, State
from sidecar.scheduler.slots import Slots, like

__all__ = ["has_place", "pinned", "sized"]


def sized(goal: Goal, cluster: Cluster) -> Goal:
    """Return the goal with a request for each slot."""
    if goal.is_everywhere:
        return _everywhere(goal, cluster)
    if goal.size is None:
        return goal
    pattern = next(iter(goal.slots.values()))
    names = _kept(goal.size, cluster.copies.get(goal.service, ()))
    previous = goal.previous and sized(replace(goal.previous, size=goal.size), cluster)
    return replace(goal, slots=like(pattern, names), previous=previous)


def _on_each(pattern: Request, nodes: Iterable[str]) -> Slots:
    return Slots(nodes, partial(pinned, pattern))


def _everywhere(goal: Goal, cluster: Cluster) -> Goal:
    pattern = next(iter(goal.slots.values()))
    held = {
        copy.slot
        for copy in cluster.copies.get(goal.service, ())
        if copy.stage is not Stage.EXITED and not copy.is_draining
    }
    names = [
        node.name
        for node in cluster.nodes
        if has_place(pattern, node) or (node.name in held and _may_stay(pattern, node))
    ]
    previous = goal.previous and replace(
        goal.previous,
        slots=_on_each(next(iter(goal.previous.slots.values())), names),
        is_everywhere=False,
    )
    return replace(goal, slots=_on_each(pattern, names), previous=previous)


def has_place(request: Request, node: NodeView) -> bool:
    """Return whether a service that is everywhere is to be on a node, room or not."""
    is_able = node.state is State.UP and node.health > 0
    return is_able and node.availability is Availability.ACTIVE and _is_fit(request, node)


def _may_stay(request: Request, node: NodeView) -> bool:
    return node.availability is not Availability.DRAIN and _is_fit(request, node)


def _is_fit(request: Request, node: NodeView) -> bool:
    return (
        all(is_met(rule, node) for rule in request.constraints)
        and all(node.name in rule.value.split("|") for rule in request.whitelists)
        and is_of_platform(request.platform, node)
    )


def pinned(request: Request, node: str) -> Request:
    """Return the request of the slot that belongs to a node."""
    return replace(request, slot=node, only=node)


def _kept(size: int, copies: Sequence[Copy]) -> list[str]:
    by_slot: dict[str, list[Copy]] = {}
    for copy in copies:
        if copy.slot.isdigit():
            by_slot.setdefault(copy.slot, []).append(copy)
    if len(by_slot) > size:
        crowd = Counter(each.node for each in copies if each.stage is not Stage.EXITED)

        def worth(slot: str) -> tuple[int, int, tuple[int, int], int]:
            found = by_slot[slot]
            age = max(each.age for each in found)
            return (
                max(_standing(each) for each in found),
                -min(crowd[each.node] for each in found),
                (-age[0], -age[1]),
                -int(slot),
            )

        return sorted(sorted(by_slot, key=worth, reverse=True)[:size], key=int)
    found, number = {*by_slot}, 1
    while len(found) < size:
        found.add(str(number))
        number += 1
    return sorted(found, key=int)


def _standing(copy: Copy) -> int:
    """Return how much is lost with a copy."""
    if copy.stage is Stage.EXITED:
        return 0 if copy.is_draining else 2
    if copy.is_draining:
        return 1
    if copy.stage is Stage.CREATED or copy.health is Health.UNHEALTHY:
        return 2
    return 3 if copy.health is Health.STARTING else 4
