"""Registrations in requests: their fields, Consul's rules for them, ours. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sidecar.catalog.agent import API
from sidecar.catalog.entries import ForeignCheck, Registration
from sidecar.catalog.model import Check, Instance, InstanceId, Node, Status
from sidecar.catalog.ownership import refuse_reserved
from sidecar.errors import ApiError
from sidecar.web.consul import validate
from sidecar.web.consul.decode import (
    ANY,
    BOOL,
    DURATION,
    INT,
    STRING,
    STRING_MAP,
    STRINGS,
    Kind,
    Listed,
    Mapped,
    Struct,
)
from sidecar.web.consul.definitions import (
    SERVICE_CHECK,
    SERVICE_CHECKS,
    service_checks,
    stored,
    type_of,
)

__all__ = ["CATALOG_DEREGISTER", "CATALOG_REGISTER", "SERVICE", "AgentService", "agent_service",
           "default_tagged", "registration"]  # fmt: skip

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_UUID_LENGTH: Final = 36
_WEIGHTS: Final = Struct("structs.Weights", "Weights", {"Passing": INT, "Warning": INT})
_TAGGED: Final = Mapped(
    "map[string]structs.ServiceAddress",
    Struct("structs.ServiceAddress", "ServiceAddress", {"Address": STRING, "Port": INT}),
)
_SERVICE_FIELDS: Final[dict[str, Kind]] = {
    "Kind": STRING,
    "ID": STRING,
    "Tags": STRINGS,
    "Address": STRING,
    "TaggedAddresses": _TAGGED,
    "Meta": STRING_MAP,
    "Port": INT,
    "Weights": _WEIGHTS,
    "EnableTagOverride": BOOL,
    "Proxy": Struct("structs.ConnectProxyConfig", "", dict.fromkeys((
        "DestinationServiceName", "DestinationServiceID", "LocalServiceAddress",
        "LocalServicePort", "Config", "Upstreams", "MeshGateway", "Expose"), ANY), opaque=True),
    "Connect": Struct("structs.ServiceConnect", "", {"Native": BOOL, "SidecarService": ANY},
                      opaque=True, lenient=True),
}  # fmt: skip
SERVICE: Final = Struct(
    "structs.ServiceDefinition",
    "",
    _SERVICE_FIELDS
    | {"Name": STRING, "Token": STRING, "Check": SERVICE_CHECK, "Checks": SERVICE_CHECKS},
    aliases={
        "enable_tag_override": "EnableTagOverride",
        "tagged_addresses": "TaggedAddresses",
    },
    opaque=True,
)
_INDEXES: Final[dict[str, Kind]] = {"CreateIndex": INT, "ModifyIndex": INT}
_DEFINITION: Final = Struct("structs.HealthCheckDefinition", "", {
    "HTTP": STRING, "TLSSkipVerify": BOOL, "Header": Mapped("map[string][]string", STRINGS),
    "Method": STRING, "Body": STRING, "TCP": STRING, "Interval": DURATION, "OutputMaxSize": INT,
    "Timeout": DURATION, "DeregisterCriticalServiceAfter": DURATION, "ScriptArgs": STRINGS,
    "DockerContainerID": STRING, "Shell": STRING, "GRPC": STRING, "GRPCUseTLS": BOOL,
    "AliasNode": STRING, "AliasService": STRING, "TTL": DURATION}, opaque=True)  # fmt: skip
_FOREIGN_CHECK: Final = Struct("structs.HealthCheck", "HealthCheck", _INDEXES | {
    "Node": STRING, "CheckID": STRING, "Name": STRING, "Status": STRING, "Notes": STRING,
    "Output": STRING, "ServiceID": STRING, "ServiceName": STRING, "ServiceTags": STRINGS,
    "Type": STRING, "Definition": _DEFINITION})  # fmt: skip
_SUFFIX: Final = " - Namespaces are a Consul Enterprise feature"
CATALOG_REGISTER: Final = Struct("structs.RegisterRequest", "RegisterRequest", _INDEXES | {
    "Datacenter": STRING, "ID": STRING, "Node": STRING, "Address": STRING,
    "TaggedAddresses": STRING_MAP, "NodeMeta": STRING_MAP,
    "Service": Struct("structs.NodeService", "NodeService",
                      _SERVICE_FIELDS | _INDEXES | {"Service": STRING}),
    "Check": _FOREIGN_CHECK, "Checks": Listed("structs.HealthChecks", _FOREIGN_CHECK),
    "SkipNodeUpdate": BOOL, "Token": STRING}, unknown=_SUFFIX)  # fmt: skip
CATALOG_DEREGISTER: Final = Struct("structs.DeregisterRequest", "", dict.fromkeys(
    ("Datacenter", "Node", "ServiceID", "CheckID", "Token"), STRING), {"Address": "Node"},
    unknown=_SUFFIX)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AgentService:
    """A service to register with the agent, and its checks."""

    instance: Instance
    checks: tuple[Check, ...]


def agent_service(body: Mapping[str, Any], node: str) -> AgentService:
    """Return what a body asks the agent for; raises ApiError in the order Consul looks."""
    name = body.get("Name", "")
    if not name:
        raise ApiError(400, "Missing service name")
    if body.get("Address") in {"0.0.0.0", "::", "[::]"}:
        raise ApiError(400, "Invalid service address")
    passing, warning = 1, 1
    if (given := body.get("Weights")) is not None:
        passing, warning = validate.weights(given.get("Passing", 0), given.get("Warning", 0))
    meta = validate.service_meta(_filled(body.get("Meta"), ""))
    instance = _instance(body, name, node, meta, (passing, warning))
    checks = service_checks(
        body.get("Check"), body.get("Checks") or (), id_=instance.id, service=name
    )
    return AgentService(instance, checks)


def _instance(
    body: Mapping[str, Any],
    name: str,
    node: str,
    meta: Mapping[str, str],
    weights: tuple[int, int],
) -> Instance:
    if kind := body.get("Kind"):
        raise ApiError(400, f"Invalid Kind: {kind!a} is not served by the embedded catalog")
    if (body.get("Connect") or {}).get("SidecarService") is not None:
        # taken in silence, a proxy that nobody registered would be waited for
        raise ApiError(501, f"Connect.SidecarService: {validate.NOT_SERVED}")
    refuse_reserved(name)
    validate.name("Name", name)  # first: it is the id too when there is none
    address = validate.address("Address", body.get("Address") or "")
    port = validate.port("Port", body.get("Port") or 0)
    return Instance(
        id=InstanceId(validate.text("ID", body.get("ID") or name)),
        service=name,
        node=node,
        address=address,
        port=port,
        tags=validate.tags("Tags", (tag or "" for tag in body.get("Tags") or ())),
        meta=meta,
        weight=weights[0],
        warning_weight=weights[1],
        owner=API,
        tagged=_tagged(body),
        tag_override=body.get("EnableTagOverride") or False,
    )


def _tagged(body: Mapping[str, Any]) -> dict[str, tuple[str, int]]:
    found: dict[str, tuple[str, int]] = {}
    for key, value in (body.get("TaggedAddresses") or {}).items():
        each = value or {}
        address = validate.address("TaggedAddresses", each.get("Address") or "")
        port = validate.port("TaggedAddresses", each.get("Port") or 0)
        found[validate.text("TaggedAddresses", key, 63)] = (address, port)
    if len(found) > 64:
        raise ApiError(400, "Invalid TaggedAddresses: more than 64")
    return found


def default_tagged(
    given: Mapping[str, tuple[str, int]], address: str, port: int
) -> dict[str, tuple[str, int]]:
    """Return the tagged addresses with those that a Consul agent adds for an IP address."""
    version = validate.is_ip(address)
    if not version:
        return dict(given)
    usual = {f"lan_ipv{version}": (address, port), f"wan_ipv{version}": (address, port)}
    return usual | dict(given)


def registration(body: Mapping[str, Any]) -> Registration:
    """Return what a body asks the catalogue for; raises ApiError."""
    node, address = body.get("Node", ""), body.get("Address", "")
    if not node:
        raise ApiError(500, "Must provide node")
    if not address and not body.get("SkipNodeUpdate"):
        raise ApiError(500, "Must provide address if SkipNodeUpdate is not set")
    service = body.get("Service")
    instance = None
    if service is not None:
        if not service.get("Service"):
            raise ApiError(500, _nameless(service))
        instance = _foreign_instance(service, node)
    checks = [body["Check"]] if body.get("Check") is not None else []
    checks += [check or {} for check in body.get("Checks") or ()]
    return Registration(
        node=_foreign_node(body, node, address),
        instance=instance,
        checks=tuple(_foreign_check(check, node) for check in checks),
        skip_node_update=body.get("SkipNodeUpdate") or False,
    )


def _nameless(service: Mapping[str, Any]) -> str:
    if service.get("ID"):
        return "Must provide service name with ID"
    return "failed inserting service: failed inserting service: object missing primary index"


def _foreign_node(body: Mapping[str, Any], name: str, address: str) -> Node:
    id_ = body.get("ID") or ""
    if id_ and not _UUID.fullmatch(id_):
        wrong = "wrong length" if len(id_) != _UUID_LENGTH else "improperly formatted"
        raise ApiError(500, f"Bad node ID: uuid string is {wrong}")
    tagged = _filled(body.get("TaggedAddresses"), "")
    for key, value in tagged.items():
        validate.text("TaggedAddresses", key, 63)
        validate.address("TaggedAddresses", value)
    return Node(
        name=validate.name("Node", name),
        address=validate.address("Address", address),
        meta=validate.meta("NodeMeta", _filled(body.get("NodeMeta"), "")),
        id=id_.lower(),
        tagged=tagged,
    )


def _foreign_instance(service: Mapping[str, Any], node: str) -> Instance:
    weights = service.get("Weights")
    pair = (1, 1) if weights is None else (weights.get("Passing", 0), weights.get("Warning", 0))
    for weight in pair:
        validate.port("Weights", weight)  # the same range: a weight is 16 bits in DNS too
    meta = validate.meta("Service Meta", _filled(service.get("Meta"), ""))
    return _instance(service, service["Service"], node, meta, pair)


def _foreign_check(body: Mapping[str, Any], node: str) -> ForeignCheck:
    if (other := body.get("Node") or node) != node:
        raise ApiError(500, f'check node "{other}" does not match node "{node}"')
    status = body.get("Status") or Status.CRITICAL
    if status not in frozenset(Status):
        raise ApiError(400, f"Invalid check Status: {status!a}")
    definition = {key: value for key, value in (body.get("Definition") or {}).items() if value}
    check = Check(
        id=validate.text("CheckID", body.get("CheckID") or body.get("Name") or ""),
        name=validate.text("check Name", body.get("Name") or ""),
        status=Status(status),
        notes=validate.text("check Notes", body.get("Notes") or "", 4096),
        output=(body.get("Output") or "")[:4096],
        type=validate.text("check Type", body.get("Type") or type_of(definition)),
        definition=stored(definition),
    )
    return ForeignCheck(check, validate.text("ServiceID", body.get("ServiceID") or ""))


def _filled(pairs: Mapping[str, str | None] | None, missing: str) -> dict[str, str]:
    return {key: missing if value is None else value for key, value in (pairs or {}).items()}
