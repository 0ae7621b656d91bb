"""Registrations of any node, as Consul's catalogue takes them: changes of a snapshot. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sidecar.catalog.agent import refolded
from sidecar.catalog.changes import Change, Drop, DropNode, Put, PutNode
from sidecar.catalog.model import Check, Instance, Node, Snapshot
from sidecar.catalog.ownership import refuse_checks, refuse_containers
from sidecar.errors import ApiError

__all__ = ["ForeignCheck", "Locals", "Registration", "deregister", "of_node", "register"]


@dataclass(frozen=True, slots=True)
class ForeignCheck:
    """A check and the id of the instance it tests; empty: the node."""

    check: Check
    service_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A node, perhaps an instance on it, and checks of either."""

    node: Node
    instance: Instance | None = None
    checks: tuple[ForeignCheck, ...] = ()
    skip_node_update: bool = False


class Locals:
    """One node's instances by id, kept up to date at the cost of what changed."""

    def __init__(self, node: str) -> None:
        """Start with none."""
        self._node = node
        self._snapshot: Snapshot | None = None
        self._services: dict[str, tuple[Instance, ...]] = {}
        self._found: dict[str, Instance] = {}

    def of(self, snapshot: Snapshot) -> dict[str, Instance]:
        """Return the instances, which the caller must not change."""
        if snapshot is self._snapshot:
            return self._found
        new = snapshot.services
        gone = [n for n, members in self._services.items() if new.get(n) is not members]
        come = [n for n, members in new.items() if self._services.get(n) is not members]
        for name in gone:
            for instance in self._services.pop(name):
                if instance.node == self._node:
                    self._found.pop(instance.id, None)
        for name in come:
            self._services[name] = new[name]
            self._found |= {i.id: i for i in new[name] if i.node == self._node}
        self._snapshot = snapshot
        return self._found


def of_node(snapshot: Snapshot, node: str) -> tuple[Instance, ...]:
    """Return every instance on a node."""
    return tuple(i for members in snapshot.services.values() for i in members if i.node == node)


def register(snapshot: Snapshot, wanted: Registration) -> tuple[Change, ...]:
    """Return the changes.

    Raises ApiError 500 when a check tests an instance that is not there, 409 for a container's.
    """
    old = snapshot.nodes.get(wanted.node.name)
    node = old if wanted.skip_node_update and old is not None else wanted.node
    node = replace(node, id=node.id or (old.id if old else ""), checks=old.checks if old else ())
    there: dict[str, Instance] = {i.id: i for i in of_node(snapshot, node.name)}
    before = dict(there)
    refuse_checks((foreign.check.id for foreign in wanted.checks), there)
    if wanted.instance is not None:
        known = there.get(wanted.instance.id)
        refuse_containers(known)
        there[wanted.instance.id] = replace(
            wanted.instance, checks=known.checks if known is not None else ()
        )
    for foreign in wanted.checks:
        node = _with_check(node, there, foreign)
    told = bool(wanted.checks)
    return (PutNode(node, told), *_differences(before, there, node))


def _with_check(node: Node, there: dict[str, Instance], foreign: ForeignCheck) -> Node:
    """Put a check where it belongs and take it from where it was; return the node then."""
    id_ = foreign.check.id
    target = there.get(foreign.service_id)
    if foreign.service_id and target is None:
        raise ApiError(
            500, f'failed inserting check: Missing service registration on node "{node.name}"'
        )
    for instance in list(there.values()):
        if instance is not target and any(check.id == id_ for check in instance.checks):
            there[instance.id] = replace(instance, checks=_less(instance.checks, id_))
    if target is not None:
        check = replace(foreign.check, tags=target.tags)
        there[target.id] = replace(target, checks=_with(target.checks, check))
        return replace(node, checks=_less(node.checks, id_))
    return replace(node, checks=_with(node.checks, foreign.check))


def _with(checks: tuple[Check, ...], new: Check) -> tuple[Check, ...]:
    if any(check.id == new.id for check in checks):
        return tuple(new if check.id == new.id else check for check in checks)
    return (*checks, new)


def _less(checks: Iterable[Check], id_: str) -> tuple[Check, ...]:
    return tuple(check for check in checks if check.id != id_)


def _differences(
    before: dict[str, Instance], after: dict[str, Instance], node: Node
) -> Iterable[Change]:
    for id_, instance in after.items():
        old = before.get(id_)
        new = refolded(instance, node)
        if old is not None and old.service != new.service:
            yield Drop(old.service, old.id, old.node)
        if new != old:
            yield Put(new)


def deregister(
    snapshot: Snapshot, node: str, service_id: str = "", check_id: str = ""
) -> tuple[Change, ...]:
    """Return the changes that remove an instance, a check or a whole node; none when unknown.

    Raises ApiError 409 for what is a container's.
    """
    there = of_node(snapshot, node)
    if not check_id:
        refuse_containers(*(i for i in there if service_id in {"", i.id}))
    refuse_checks([check_id], {i.id: i for i in there})
    if service_id:
        return tuple(Drop(i.service, i.id, node) for i in there if i.id == service_id)
    if not check_id:
        return (*(Drop(i.service, i.id, node) for i in there), DropNode(node))
    found = snapshot.nodes.get(node)
    before: dict[str, Instance] = {instance.id: instance for instance in there}
    after: dict[str, Instance] = {i.id: replace(i, checks=_less(i.checks, check_id)) for i in there}
    if found is None:
        return ()
    new = replace(found, checks=_less(found.checks, check_id))
    return (PutNode(new), *_differences(before, after, new))
