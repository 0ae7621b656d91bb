"""What a Consul cluster holds, as changes of our catalogue. Pure.

Services are read node by node: an agent registers a service and its checks in one step, and hosts
are fewer than services. Checks come from two sides, with a node's services and from the table of
all checks, and either answer may be the older one. An answer knows everything up to its index: a
check that was modified later was seen elsewhere, and stays as it is.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sidecar.catalog.changes import Change, Drop, DropNode, Put, PutNode
from sidecar.stores.consul.shapes import ON_ITS_OWN, CheckEntry, NodeEntry, ServiceEntry

if TYPE_CHECKING:
    from sidecar.catalog.model import Instance

__all__ = ["World"]


class _Host:
    """One node: what was read of it and the instances made of that."""

    def __init__(self, entry: NodeEntry) -> None:
        self.entry = entry
        self.is_told = False
        self.services: dict[str, ServiceEntry] = {}
        self.checks: dict[str, CheckEntry] = {}
        self.instances: dict[str, Instance] = {}

    def changes(self, ids: Iterable[str] | None = None) -> Iterator[Change]:
        """Yield what became of these services, by default of all and of the node."""
        own: dict[str, list[CheckEntry]] = {}
        for id_ in sorted(self.checks):
            own.setdefault(self.checks[id_].service, []).append(self.checks[id_])
        node = self.entry.node(own.get("", ()))
        if ids is None:
            yield PutNode(node)
        for id_ in {*self.services, *self.instances} if ids is None else ids:
            entry, old = self.services.get(id_), self.instances.get(id_)
            new = None
            if entry is not None and entry.service != ON_ITS_OWN:
                new = entry.instance(self.entry.name, own.get(id_, ()), node.checks)
            if old is not None and (new is None or new.service != old.service):
                yield Drop(old.service, old.id, old.node)
                del self.instances[id_]
            if new is not None and new != old:
                yield Put(new)
                self.instances[id_] = new


class World:
    """The cluster as far as it was read; each answer becomes changes."""

    def __init__(self) -> None:
        """Know nothing."""
        self._hosts: dict[str, _Host] = {}

    @property
    def nodes(self) -> frozenset[str]:
        """The names of the nodes."""
        return frozenset(self._hosts)

    def take_nodes(self, entries: Iterable[NodeEntry]) -> list[Change]:
        """Take the list of all nodes."""
        there = {entry.name: entry for entry in entries}
        changes: list[Change] = []
        for name in self._hosts.keys() - there.keys():
            host = self._hosts.pop(name)
            changes += (Drop(i.service, i.id, i.node) for i in host.instances.values())
            changes.append(DropNode(name))
        for name, entry in there.items():
            host = self._hosts.setdefault(name, _Host(entry))
            if host.entry != entry or not host.is_told:
                host.entry, host.is_told = entry, True
                changes += host.changes()
        return changes

    def take_services(
        self, node: str, services: Iterable[ServiceEntry], checks: Iterable[CheckEntry], index: int
    ) -> list[Change]:
        """Take the services of a node and its checks, read after them; index is the checks'."""
        host = self._hosts.get(node)
        if host is None:
            return []
        there = {entry.id: entry for entry in services}
        before = host.services
        ids = {id_ for id_ in there.keys() | before.keys() if there.get(id_) != before.get(id_)}
        host.services = there
        return self._with_checks(host, checks, index, ids, are_all=False)

    def take_checks(self, checks: Iterable[CheckEntry], index: int) -> list[Change]:
        """Take the table of all checks."""
        by_node: dict[str, list[CheckEntry]] = {}
        for check in checks:
            by_node.setdefault(check.node, []).append(check)
        changes: list[Change] = []
        for name, host in self._hosts.items():
            changes += self._with_checks(host, by_node.get(name, ()), index, set(), are_all=True)
        return changes

    def forget_checks(self) -> None:
        """Trust no check's index any more: the store was reset."""
        for host in self._hosts.values():
            for id_, check in host.checks.items():
                host.checks[id_] = replace(check, modified=0)

    @staticmethod
    def _with_checks(
        host: _Host, checks: Iterable[CheckEntry], index: int, ids: set[str], *, are_all: bool
    ) -> list[Change]:
        there = {check.id: check for check in checks}
        touched: set[str] = set()
        for id_, known in list(host.checks.items()):
            is_newer = known.modified > index
            if not is_newer and (are_all or id_ in there) and there.get(id_) != known:
                touched.add(known.service)
                del host.checks[id_]
        for id_, check in there.items():
            if id_ not in host.checks:
                touched.add(check.service)
                host.checks[id_] = check
        if "" in touched:  # a check of the node is one of every instance
            return list(host.changes())
        return list(host.changes(ids | touched))
