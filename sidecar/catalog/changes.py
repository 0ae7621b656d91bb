"""What turns one Snapshot into the next: ``apply`` and its inverse ``diff``.

A commit touches only the services named in it. Finding an instance in a service is a binary
search by id, as the tuples are ordered by id.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter

from sidecar.catalog.model import Instance, InstanceId, Node, Snapshot

__all__ = ["Change", "Drop", "DropNode", "Put", "PutNode", "apply", "diff"]

_by_id = attrgetter("id")


@dataclass(frozen=True, slots=True)
class Put:
    """Add this instance, or replace the one with its service and id."""

    instance: Instance


@dataclass(frozen=True, slots=True)
class Drop:
    """Remove an instance; no error when it is not there."""

    service: str
    id: InstanceId


@dataclass(frozen=True, slots=True)
class PutNode:
    """Add or replace a node."""

    node: Node


@dataclass(frozen=True, slots=True)
class DropNode:
    """Remove a node; its instances stay until they are dropped."""

    name: str


Change = Put | Drop | PutNode | DropNode


def apply(snapshot: Snapshot, changes: Iterable[Change]) -> Snapshot:
    """Return the snapshot after all changes, in order, as one commit (index + 1).

    The very same object comes back when nothing changed in the end.
    """
    services: dict[str, list[Instance]] = {}
    nodes: dict[str, Node] | None = None
    for change in changes:
        match change:
            case Put(instance):
                _put(_members(services, snapshot, instance.service), instance)
            case Drop(service, id_):
                _drop(_members(services, snapshot, service), id_)
            case PutNode(node):
                nodes = dict(snapshot.nodes) if nodes is None else nodes
                nodes[node.name] = node
            case DropNode(name):
                nodes = dict(snapshot.nodes) if nodes is None else nodes
                nodes.pop(name, None)
    touched = {
        name: members
        for name, found in services.items()
        if (members := tuple(found)) != snapshot.services.get(name, ())
    }
    if nodes == snapshot.nodes:
        nodes = None
    if not touched and nodes is None:
        return snapshot
    return _next(snapshot, touched, nodes)


def diff(old: Snapshot, new: Snapshot) -> tuple[Change, ...]:
    """Return changes that turn ``old``'s content into ``new``'s (``apply`` undoes ``diff``)."""
    return tuple(_differences(old, new))


def _members(
    services: dict[str, list[Instance]], snapshot: Snapshot, service: str
) -> list[Instance]:
    members = services.get(service)
    if members is None:
        members = services[service] = list(snapshot.services.get(service, ()))
    return members


def _put(members: list[Instance], instance: Instance) -> None:
    at = bisect_left(members, instance.id, key=_by_id)
    if at < len(members) and members[at].id == instance.id:
        members[at] = instance
    else:
        members.insert(at, instance)


def _drop(members: list[Instance], id_: InstanceId) -> None:
    at = bisect_left(members, id_, key=_by_id)
    if at < len(members) and members[at].id == id_:
        del members[at]


def _next(
    snapshot: Snapshot, touched: dict[str, tuple[Instance, ...]], nodes: dict[str, Node] | None
) -> Snapshot:
    index = snapshot.index + 1
    services = dict(snapshot.services)
    modified = dict(snapshot.modified)
    for name, members in touched.items():
        modified[name] = index
        if members:
            services[name] = members
        else:
            services.pop(name, None)
    return Snapshot(
        index=index,
        services=services,
        nodes=snapshot.nodes if nodes is None else nodes,
        modified=modified,
    )


def _differences(old: Snapshot, new: Snapshot) -> Iterator[Change]:
    for name in old.nodes.keys() - new.nodes.keys():
        yield DropNode(name)
    for name, node in new.nodes.items():
        if old.nodes.get(name) != node:
            yield PutNode(node)
    for service in old.services.keys() | new.services.keys():
        before = old.services.get(service, ())
        after = new.services.get(service, ())
        if before is after:
            continue
        known = {instance.id: instance for instance in before}
        kept = {instance.id for instance in after}
        for instance in before:
            if instance.id not in kept:
                yield Drop(service, instance.id)
        for instance in after:
            if known.get(instance.id) != instance:
                yield Put(instance)
