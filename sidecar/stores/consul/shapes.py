"""What Consul's catalogue and health endpoints answer, and what it is to us. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from sidecar.catalog.model import Check, Instance, InstanceId, Node, Status, worst

__all__ = [
    "ON_ITS_OWN",
    "CheckEntry",
    "NodeEntry",
    "NodeServices",
    "ServiceEntry",
    "maintenance_check",
]

ON_ITS_OWN: Final = "consul"
"""The service that Consul's servers register themselves; our own API shows one too."""
_STATUSES: Final[Mapping[str, Status]] = {status.value: status for status in Status}


def maintenance_check(id_: str) -> str:
    """Return the id of the check that stands for a service's maintenance."""
    return f"_service_maintenance:{id_}"


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


_EVEN: Final = _Weights()
_NOTHING: Final[dict[str, str]] = {}


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
    tags: tuple[str, ...] | None = msgspec.field(name="Tags", default=None)
    meta: dict[str, str] | None = msgspec.field(name="Meta", default=None)
    address: str = msgspec.field(name="Address", default="")
    port: int = msgspec.field(name="Port", default=0)
    tagged: dict[str, _Tagged] | None = msgspec.field(name="TaggedAddresses", default=None)
    weights: _Weights = msgspec.field(name="Weights", default=_EVEN)
    override: bool = msgspec.field(name="EnableTagOverride", default=False)
    modified: int = msgspec.field(name="ModifyIndex", default=0)

    def __post_init__(self) -> None:
        """Share what thousands have in common; Consul gives each its own address twice more."""
        share = msgspec.structs.force_setattr
        if self.weights == _EVEN:
            share(self, "weights", _EVEN)
        if self.meta == _NOTHING:
            share(self, "meta", _NOTHING)
        if self.tagged:
            own = _Tagged(self.address, self.port)
            tagged = {name: own if each == own else each for name, each in self.tagged.items()}
            share(self, "tagged", tagged)

    def instance(self, node: str, own: Iterable[CheckEntry], on_node: Iterable[Check]) -> Instance:
        """Return our instance: its status is the worst check's, the drain left out."""
        tags = self.tags or ()
        checks = tuple(check.check(tags) for check in own)
        drain = maintenance_check(self.id)
        tagged = self.tagged or {}
        places = {each: (each.address, each.port) for each in tagged.values()}
        return Instance(
            id=InstanceId(self.id),
            service=self.service,
            node=node,
            address=self.address,
            port=self.port,
            tags=tags,
            meta=self.meta or _NOTHING,
            weight=self.weights.passing,
            warning_weight=self.weights.warning,
            status=worst(c.status for c in (*checks, *on_node) if c.id != drain),
            draining=any(check.id == drain for check in checks),
            checks=checks,
            tagged={name: places[each] for name, each in tagged.items()},
            tag_override=self.override,
            meta_given=self.meta is not None,
        )


class NodeServices(msgspec.Struct, frozen=True):
    """What catalog/node answers, when the node is known."""

    services: dict[str, ServiceEntry] = msgspec.field(name="Services", default={})
