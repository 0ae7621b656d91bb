"""Which index a commit moves: what every blocking reader waits on (recorded on Consul). Pure.

* A registration moves its service and the index of all services. A departure moves the index of
  all checks too, and when it was the last of its service, that of extinctions; an instance that
  only takes another service's name has not departed.
* A check that is told moves the index of all checks even if it says the same. What it says moves
  its service, or every service on its node. A node's check that goes moves all services' index.
* A check that moves elsewhere moves nothing where it was.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sidecar.catalog.model import Check, Instance, Node, Snapshot, Status

__all__ = ["Commit", "following", "registration"]

_BY_API: Final = "api"


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What changed: ``services`` named by it as they are now, all ``nodes``.

    ``put`` are node and id of the instances it puts, ``arrived`` node and id of the checks that
    are where they were not before; ``told`` says whether it told of any check.
    """

    index: int
    services: Mapping[str, tuple[Instance, ...]]
    nodes: Mapping[str, Node]
    put: Container[tuple[str, str]]
    arrived: Container[tuple[str, str]]
    told: bool


@dataclass(slots=True)
class _Tables:
    services: dict[str, tuple[Instance, ...]]
    modified: dict[str, int]
    registered: dict[str, int]
    services_index: int
    nodes_index: int
    checks_index: int
    extinct_index: int


def following(old: Snapshot, commit: Commit) -> Snapshot:
    """Return the snapshot after a commit."""
    tables = _Tables(
        dict(old.services),
        dict(old.modified),
        dict(old.registered),
        old.services_index,
        old.nodes_index,
        commit.index if commit.told else old.checks_index,
        old.extinct_index,
    )
    for name, members in commit.services.items():
        _move_service(name, old.services.get(name, ()), members, commit, tables)
    if commit.nodes is not old.nodes:
        _move_nodes(old, commit, tables)
    return Snapshot(
        index=commit.index,
        services=tables.services,
        nodes=commit.nodes,
        modified=tables.modified,
        registered=tables.registered,
        services_index=tables.services_index,
        nodes_index=tables.nodes_index,
        checks_index=tables.checks_index,
        extinct_index=tables.extinct_index,
    )


def _move_service(
    name: str,
    before: tuple[Instance, ...],
    members: tuple[Instance, ...],
    commit: Commit,
    tables: _Tables,
) -> None:
    index = commit.index
    there = {(i.node, i.id) for i in members}
    gone = any((i.node, i.id) not in there and (i.node, i.id) not in commit.put for i in before)
    if gone:
        tables.services_index = tables.checks_index = index
    if not members:
        for table in (tables.services, tables.modified, tables.registered):
            table.pop(name, None)
        tables.extinct_index = index if gone else tables.extinct_index
        return
    tables.services[name] = members
    registered = _registrations(before) != _registrations(members)
    if registered:
        tables.registered[name] = tables.services_index = index
    after = _checks(members)
    if _checks(before) != after:
        tables.checks_index = index
    if registered or _checks(before, commit.arrived) != after:
        tables.modified[name] = index


def _move_nodes(old: Snapshot, commit: Commit, tables: _Tables) -> None:
    index = commit.index
    for name in old.nodes.keys() | commit.nodes.keys():
        was, now = old.nodes.get(name), commit.nodes.get(name)
        if was is now:
            continue
        changed = was is None or now is None or was.modified != now.modified
        before, after = _staying(name, was, commit.arrived), _checks_of(now)
        if changed:
            tables.nodes_index = index
        if before != after:
            tables.checks_index = index
        if {check.id for check in before} - {check.id for check in after}:
            tables.services_index = index
        if changed or before != after:
            for service in _on_node(tables.services, name):
                tables.modified[service] = index
                if changed:
                    tables.registered[service] = index


def _staying(
    name: str, node: Node | None, arrived: Container[tuple[str, str]]
) -> tuple[Check, ...]:
    return tuple(check for check in _checks_of(node) if (name, check.id) not in arrived)


def _checks_of(node: Node | None) -> tuple[Check, ...]:
    return node.checks if node is not None else ()


def _on_node(services: Mapping[str, tuple[Instance, ...]], node: str) -> list[str]:
    return [name for name, members in services.items() if any(i.node == node for i in members)]


def _registrations(members: Iterable[Instance]) -> list[tuple[object, ...]]:
    return [registration(instance) for instance in members]


def registration(i: Instance) -> tuple[object, ...]:
    """Return what of an instance is not health."""
    return (
        i.node, i.id, i.address, i.port, i.tags, i.meta, i.weight, i.warning_weight, i.tagged,
        i.tag_override, i.meta_given, i.tags_given,
    )  # fmt: skip


def _checks(
    members: Iterable[Instance], without: Container[tuple[str, str]] = ()
) -> list[tuple[object, ...]]:
    """Return what is said of health; nothing of an instance that nobody has anything to say of.

    Some say how they are without a check. What came by the API has no status of its own: without
    checks it is that of its node, which is told there.
    """
    found: list[tuple[object, ...]] = []
    for i in members:
        checks = tuple(check for check in i.checks if (i.node, check.id) not in without)
        status = None if checks or i.owner == _BY_API else i.status
        if checks or i.draining or status not in {None, Status.PASSING}:
            found.append((i.node, i.id, i.draining, checks, status))
    return found
