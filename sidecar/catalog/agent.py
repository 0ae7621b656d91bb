"""What a Consul agent does with its services and checks, as changes of a snapshot. Pure.

An agent's ids are its own: one id names one instance of the local node, whatever its service, and
one check, whoever it tests. Each operation returns a Plan; nothing here knows who carries it out.

``Instance.status`` is kept as the worst of the instance's checks and of its node's. Maintenance
of a service is a check too, but shows as ``draining``: it ends new work, not what is running.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from sidecar.catalog.changes import Change, Drop, Put, PutNode
from sidecar.catalog.model import Check, Instance, Node, Snapshot, Status, worst
from sidecar.catalog.ownership import refuse_checks, refuse_containers
from sidecar.errors import ApiError

__all__ = [
    "API",
    "NODE_MAINTENANCE",
    "OUTPUT_LIMIT",
    "Agent",
    "LocalNode",
    "Plan",
    "maintenance_id",
    "refolded",
]

API: Final = "api"
"""The owner of what was registered by HTTP."""
NODE_MAINTENANCE: Final = "_node_maintenance"
OUTPUT_LIMIT: Final = 4096
"""How much of a check's output is kept (Consul's ``check_output_max_size``)."""

_MAINTENANCE: Final = "maintenance"
_NO_REASON: Final = (
    "Maintenance mode is enabled for this {}, but no reason was provided."
    " This is a default message."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalNode:
    """The node this process is."""

    name: str
    address: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Changes of the catalogue, checks to run from now on, ids of checks to run no more.

    ``later`` are commits of their own after ``changes``: each has an index.
    """

    changes: tuple[Change, ...] = ()
    start: tuple[Check, ...] = ()
    stop: tuple[str, ...] = ()
    later: tuple[Change, ...] = ()


def maintenance_id(service_id: str) -> str:
    """Return the id of the check that stands for a service's maintenance."""
    return f"_service_maintenance:{service_id}"


class Agent:
    """The local node's part of one snapshot. ``instances`` are those of the local node, by id."""

    def __init__(
        self,
        snapshot: Snapshot,
        instances: Mapping[str, Instance],
        local: LocalNode,
        outputs: Mapping[str, str] | None = None,
    ) -> None:
        """Look at a snapshot; what is not in it yet (the node itself) is made when needed.

        ``outputs`` is what checks said since, by id, that is not in the snapshot either.
        """
        self._outputs = outputs or {}
        self.instances = instances
        self._local = local
        found = snapshot.nodes.get(local.name)
        self.node = found or Node(name=local.name, address=local.address, id=local.id)

    def find_check(self, id_: str) -> tuple[Instance | None, Check] | None:
        """Return a check and the instance it tests (None: the node), or None."""
        for check in self.node.checks:
            if check.id == id_:
                return None, check
        for instance in self.instances.values():
            for check in instance.checks:
                if check.id == id_:
                    return instance, check
        return None

    def register(self, new: Instance, checks: Iterable[Check], *, replace_checks: bool) -> Plan:
        """Add or replace an instance; checks it had stay unless ``replace_checks``.

        A check registered again keeps its status and output, as in Consul. Raises ApiError 409
        when the id is a container's.
        """
        old = self.instances.get(new.id)
        refuse_containers(old)
        had = {check.id: check for check in old.checks} if old is not None else {}
        given = {check.id: replace(self._kept(check), tags=_tags_of(new)) for check in checks}
        refuse_checks(given, self.instances)
        merged = had | given
        draining = maintenance_id(new.id) in merged
        wanted = replace(new, checks=tuple(merged.values()), draining=draining)
        instance = self._folded(wanted)
        changes: list[Change] = list(self._without(given.keys(), instance))
        if old is not None and old.service != new.service:
            changes.append(Drop(old.service, old.id, old.node))
        changes.append(Put(instance, told=bool(given)))
        gone = tuple(id_ for id_ in had if id_ not in given) if replace_checks else ()
        start = tuple(c for c in given.values() if c.definition)
        return Plan(tuple(changes), start, gone, tuple(self._one_by_one(instance, gone)))

    def _one_by_one(self, instance: Instance, gone: Iterable[str]) -> Iterable[Change]:
        """Take checks away, each by a change of its own."""
        for id_ in gone:
            checks = tuple(check for check in instance.checks if check.id != id_)
            draining = _drains_without(id_, instance)
            instance = self._folded(replace(instance, checks=checks, draining=draining))
            yield Put(instance)

    def deregister(self, id_: str) -> Plan:
        """Remove an instance and its checks; nothing when it is unknown.

        Raises ApiError 409 when it is a container's: it would be back soon.
        """
        old = self.instances.get(id_)
        if old is None:
            return Plan()
        refuse_containers(old)
        drop = Drop(old.service, old.id, old.node)
        return Plan((drop,), stop=tuple(check.id for check in old.checks))

    def service_maintenance(self, id_: str, reason: str, *, enable: bool) -> Plan:
        """Switch an instance's maintenance; raises ApiError 404."""
        instance = self.instances.get(id_)
        if instance is None:
            raise ApiError(404, f'No service registered with ID "{id_}"')
        check = replace(
            _maintenance(maintenance_id(id_), "Service", reason), tags=_tags_of(instance)
        )
        others = tuple(c for c in instance.checks if c.id != check.id)
        if enable == (len(others) != len(instance.checks)):
            return Plan()  # already so: the first reason stays, and so does another's drain
        checks = (*others, check) if enable else others
        draining = enable or instance.ending
        return Plan((Put(self._folded(replace(instance, checks=checks, draining=draining))),))

    def node_maintenance(self, reason: str, *, enable: bool) -> Plan:
        """Switch the node's maintenance."""
        is_on = any(check.id == NODE_MAINTENANCE for check in self.node.checks)
        if is_on == enable:
            return Plan()
        if not enable:
            return self.deregister_check(NODE_MAINTENANCE)
        return self._with_node_check(_maintenance(NODE_MAINTENANCE, "Node", reason))

    def register_check(self, check: Check, service_id: str) -> Plan:
        """Add or replace a check of an instance, or of the node when ``service_id`` is empty."""
        refuse_checks([check.id], self.instances)
        check = self._kept(check)
        start = (check,) if check.definition else ()
        if not service_id:
            plan = self._with_node_check(check)
            return Plan((*self._without({check.id}, None), *plan.changes), start)
        instance = self.instances.get(service_id)
        if instance is None:
            raise ApiError(500, f'ServiceID "{service_id}" does not exist')
        others = tuple(c for c in instance.checks if c.id != check.id)
        check = replace(check, tags=_tags_of(instance))
        put = Put(self._folded(replace(instance, checks=(*others, check))), told=True)
        return Plan((*self._without({check.id}, instance), put), start)

    def deregister_check(self, id_: str) -> Plan:
        """Remove a check; nothing when it is unknown."""
        refuse_checks([id_], self.instances)
        found = self.find_check(id_)
        if found is None:
            return Plan()
        instance, _ = found
        if instance is None:
            left = tuple(check for check in self.node.checks if check.id != id_)
            return Plan(self._with_node(replace(self.node, checks=left)), stop=(id_,))
        left = tuple(check for check in instance.checks if check.id != id_)
        draining = _drains_without(id_, instance)
        put = Put(self._folded(replace(instance, checks=left, draining=draining)))
        return Plan((put,), stop=(id_,))

    def set_check(self, id_: str, status: Status, output: str) -> Plan:
        """Store what a check said; nothing when it is unknown by now."""
        found = self.find_check(id_)
        if found is None:
            return Plan()
        instance, check = found
        new = replace(check, status=status, output=output)
        if instance is None:
            return self._with_node_check(new)
        checks = tuple(new if each.id == id_ else each for each in instance.checks)
        return Plan((Put(self._folded(replace(instance, checks=checks))),))

    def _kept(self, new: Check) -> Check:
        """Return a check with what the one with its id, whatever it tests, said last."""
        found = self.find_check(new.id)
        if found is None:
            return new
        output = self._outputs.get(new.id, found[1].output)
        return replace(new, status=found[1].status, output=output)

    def _folded(self, instance: Instance) -> Instance:
        return refolded(instance, self.node)

    def _with_node_check(self, check: Check) -> Plan:
        known = [each.id for each in self.node.checks]
        if check.id in known:
            checks = tuple(check if each.id == check.id else each for each in self.node.checks)
        else:
            checks = (*self.node.checks, check)
        return Plan(self._with_node(replace(self.node, checks=checks), told=True))

    def _with_node(self, node: Node, *, told: bool = False) -> tuple[Change, ...]:
        """Return the changes that give the node these checks and its instances what follows."""
        folded = ((old, refolded(old, node)) for old in self.instances.values())
        return (PutNode(node, told), *(Put(new) for old, new in folded if new != old))

    def _without(self, ids: Iterable[str], but: Instance | None) -> Iterable[Change]:
        """Take checks of these ids from everything else: an id tests one thing at a time."""
        wanted = frozenset(ids)
        if not wanted:
            return
        left = tuple(check for check in self.node.checks if check.id not in wanted)
        if but is not None and len(left) != len(self.node.checks):
            yield from self._with_node(replace(self.node, checks=left))
        for instance in self.instances.values():
            if but is not None and instance.id == but.id:
                continue
            kept = tuple(check for check in instance.checks if check.id not in wanted)
            if len(kept) != len(instance.checks):
                yield Put(self._folded(replace(instance, checks=kept)))


def refolded(instance: Instance, node: Node | None) -> Instance:
    """Return the instance with the status that its own and its node's checks give it."""
    checks = (*instance.checks, *(node.checks if node is not None else ()))
    drain = maintenance_id(instance.id)
    status = worst(check.status for check in checks if check.id != drain)
    return instance if status is instance.status else replace(instance, status=status)


def _drains_without(check_id: str, instance: Instance) -> bool:
    """Say whether an instance drains when it has lost a check."""
    ends = check_id == maintenance_id(instance.id)
    return instance.ending or (instance.draining and not ends)


def _tags_of(instance: Instance) -> tuple[str, ...] | None:
    return instance.tags if instance.tags or instance.tags_given else None


def _maintenance(id_: str, what: str, reason: str) -> Check:
    return Check(
        id=id_,
        name=f"{what} Maintenance Mode",
        notes=reason or _NO_REASON.format(what.lower()),
        type=_MAINTENANCE,
    )
