"""A snapshot as Consul's API shows it: with the node itself and the service ``consul``. Pure.

Consul registers itself and its node; here they are only shown, so that nothing routes to them.
The indexes are those of ``Snapshot``, never 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from sidecar.catalog import topics
from sidecar.catalog.agent import LocalNode
from sidecar.catalog.model import Check, Instance, InstanceId, Node, Snapshot, Status

__all__ = ["SELF", "SERF_HEALTH", "Local", "View"]

SELF: Final = "consul"
SERF_HEALTH: Final = "serfHealth"
_PORT: Final = 8300


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """What this process says of itself."""

    node: LocalNode
    datacenter: str = "dc1"
    version: str = ""
    server_port: int = _PORT


class View:
    """One snapshot with what Consul would add."""

    def __init__(self, snapshot: Snapshot, local: Local) -> None:
        """Add the local node, if the snapshot does not have it, and its own check."""
        self.snapshot = snapshot
        self.local = local
        name = local.node.name
        found = snapshot.nodes.get(name)
        me = found or Node(name=name, address=local.node.address, created=1, modified=1)
        self.me = _shown(me, local)
        self._nodes = {**snapshot.nodes, name: self.me}
        self._own = _own(local)

    @property
    def nodes(self) -> list[Node]:
        """Every node, by name."""
        return [self._nodes[name] for name in sorted(self._nodes, key=str.lower)]

    def node(self, name: str) -> Node | None:
        """Return one node; names match in any case, as in Consul."""
        found = self._nodes.get(name)
        if found is None:
            wanted = name.lower()
            found = next((n for key, n in self._nodes.items() if key.lower() == wanted), None)
        return found

    def node_of(self, instance: Instance) -> Node:
        """Return an instance's node; a bare one when nobody registered it."""
        found = self._nodes.get(instance.node)
        return found or Node(name=instance.node, address=instance.address, created=1, modified=1)

    def names(self, service: str) -> list[str]:
        """Return the services whose name is this in any case."""
        if service in self.snapshot.services:
            return [service]
        wanted = service.lower()
        return [name for name in self.snapshot.services if name.lower() == wanted]

    def members(self, service: str) -> tuple[Instance, ...]:
        """Return a service's instances by node and id."""
        found = self.snapshot.services.get(service)
        if service.lower() == SELF:
            return (*(found or ()), self._own)
        if found is not None:
            return tuple(sorted(found, key=_place))
        names = self.names(service)
        members = [i for name in names for i in self.snapshot.services[name]]
        return tuple(sorted(members, key=_place))

    def on_node(self, node: str) -> list[Instance]:
        """Return every instance on a node, by id."""
        services = self.snapshot.services
        found = [i for members in services.values() for i in members if i.node == node]
        if node == self.me.name:
            found.append(self._own)
        return sorted(found, key=lambda instance: instance.id.lower())

    def health_index(self, service: str) -> int:
        """Return the index of a service's health; an absent one's moves when another has gone."""
        return self._index(self.snapshot.modified, service, self._extinct or self._tables)

    def service_index(self, service: str) -> int:
        """Return the index of a service's registrations, which moves with its checks too."""
        return self._index(self.snapshot.modified, service, self._extinct or self.node_index)

    def registered_index(self, service: str) -> int:
        """Return what wakes a reader of a service's registrations: not its checks."""
        return self._index(self.snapshot.registered, service, self._extinct or self.node_index)

    @property
    def _extinct(self) -> int:
        return self.snapshot.extinct_index

    @property
    def _tables(self) -> int:
        held = self.snapshot
        return max(held.services_index, held.nodes_index, held.checks_index)

    def topics(self, service: str) -> tuple[str, ...]:
        """Return what may move the indexes of a service's readers."""
        if service in self.snapshot.services and service.lower() != SELF:
            return (topics.service(service),)
        known = tuple(map(topics.service, self.names(service)))
        return (*known, topics.SERVICES, topics.NODES, topics.CHECKS)

    @property
    def node_index(self) -> int:
        """What a reader of a node and its services waits on: any registration."""
        return max(1, self.snapshot.services_index, self.snapshot.nodes_index)

    def _index(self, table: Mapping[str, int], service: str, absent: int) -> int:
        known = [table[name] for name in self.names(service) if name in table]
        if service.lower() == SELF:
            known.append(self.me.modified)
        return max(1, *known) if known else max(1, absent)


def _shown(me: Node, local: Local) -> Node:
    address = me.address or local.node.address
    version = 6 if ":" in address else 4
    usual = {"lan": address, f"lan_ipv{version}": address}
    usual |= {"wan": address, f"wan_ipv{version}": address}
    serf = Check(
        id=SERF_HEALTH,
        name="Serf Health Status",
        status=Status.PASSING,
        output="Agent alive and reachable",
        created=me.created or 1,
        modified=me.created or 1,
    )
    return replace(
        me,
        id=me.id or local.node.id,
        meta={"consul-network-segment": "", **me.meta},
        tagged={**usual, **me.tagged},
        # A mirrored node brings its own.
        checks=tuple(sorted({c.id: c for c in (serf, *me.checks)}.values(), key=lambda c: c.id)),
        created=me.created or 1,
        modified=me.modified or 1,
    )


def _own(local: Local) -> Instance:
    meta = {
        "non_voter": "false",
        "raft_version": "3",
        "serf_protocol_current": "2",
        "serf_protocol_max": "5",
        "serf_protocol_min": "1",
        "version": local.version,
    }
    return Instance(
        id=InstanceId(SELF),
        service=SELF,
        node=local.node.name,
        address="",
        port=local.server_port,
        meta=meta,
        created=1,
        modified=1,
    )


def _place(instance: Instance) -> tuple[str, str]:
    """Order as Consul's tables do, whose keys are in lower case."""
    return instance.node.lower(), instance.id.lower()
