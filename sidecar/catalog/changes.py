"""What turns one Snapshot into the next: ``apply`` and its inverse ``diff``.

A commit touches only the services named in it. Finding an instance in a service is a binary
search, as the tuples are ordered by node and id.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from sidecar.catalog.indexes import Commit, following, registration
from sidecar.catalog.model import Check, Instance, InstanceId, Node, Snapshot

__all__ = ["Change", "Drop", "DropNode", "Put", "PutNode", "apply", "diff"]


@dataclass(frozen=True, slots=True)
class Put:
    """Add this instance, or replace the one with its service, node and id.

    ``told``: its checks were told anew; that moves the index of all checks, whatever they say.
    """

    instance: Instance
    told: bool = False


@dataclass(frozen=True, slots=True)
class Drop:
    """Remove an instance; no error when it is not there. Without ``node``: on every node."""

    service: str
    id: InstanceId
    node: str | None = None


@dataclass(frozen=True, slots=True)
class PutNode:
    """Add or replace a node; ``told`` as in ``Put``."""

    node: Node
    told: bool = False


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
    changes = tuple(changes)
    work = _Work(snapshot, index or snapshot.index + 1, changes)
    for change in changes:
        match change:
            case Put(instance, told):
                work.put(instance, told=told)
            case Drop(service, id_, node):
                work.drop(service, id_, node)
            case PutNode(node, told):
                work.put_node(node, told=told)
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

    def __init__(self, snapshot: Snapshot, index: int, changes: tuple[Change, ...]) -> None:
        self._old = snapshot
        self._index = index
        self._changes = changes
        self._checks: dict[tuple[str, str], Check] | None = None
        self._told: set[str] = set()
        self._is_told = False
        self._services: dict[str, list[Instance]] = {}
        self._nodes: dict[str, Node] | None = None

    def put(self, instance: Instance, *, told: bool) -> None:
        if told:
            self._is_told = True
            self._told.add(instance.service)
        members = self._members(instance.service)
        at = bisect_left(members, _key(instance), key=_key)
        if at < len(members) and _key(members[at]) == _key(instance):
            if told or members[at] != instance:
                members[at] = self._stamped(instance, members[at])
        else:
            members.insert(at, self._stamped(instance, None))

    def drop(self, service: str, id_: InstanceId, node: str | None) -> None:
        members = self._members(service)
        members[:] = [i for i in members if i.id != id_ or node not in {None, i.node}]

    def put_node(self, node: Node, *, told: bool) -> None:
        self._is_told = self._is_told or told
        nodes = self.nodes()
        old = nodes.get(node.name)
        if old == node and not told:
            return
        checks = self._stamped_checks(node.checks, old.checks if old else (), node.name, ())
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
            if (members := tuple(found)) != old.services.get(name, ()) or name in self._told
        }
        nodes: Mapping[str, Node] = old.nodes
        if self._nodes is not None and (self._is_told or self._nodes != old.nodes):
            nodes = self._nodes
        if not touched and nodes is old.nodes and not self._is_told:
            return old
        puts = {_key(c.instance) for c in self._changes if isinstance(c, Put)}
        commit = Commit(
            index=self._index,
            services=touched,
            nodes=nodes,
            put=puts,
            arrived=self._arrived(),
            told=self._is_told,
        )
        return following(old, commit)

    def _members(self, service: str) -> list[Instance]:
        members = self._services.get(service)
        if members is None:
            members = self._services[service] = list(self._old.services.get(service, ()))
        return members

    def _stamped(self, instance: Instance, old: Instance | None) -> Instance:
        """Date what changed: the registration and each check by itself, as Consul does."""
        index = self._index
        if old is None:
            checks = self._stamped_checks(instance.checks, (), instance.node, instance.tags)
            return replace(instance, checks=checks, created=index, modified=index)
        checks = self._stamped_checks(instance.checks, old.checks, instance.node, instance.tags)
        modified = old.modified if registration(old) == registration(instance) else index
        return replace(instance, checks=checks, created=old.created, modified=modified)

    def _stamped_checks(
        self, checks: tuple[Check, ...], old: tuple[Check, ...], node: str, tags: tuple[str, ...]
    ) -> tuple[Check, ...]:
        known = {check.id: check for check in old}
        return tuple(self._stamped_check(c, known.get(c.id), node, tags) for c in checks)

    def _stamped_check(
        self, check: Check, old: Check | None, node: str, tags: tuple[str, ...]
    ) -> Check:
        if old == check:
            return replace(
                check,
                created=old.created,
                modified=old.modified,
                service_tags=old.service_tags,
            )
        before = old or self._elsewhere(node, check.id)
        created = self._index if before is None else before.created
        return replace(check, created=created, modified=self._index, service_tags=tags)

    def _elsewhere(self, node: str, id_: str) -> Check | None:
        """Return what a check was before it moved here, from what this commit names."""
        if self._checks is None:
            self._checks = dict(_checks_named(self._old, self._changes))
        return self._checks.get((node, id_))

    def _arrived(self) -> set[tuple[str, str]]:
        """Return node and id of the checks that this commit puts where they were not before.

        Where such a check was, Consul takes no notice.
        """
        arrived: set[tuple[str, str]] = set()
        for change in self._changes:
            match change:
                case Put(instance):
                    before = _find(self._old.services.get(instance.service, ()), instance)
                    known = before.checks if before is not None else ()
                    node, checks = instance.node, instance.checks
                case PutNode(there):
                    had = self._old.nodes.get(there.name)
                    known = had.checks if had is not None else ()
                    node, checks = there.name, there.checks
                case _:
                    continue
            ids = {check.id for check in known}
            arrived.update((node, check.id) for check in checks if check.id not in ids)
        return arrived


def _find(members: tuple[Instance, ...], wanted: Instance) -> Instance | None:
    at = bisect_left(members, _key(wanted), key=_key)
    return members[at] if at < len(members) and _key(members[at]) == _key(wanted) else None


def _checks_named(
    snapshot: Snapshot, changes: Iterable[Change]
) -> Iterator[tuple[tuple[str, str], Check]]:
    """Yield node and id of every check in what the changes name, with the check."""
    services: set[str] = set()
    for change in changes:
        match change:
            case Put(instance):
                services.add(instance.service)
            case Drop(service):
                services.add(service)
            case PutNode(node) if node.name in snapshot.nodes:
                for check in snapshot.nodes[node.name].checks:
                    yield (node.name, check.id), check
    for name in services:
        for member in snapshot.services.get(name, ()):
            for check in member.checks:
                yield (member.node, check.id), check


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
