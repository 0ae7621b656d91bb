"""What Consul's catalogue and health endpoints answer, and what it is to us. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from sidecar.catalog.model import Check, Instance, InstanceId, Node, Status, worst
from sidecar.stores.consul.registration import maintenance_check

__all__ = ["ON_ITS_OWN", "CheckEntry", "NodeEntry", "NodeServices", "ServiceEntry"]

ON_ITS_OWN: Final = "consul"
"""The service that Consul's servers register themselves; our own API shows one too."""
_STATUSES: Final[Mapping[str, Status]] = {status.value: status for status in Status}


class NodeEntry(msgspec.Struct, frozen=True):
    """A node of catalog/nodes."""

    name: str = msgspec.field(name="Node")
    address: str = msgspec.field(name="Address", default="")
    id: str = msgspec.field(name="ID", default="")
    meta: dict[str, str] | None = msgspec.field(name="Meta", default=None)
    tagged: dict[str, str] | None = msgspec.field(name="TaggedAddresses", default=None)

    def node(self, checks: Iterable["CheckEntry"]) -> Node:
        """Return our node with its own checks."""
        return Node(
            name=self.name,
            address=self.address,
            id=self.id,
            meta=self.meta or {},
            tagged=self.tagged or {},
            checks=tuple(check.check() for check in checks),
        )


class _Weights(msgspec.Struct, frozen=True):
    passing: int = msgspec.field(name="Passing", default=1)
    warning: int = msgspec.field(name="Warning", default=1)


class _Tagged(msgspec.Struct, frozen=True):
    address: str = msgspec.field(name="Address", default="")
    port: int = msgspec.field(name="Port", default=0)


class CheckEntry(msgspec.Struct, frozen=True):
    """A check of health/state and health/node; ``modified`` tells which of two is newer."""

    node: str = msgspec.field(name="Node")
    id: str = msgspec.field(name="CheckID")
    name: str = msgspec.field(name="Name", default="")
    status: str = msgspec.field(name="Status", default="critical")
    notes: str = msgspec.field(name="Notes", default="")
    output: str = msgspec.field(name="Output", default="")
    service: str = msgspec.field(name="ServiceID", default="")
    type: str = msgspec.field(name="Type", default="")
    modified: int = msgspec.field(name="ModifyIndex", default=0)

    def check(self, tags: tuple[str, ...] = ()) -> Check:
        """Return our check; what runs it is elsewhere."""
        return Check(
            id=self.id,
            name=self.name,
            status=_STATUSES.get(self.status, Status.CRITICAL),
            notes=self.notes,
            output=self.output,
            type=self.type,
            service_tags=tags,
        )


class ServiceEntry(msgspec.Struct, frozen=True):
    """A service of catalog/node."""

    id: str = msgspec.field(name="ID")
    service: str = msgspec.field(name="Service")
    tags: list[str] | None = msgspec.field(name="Tags", default=None)
    meta: dict[str, str] | None = msgspec.field(name="Meta", default=None)
    address: str = msgspec.field(name="Address", default="")
    port: int = msgspec.field(name="Port", default=0)
    tagged: dict[str, _Tagged] | None = msgspec.field(name="TaggedAddresses", default=None)
    weights: _Weights = msgspec.field(name="Weights", default=_Weights())
    override: bool = msgspec.field(name="EnableTagOverride", default=False)
    modified: int = msgspec.field(name="ModifyIndex", default=0)

    def instance(self, node: str, own: Iterable[CheckEntry], on_node: Iterable[Check]) -> Instance:
        """Return our instance: its status is the worst check's, the drain left out."""
        tags = tuple(self.tags or ())
        checks = tuple(check.check(tags) for check in own)
        drain = maintenance_check(self.id)
        return Instance(
            id=InstanceId(self.id),
            service=self.service,
            node=node,
            address=self.address,
            port=self.port,
            tags=tags,
            meta=self.meta or {},
            weight=self.weights.passing,
            warning_weight=self.weights.warning,
            status=worst(c.status for c in (*checks, *on_node) if c.id != drain),
            draining=any(check.id == drain for check in checks),
            checks=checks,
            tagged={name: (each.address, each.port) for name, each in (self.tagged or {}).items()},
            tag_override=self.override,
            meta_given=self.meta is not None,
        )


class NodeServices(msgspec.Struct, frozen=True):
    """What catalog/node answers, when the node is known."""

    services: dict[str, ServiceEntry] = msgspec.field(name="Services", default={})
