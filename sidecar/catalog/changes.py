"""What turns one Snapshot into the next: ``apply`` and its inverse ``diff``.

A commit touches only the services named in it. Finding an instance in a service is a binary
search, as the tuples are ordered by node and id.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from sidecar.catalog.model import Check, Instance, InstanceId, Node, Snapshot, Status

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
                members[at] = self._stamped(instance, members[at])
        else:
            members.insert(at, self._stamped(instance, None))

    def drop(self, service: str, id_: InstanceId, node: str | None) -> None:
        members = self._members(service)
        members[:] = [i for i in members if i.id != id_ or node not in {None, i.node}]

    def put_node(self, node: Node) -> None:
        nodes = self.nodes()
        old = nodes.get(node.name)
        if old == node:
            return
        checks = _stamped_checks(node.checks, old.checks if old is not None else (), self._index)
        created = modified = self._index
        if old is not None:
            created = old.created
            if replace(old, checks=node.checks) == node:  # its checks are dated by themselves
                modified = old.modified
        nodes[node.name] = replace(node, checks=checks, created=created, modified=modified)

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

    def _stamped(self, instance: Instance, old: Instance | None) -> Instance:
        """Date what changed: the registration and each check by itself, as Consul does."""
        index = self._index
        if old is None:
            checks = _stamped_checks(instance.checks, (), index, instance.tags)
            return replace(instance, checks=checks, created=index, modified=index)
        checks = _stamped_checks(instance.checks, old.checks, index, instance.tags)
        modified = old.modified if _registration(old) == _registration(instance) else index
        return replace(instance, checks=checks, created=old.created, modified=modified)

    def _next(
        self, touched: Mapping[str, tuple[Instance, ...]], nodes: Mapping[str, Node]
    ) -> Snapshot:
        old, index = self._old, self._index
        services, modified = dict(old.services), dict(old.modified)
        registered = dict(old.registered)
        services_index, checks_index = old.services_index, old.checks_index
        extinct_index = old.extinct_index
        for name, members in touched.items():
            before = old.services.get(name, ())
            if not members:
                for table in (services, modified, registered):
                    table.pop(name, None)
                services_index = extinct_index = index
                if _checks(before):
                    checks_index = index
                continue
            services[name] = members
            modified[name] = index
            if _registrations(before) != _registrations(members):
                registered[name] = services_index = index
            if _checks(before) != _checks(members):
                checks_index = index
        nodes_index = old.nodes_index
        if nodes is not old.nodes:
            changed, checked = _nodes_that_differ(old.nodes, nodes)
            if changed:
                nodes_index = index
            if checked:
                checks_index = index
            for name in _on_nodes(services, changed | checked):
                modified[name] = index
            for name in _on_nodes(services, changed):
                registered[name] = index
        return Snapshot(
            index=index,
            services=services,
            nodes=nodes,
            modified=modified,
            registered=registered,
            services_index=services_index,
            nodes_index=nodes_index,
            checks_index=checks_index,
            extinct_index=extinct_index,
        )


def _nodes_that_differ(
    old: Mapping[str, Node], new: Mapping[str, Node]
) -> tuple[set[str], set[str]]:
    """Return the names of nodes that came, went or changed, and of those with other checks."""
    names = {name for name in old.keys() | new.keys() if old.get(name) is not new.get(name)}
    changed = {
        n for n in names if n not in old or n not in new or old[n].modified != new[n].modified
    }
    checked = {name for name in names if _checks_of(old.get(name)) != _checks_of(new.get(name))}
    return changed, checked


def _checks_of(node: Node | None) -> tuple[Check, ...]:
    return node.checks if node is not None else ()


def _on_nodes(services: Mapping[str, tuple[Instance, ...]], nodes: set[str]) -> list[str]:
    if not nodes:
        return []
    return [name for name, members in services.items() if any(i.node in nodes for i in members)]


def _stamped_checks(
    checks: tuple[Check, ...], old: tuple[Check, ...], index: int, tags: tuple[str, ...] = ()
) -> tuple[Check, ...]:
    known = {check.id: check for check in old}
    return tuple(_stamped_check(check, known.get(check.id), index, tags) for check in checks)


def _stamped_check(check: Check, old: Check | None, index: int, tags: tuple[str, ...]) -> Check:
    if old == check:
        return old
    created = index if old is None else old.created
    return replace(check, created=created, modified=index, service_tags=tags)


def _registrations(members: Iterable[Instance]) -> list[tuple[object, ...]]:
    """Return what of the instances is not health."""
    return [_registration(instance) for instance in members]


def _registration(i: Instance) -> tuple[object, ...]:
    return (
        i.node, i.id, i.address, i.port, i.tags, i.meta, i.weight, i.warning_weight, i.tagged,
        i.tag_override,
    )  # fmt: skip


def _checks(members: Iterable[Instance]) -> list[tuple[object, ...]]:
    """Return what is said of health; nothing of an instance that nobody has anything to say of."""
    return [
        (i.node, i.id, i.status, i.draining, i.checks)
        for i in members
        if i.checks or i.draining or i.status is not Status.PASSING
    ]


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
