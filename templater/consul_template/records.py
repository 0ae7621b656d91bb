"""What queries give: Consul's things as templates see them. Pure.

Field names are those of consul-template's structs once they are put in Go's form, and they stand
in its order, because ``{{.}}`` prints a struct in that order. Maps and lists know their Go type, so
that a missing name of ``.ServiceMeta`` is the empty text as there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple

from sidecar.gotemplate.kinds import STRING, GoType, map_of, pointer_to, slice_of
from sidecar.gotemplate.values import Map, Pointer, Slice

__all__ = [
    "ADDRESSES",
    "CHECKS",
    "NODES",
    "PAIRS",
    "SERVICES",
    "SNIPPETS",
    "STRINGS",
    "STRING_MAP",
    "CatalogNode",
    "Check",
    "Node",
    "NodeService",
    "Pair",
    "Secret",
    "Service",
    "ServiceAddress",
    "Snippet",
    "Weights",
    "string_map",
    "strings",
]

STRINGS: Final = slice_of(STRING)
STRING_MAP: Final = map_of(STRING, STRING)


def strings(items: Iterable[str] | None) -> Slice:
    """Return a Go ``[]string``."""
    return Slice(items or (), STRINGS)


def string_map(items: Mapping[str, str] | None) -> Map:
    """Return a Go ``map[string]string``."""
    held: dict[object, object] = {}
    held.update(items or {})
    return Map(held, STRING_MAP)


class Pair(NamedTuple):
    """A key; ``key`` is relative to the prefix that was asked for."""

    path: str
    key: str
    value: str
    create_index: int = 0
    modify_index: int = 0
    lock_index: int = 0
    flags: int = 0
    session: str = ""


Pair.go_type = GoType("dependency.KeyPair", "struct")  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """One of a service's addresses."""

    go_type: ClassVar = GoType("api.ServiceAddress", "struct")
    address: str = ""
    port: int = 0


@dataclass(frozen=True, slots=True)
class Weights:
    """How much an instance gets."""

    go_type: ClassVar = GoType("api.AgentWeights", "struct")
    passing: int = 1
    warning: int = 1


@dataclass(frozen=True, slots=True)
class Check:
    """A check of an instance or its node."""

    go_type: ClassVar = GoType("api.HealthCheck", "struct")
    node: str
    check_id: str
    name: str
    status: str
    notes: str
    output: str
    service_id: str
    service_name: str
    service_tags: Slice
    type: str
    namespace: str
    create_index: int
    modify_index: int


ADDRESSES: Final = map_of(STRING, ServiceAddress.go_type)
CHECKS: Final = GoType("api.HealthChecks", "slice", pointer_to(Check.go_type))


@dataclass(frozen=True, slots=True)
class Service:
    """An instance of a service, with its node."""

    go_type: ClassVar = GoType("dependency.HealthService", "struct")
    node: str
    node_id: str
    node_address: str
    node_tagged_addresses: Map
    node_meta: Map
    service_meta: Map
    address: str
    service_tagged_addresses: Map
    id: str
    name: str
    tags: Slice
    checks: Slice
    status: str
    port: int
    weights: Weights


@dataclass(frozen=True, slots=True)
class Snippet:
    """A service's name and all its tags."""

    go_type: ClassVar = GoType("dependency.CatalogSnippet", "struct")
    name: str
    tags: Slice


@dataclass(frozen=True, slots=True)
class Node:
    """A node."""

    go_type: ClassVar = GoType("dependency.Node", "struct")
    id: str
    node: str
    address: str
    datacenter: str
    tagged_addresses: Map
    meta: Map


@dataclass(frozen=True, slots=True)
class NodeService:
    """A service on a node."""

    go_type: ClassVar = GoType("dependency.CatalogNodeService", "struct")
    id: str
    service: str
    tags: Slice
    meta: Map
    port: int
    address: str
    enable_tag_override: bool


@dataclass(frozen=True, slots=True)
class CatalogNode:
    """A node and its services; ``node`` is nil when there is no such node."""

    go_type: ClassVar = GoType("dependency.CatalogNode", "struct")
    node: Node | Pointer
    services: Slice


@dataclass(frozen=True, slots=True)
class Secret:
    """What Vault answers."""

    go_type: ClassVar = GoType("dependency.Secret", "struct")
    request_id: str
    lease_id: str
    lease_duration: int
    renewable: bool
    data: Map


PAIRS: Final = slice_of(pointer_to(GoType("dependency.KeyPair", "struct")))
SERVICES: Final = slice_of(pointer_to(Service.go_type))
SNIPPETS: Final = slice_of(pointer_to(Snippet.go_type))
NODES: Final = slice_of(pointer_to(Node.go_type))
NODE_SERVICES: Final = slice_of(pointer_to(NodeService.go_type))
