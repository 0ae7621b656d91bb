"""What turns one Snapshot into the next: ``apply`` and its inverse ``diff``.

A commit touches only the services named in it. Finding an instance in a service is a binary
search, as the tuples are ordered by node and id.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from sidecar.catalog.model import Instance, InstanceId, Node, Snapshot

__all__ = ["Change", "Drop", "DropNode", "Put", "PutNode", "apply", "diff"]


@dataclass(frozen=True, slots=True)
class Put:
    """Add this instance, or replace the one with its service, node and id."""

    instance: Instance


@dataclass(frozen=True, slots=True)
class Drop:
    """Remove an instance; no error when it is not there. Without ``node``: on every node."""

    service: str
    id: InstanceId
    node: str | None = None


@dataclass(frozen=True, slots=True)
class PutNode:
    """Add or replace a node."""

    node: Node


@dataclass(frozen=True, slots=True)
class DropNode:
    """Remove a node; its instances stay until they are dropped."""

    name: str


Change = Put | Drop | PutNode | DropNode


def apply(snapshot: Snapshot, changes: Iterable[Change], index: int = 0) -> Snapshot:
    """Return the snapshot after all changes, in order, as one commit.

    It gets ``index``, or the next one when that is 0. The very same object comes back when
    nothing changed in the end.
    """
    index = index or snapshot.index + 1
    work = _Work(snapshot, index)
    for change in changes:
        match change:
            case Put(instance):
                work.put(instance)
            case Drop(service, id_, node):
                work.drop(service, id_, node)
            case PutNode(node):
                work.put_node(node)
            case DropNode(name):
                work.nodes().pop(name, None)
    return work.result()


def diff(old: Snapshot, new: Snapshot) -> tuple[Change, ...]:
    """Return changes that turn ``old``'s content into ``new``'s (``apply`` undoes ``diff``)."""
    return tuple(_differences(old, new))


def _key(instance: Instance) -> tuple[str, str]:
    return instance.node, instance.id


class _Work:
    """One commit in the making: copies of what it touched."""

    def __init__(self, snapshot: Snapshot, index: int) -> None:
        self._old = snapshot
        self._index = index
        self._services: dict[str, list[Instance]] = {}
        self._nodes: dict[str, Node] | None = None

    def put(self, instance: Instance) -> None:
        members = self._members(instance.service)
        at = bisect_left(members, _key(instance), key=_key)
        if at < len(members) and _key(members[at]) == _key(instance):
            if members[at] != instance:
                members[at] = self._stamped(instance, members[at].created)
        else:
            members.insert(at, self._stamped(instance, self._index))

    def drop(self, service: str, id_: InstanceId, node: str | None) -> None:
        members = self._members(service)
        members[:] = [i for i in members if i.id != id_ or node not in {None, i.node}]

    def put_node(self, node: Node) -> None:
        nodes = self.nodes()
        old = nodes.get(node.name)
        if old != node:
            created = self._index if old is None else old.created
            nodes[node.name] = replace(node, created=created, modified=self._index)

    def nodes(self) -> dict[str, Node]:
        if self._nodes is None:
            self._nodes = dict(self._old.nodes)
        return self._nodes

    def result(self) -> Snapshot:
        old = self._old
        touched = {
            name: members
            for name, found in self._services.items()
            if (members := tuple(found)) != old.services.get(name, ())
        }
        nodes = old.nodes if self._nodes is None or self._nodes == old.nodes else self._nodes
        if not touched and nodes is old.nodes:
            return old
        return self._next(touched, nodes)

    def _members(self, service: str) -> list[Instance]:
        members = self._services.get(service)
        if members is None:
            members = self._services[service] = list(self._old.services.get(service, ()))
        return members

    def _stamped(self, instance: Instance, created: int) -> Instance:
        return replace(instance, created=created, modified=self._index)

    def _next(
        self, touched: Mapping[str, tuple[Instance, ...]], nodes: Mapping[str, Node]
    ) -> Snapshot:
        old, index = self._old, self._index
        services, modified = dict(old.services), dict(old.modified)
        registered = dict(old.registered)
        services_index, checks_index = old.services_index, old.checks_index
        for name, members in touched.items():
            before = old.services.get(name, ())
            if not members:
                for table in (services, modified, registered):
                    table.pop(name, None)
                services_index = checks_index = index
                continue
            services[name] = members
            modified[name] = index
            if _registrations(before) != _registrations(members):
                registered[name] = services_index = index
            if _checks(before) != _checks(members):
                checks_index = index
        nodes_changed = nodes is not old.nodes
        if nodes_changed and _node_checks(nodes) != _node_checks(old.nodes):
            checks_index = index
        return Snapshot(
            index=index,
            services=services,
            nodes=nodes,
            modified=modified,
            registered=registered,
            services_index=services_index,
            nodes_index=index if nodes_changed else old.nodes_index,
            checks_index=checks_index,
        )


def _registrations(members: Iterable[Instance]) -> list[tuple[object, ...]]:
    """Return what of the instances is not health."""
    return [
        (i.node, i.id, i.address, i.port, i.tags, i.meta, i.weight, i.warning_weight, i.tagged)
        for i in members
    ]


def _checks(members: Iterable[Instance]) -> list[tuple[object, ...]]:
    return [(i.node, i.id, i.status, i.draining, i.checks) for i in members]


def _node_checks(nodes: Mapping[str, Node]) -> dict[str, object]:
    return {name: node.checks for name, node in nodes.items()}


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
        known = {_key(instance): instance for instance in before}
        kept = {_key(instance) for instance in after}
        for instance in before:
            if _key(instance) not in kept:
                yield Drop(service, instance.id, instance.node)
        for instance in after:
            if known.get(_key(instance)) != instance:
                yield Put(instance)
