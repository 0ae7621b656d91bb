"""Queries to requests of Consul's HTTP API, and its answers to records. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from sidecar.errors import ProtocolError
from sidecar.gotemplate.kinds import pointer_to
from sidecar.gotemplate.values import Map, Pointer, Slice
from sidecar.stores.consul.pairs import Pair as WirePair
from templater.consul_template.certificates import (
    CaLeafQuery,
    CaRootsQuery,
    leaf_of,
    roots_of,
)
from templater.consul_template.instances import Entry, instances_of
from templater.consul_template.queries import (
    DatacentersQuery,
    FileQuery,
    HealthQuery,
    InstancesQuery,
    KeyQuery,
    KeysQuery,
    ListQuery,
    NodeQuery,
    NodesQuery,
    PkiQuery,
    Query,
    Scope,
    SecretQuery,
    SecretsQuery,
    ServicesQuery,
)
from templater.consul_template.records import (
    ADDRESSES,
    CHECKS,
    NODE_SERVICES,
    NODES,
    PAIRS,
    SERVICES,
    SNIPPETS,
    CatalogNode,
    Check,
    Node,
    NodeService,
    Pair,
    Service,
    ServiceAddress,
    Snippet,
    Weights,
    string_map,
    strings,
)

__all__ = ["Request", "members", "request_of", "value_of"]


_CA: Final = ("agent", "connect", "ca")


class Request(NamedTuple):
    """A path below ``/v1/`` in parts, and parameters; ``has_index``: it can wait for changes."""

    parts: tuple[str, ...]
    params: Mapping[str, str]
    has_index: bool = True


def request_of(query: Query) -> Request:
    """Return what asks a query; a node without a name must be given one before."""
    if isinstance(query, HealthQuery):
        return _health(query)
    if isinstance(query, DatacentersQuery):
        return Request(("catalog", "datacenters"), {}, has_index=False)
    if isinstance(query, CaRootsQuery):
        return Request((*_CA, "roots"), {})
    if isinstance(query, CaLeafQuery):
        return Request((*_CA, "leaf", query.service), {})
    if isinstance(query, FileQuery | SecretQuery | SecretsQuery | PkiQuery):
        raise TypeError(f"{query} is no query of Consul")
    params = _params(query.scope)
    match query:
        case KeyQuery():
            parts = ("kv", *query.key.split("/"))
        case ListQuery():
            parts, params = ("kv", *query.prefix.split("/")), {"recurse": "", **params}
        case KeysQuery():
            parts, params = ("kv", *query.prefix.split("/")), {"keys": "", **params}
        case InstancesQuery():
            parts = ("catalog", "service", query.name)
            params = _params(query.scope, near=query.near, tag=query.tag)
        case ServicesQuery():
            parts = ("catalog", "services")
        case NodesQuery():
            parts, params = ("catalog", "nodes"), _params(query.scope, near=query.near)
        case _:
            parts = ("catalog", "node", query.name)
    return Request(parts, params)


def _health(query: HealthQuery) -> Request:
    params = _params(query.scope, near=query.near, tag=query.tag)
    if query.statuses == ("passing",):
        params["passing"] = "1"
    kind = "connect" if query.is_connect else "service"
    return Request(("health", kind, query.name), params)


def _params(scope: Scope, **more: str) -> dict[str, str]:
    named = {
        "dc": scope.dc, "partition": scope.partition, "ns": scope.ns, "peer": scope.peer,
        "sg": scope.sameness, **more,
    }  # fmt: skip
    return {name: value for name, value in named.items() if value}


def value_of(query: Query, body: bytes | None) -> object:
    """Return what templates get; ``body`` None: Consul knows no such thing (status 404).

    The value of an absent key is None. Raises ProtocolError.
    """
    try:
        return _value(query, body)
    except (msgspec.DecodeError, ValueError) as error:
        raise ProtocolError(f"{query}: not Consul's answer: {error}") from error


def _value(query: Query, body: bytes | None) -> object:  # noqa: PLR0911  (a table, by kind)
    match query:
        case KeyQuery():
            pairs = _PAIRS.decode(body or b"[]")
            return _text(pairs[0]) if pairs else None
        case ListQuery():
            return _listed(query.prefix, body)
        case KeysQuery():
            return _relative(query.prefix, msgspec.json.decode(body or b"[]", type=list[str]))
        case HealthQuery():
            return _services(query, body)
        case InstancesQuery():
            return instances_of(body)
        case ServicesQuery():
            found = msgspec.json.decode(body or b"{}", type=dict[str, list[str] | None])
            snippets = [Snippet(name, strings(sorted(found[name] or ()))) for name in sorted(found)]
            return Slice(snippets, SNIPPETS)
        case NodesQuery():
            nodes = list(map(_node, _NODES.decode(body or b"[]")))
            if not query.near:
                nodes.sort(key=lambda node: (node.node, node.address))
            return Slice(nodes, NODES)
        case NodeQuery():
            return _catalog_node(body)
        case CaRootsQuery():
            return roots_of(body)
        case CaLeafQuery():
            return leaf_of(body)
    return strings(sorted(msgspec.json.decode(body or b"[]", type=list[str])))


def members(value: object) -> frozenset[object]:
    """Return what a list holds, by identity rather than content: whether most of it went away."""
    if not isinstance(value, Slice):
        return frozenset()
    return frozenset(_identity(item) for item in value)


def _identity(item: object) -> object:
    match item:
        case Pair():
            return item.path
        case Service() | Entry():
            return item.node, item.id
        case Snippet():
            return item.name
        case Node():
            return item.node
    return item


# --- keys -----------------------------------------------------------------------------------------

_PAIRS: Final = msgspec.json.Decoder(list[WirePair])


def _text(pair: WirePair) -> str:
    return pair.data.decode("utf-8", "surrogateescape")


def _listed(prefix: str, body: bytes | None) -> Slice:
    found = []
    skip = len(prefix)
    for wire in _PAIRS.decode(body or b"[]"):
        path = wire.key
        relative = (path[skip:] if path.startswith(prefix) else path).lstrip("/")
        found.append(
            Pair(
                path, relative, _text(wire), wire.created, wire.modified, wire.lock_index,
                wire.flags, wire.session,
            )
        )  # fmt: skip
    return Slice(found, PAIRS)


def _relative(prefix: str, paths: Sequence[str]) -> Slice:
    return strings(path.removeprefix(prefix).lstrip("/") for path in paths)


# --- services and nodes ---------------------------------------------------------------------------


class _Wire(msgspec.Struct, frozen=True, rename="pascal"):
    """What the API shows; null stands for nothing anywhere."""


class _Address(_Wire, frozen=True, rename="pascal"):
    address: str = ""
    port: int = 0


class _Weights(_Wire, frozen=True, rename="pascal"):
    passing: int = 1
    warning: int = 1


class _Node(_Wire, frozen=True, rename="pascal"):
    node: str
    id: str = msgspec.field(name="ID", default="")
    address: str = ""
    datacenter: str = ""
    tagged_addresses: dict[str, str] | None = None
    meta: dict[str, str] | None = None


class _Service(_Wire, frozen=True, rename="pascal"):
    id: str = msgspec.field(name="ID", default="")
    service: str = ""
    tags: list[str] | None = None
    meta: dict[str, str] | None = None
    port: int = 0
    address: str = ""
    tagged_addresses: dict[str, _Address] | None = None
    weights: _Weights | None = None
    enable_tag_override: bool = False


class _Check(_Wire, frozen=True, rename="pascal"):
    node: str = ""
    check_id: str = msgspec.field(name="CheckID", default="")
    name: str = ""
    status: str = ""
    notes: str = ""
    output: str = ""
    service_id: str = msgspec.field(name="ServiceID", default="")
    service_name: str = ""
    service_tags: list[str] | None = None
    type: str = ""
    namespace: str = ""
    create_index: int = 0
    modify_index: int = 0


class _Entry(_Wire, frozen=True, rename="pascal"):
    node: _Node
    service: _Service
    checks: list[_Check] | None = None


class _NodeAnswer(_Wire, frozen=True, rename="pascal"):
    node: _Node | None = None
    services: dict[str, _Service] | None = None


_ENTRIES: Final = msgspec.json.Decoder(list[_Entry])
_NODES: Final = msgspec.json.Decoder(list[_Node])
_NODE: Final = msgspec.json.Decoder(_NodeAnswer | None)


def _services(query: HealthQuery, body: bytes | None) -> Slice:
    found = []
    for entry in _ENTRIES.decode(body or b"[]"):
        status = _status(entry.checks or ())
        if "any" in query.statuses or status in query.statuses:
            found.append(_service(entry, status))
    if not query.near:
        found.sort(key=lambda service: (service.node, service.id))
    return Slice(found, SERVICES)


def _service(entry: _Entry, status: str) -> Service:
    node, service = entry.node, entry.service
    weights = service.weights or _Weights()
    addresses: dict[object, object] = {
        name: ServiceAddress(each.address, each.port)
        for name, each in (service.tagged_addresses or {}).items()
    }
    return Service(
        node=node.node,
        node_id=node.id,
        node_address=node.address,
        node_tagged_addresses=string_map(node.tagged_addresses),
        node_meta=string_map(node.meta),
        service_meta=string_map(service.meta),
        address=service.address or node.address,
        service_tagged_addresses=Map(addresses, ADDRESSES),
        id=service.id,
        name=service.service,
        tags=strings(sorted(service.tags or ())),
        checks=Slice(map(_check, entry.checks or ()), CHECKS),
        status=status,
        port=service.port,
        weights=Weights(weights.passing, weights.warning),
    )


def _check(wire: _Check) -> Check:
    return Check(
        wire.node, wire.check_id, wire.name, wire.status, wire.notes, wire.output, wire.service_id,
        wire.service_name, strings(wire.service_tags), wire.type, wire.namespace,
        wire.create_index, wire.modify_index,
    )  # fmt: skip


def _status(checks: Sequence[_Check]) -> str:
    """Return the worst status, maintenance before all; none known by name is no status."""
    found = set()
    for check in checks:
        if check.check_id == "_node_maintenance" or check.check_id.startswith(
            "_service_maintenance:"
        ):
            return "maintenance"
        found.add(check.status)
    if not found <= {"passing", "warning", "critical"}:
        return ""
    return next((each for each in ("critical", "warning") if each in found), "passing")


def _node(wire: _Node) -> Node:
    addresses, meta = string_map(wire.tagged_addresses), string_map(wire.meta)
    return Node(wire.id, wire.node, wire.address, wire.datacenter, addresses, meta)


def _catalog_node(body: bytes | None) -> CatalogNode:
    found = _NODE.decode(body or b"null")
    if found is None or found.node is None:
        return CatalogNode(Pointer(None, pointer_to(Node.go_type)), Slice((), NODE_SERVICES))
    services = [
        NodeService(
            each.id, each.service, strings(sorted(each.tags or ())), string_map(each.meta),
            each.port, each.address, each.enable_tag_override,
        )
        for each in (found.services or {}).values()
    ]  # fmt: skip
    services.sort(key=lambda service: (service.service, service.id))
    return CatalogNode(_node(found.node), Slice(services, NODE_SERVICES))
