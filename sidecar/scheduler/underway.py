"""A cluster as it was seen, with what was begun since and is not seen yet. Pure.

What is being made counts for room, ports and slots; what is being drained counts as draining. A
plan that knows this does not begin anything twice, and what it repeats has the same key.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from sidecar.scheduler.actions import Action, Alarm, Create, Drain, Fence, Pending
from sidecar.scheduler.cluster import Cluster, Copy, Stage
from sidecar.scheduler.model import NodeView, Request
from sidecar.scheduler.standing import container_of

__all__ = ["key_of_slot", "with_under_way", "without"]


def with_under_way(
    cluster: Cluster, actions: Iterable[Action], *, drained: Collection[str], now: float
) -> Cluster:
    """Return the cluster with what is under way; ``drained`` are ids of copies that are done."""
    copies = {service: list(found) for service, found in cluster.copies.items()}
    nodes = {node.name: node for node in cluster.nodes}
    draining: set[str] = set()
    for action in actions:
        if isinstance(action, Drain):
            draining.add(action.copy.id)
        elif isinstance(action, Create) and action.placement.node in nodes:
            _add(action, copies, nodes, now)
    marked = {
        service: tuple(_marked(copy, draining, drained) for copy in found)
        for service, found in copies.items()
    }
    return replace(cluster, nodes=tuple(nodes.values()), copies=marked)


def _add(
    action: Create, copies: dict[str, list[Copy]], nodes: dict[str, NodeView], now: float
) -> None:
    node = action.placement.node
    found = copies.setdefault(action.service, [])
    if any(
        (copy.slot, copy.incarnation, copy.node) == (action.slot, action.incarnation, node)
        for copy in found
    ):
        return  # it is seen already
    name = f"{action.key} under way"
    found.append(
        Copy(
            name=name, node=node, slot=action.slot, spec=action.spec,
            incarnation=action.incarnation, stage=Stage.CREATED, since=now,
        )
    )  # fmt: skip
    view = replace(container_of(action.placement.request), name=name)
    nodes[node] = replace(nodes[node], containers=(*nodes[node].containers, view))


def _marked(copy: Copy, draining: Collection[str], drained: Collection[str]) -> Copy:
    if copy.id and copy.id in drained:
        return replace(copy, is_draining=True, is_drained=True)
    return replace(copy, is_draining=True) if copy.id and copy.id in draining else copy


def key_of_slot(action: Action) -> str:
    """Return what only one action at a time may be done to: a copy, or a slot that gets one."""
    if isinstance(action, Create):
        return f"{action.service}/{action.slot}/{action.incarnation}"
    if isinstance(action, Pending | Alarm):
        return ""
    if isinstance(action, Fence):
        return action.key
    return f"{action.service}/{action.copy.slot}/{action.copy.incarnation}"


def without(slots: Mapping[str, Request], nodes: frozenset[str]) -> Mapping[str, Request]:
    """Return requests that avoid nodes too."""
    return {slot: replace(each, avoid=each.avoid | nodes) for slot, each in slots.items()}
