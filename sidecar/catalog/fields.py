"""What a filter may select on each endpoint: recorded from Consul 1.8.7, name by name. Pure.

The names are the keys of the JSON answers, but not all of them: indexes and check definitions
cannot be selected there, so they cannot here.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = [
    "AGENT_SERVICE",
    "CATALOG_NODE",
    "CATALOG_SERVICE",
    "CHECK",
    "HEALTH_SERVICE",
    "Field",
    "Kind",
    "ListOf",
    "MapOf",
    "Struct",
]


class Kind(enum.Enum):
    """A field without parts."""

    TEXT = enum.auto()
    INTEGER = enum.auto()
    TRUTH = enum.auto()
    TEXTS = enum.auto()


@dataclass(frozen=True, slots=True)
class Struct:
    """Fields by name."""

    fields: Mapping[str, "Field"]


@dataclass(frozen=True, slots=True)
class MapOf:
    """Any key, each with such a field."""

    of: "Field"


@dataclass(frozen=True, slots=True)
class ListOf:
    """Such structs; a selector into it is true when it is for any of them."""

    of: Struct


Field = Kind | Struct | MapOf | ListOf

_T, _N, _B = Kind.TEXT, Kind.INTEGER, Kind.TRUTH
_TEXT_MAP: Final = MapOf(_T)
_ADDRESSES: Final = MapOf(Struct({"Address": _T, "Port": _N}))
_WEIGHTS: Final = Struct({"Passing": _N, "Warning": _N})
_GATEWAY: Final = Struct({"Mode": _T})
_CONNECT: Final = Struct({"Native": _B})
_UPSTREAM: Final = Struct(
    {
        "Datacenter": _T,
        "MeshGateway": _GATEWAY,
        "DestinationType": _T,
        "DestinationNamespace": _T,
        "DestinationName": _T,
        "LocalBindAddress": _T,
        "LocalBindPort": _N,
    }
)
_PATH: Final = Struct(
    {
        "ListenerPort": _N,
        "Path": _T,
        "LocalPathPort": _N,
        "Protocol": _T,
        "ParsedFromCheck": _B,
    }
)
_PROXY: Final = Struct(
    {
        "DestinationServiceName": _T,
        "DestinationServiceID": _T,
        "LocalServiceAddress": _T,
        "LocalServicePort": _N,
        "Upstreams": ListOf(_UPSTREAM),
        "MeshGateway": _GATEWAY,
        "Expose": Struct({"Checks": _B, "Paths": ListOf(_PATH)}),
    }
)

AGENT_SERVICE: Final = Struct(
    {
        "Kind": _T,
        "ID": _T,
        "Service": _T,
        "Tags": Kind.TEXTS,
        "Address": _T,
        "TaggedAddresses": _ADDRESSES,
        "Meta": _TEXT_MAP,
        "Port": _N,
        "Weights": _WEIGHTS,
        "EnableTagOverride": _B,
        "Proxy": _PROXY,
        "Connect": _CONNECT,
    }
)
"""agent/services and, over the services in it, catalog/node and catalog/node-services."""

CHECK: Final = Struct(
    {
        "Node": _T,
        "CheckID": _T,
        "Name": _T,
        "Status": _T,
        "Notes": _T,
        "Output": _T,
        "ServiceID": _T,
        "ServiceName": _T,
        "ServiceTags": Kind.TEXTS,
        "Type": _T,
    }
)
"""agent/checks, health/checks, health/node, health/state."""

CATALOG_NODE: Final = Struct(
    {
        "ID": _T,
        "Node": _T,
        "Address": _T,
        "Datacenter": _T,
        "TaggedAddresses": _TEXT_MAP,
        "Meta": _TEXT_MAP,
    }
)
"""catalog/nodes."""

CATALOG_SERVICE: Final = Struct(
    {
        "ID": _T,
        "Node": _T,
        "Address": _T,
        "Datacenter": _T,
        "TaggedAddresses": _TEXT_MAP,
        "NodeMeta": _TEXT_MAP,
        "ServiceKind": _T,
        "ServiceID": _T,
        "ServiceName": _T,
        "ServiceTags": Kind.TEXTS,
        "ServiceAddress": _T,
        "ServiceTaggedAddresses": _ADDRESSES,
        "ServiceWeights": _WEIGHTS,
        "ServiceMeta": _TEXT_MAP,
        "ServicePort": _N,
        "ServiceEnableTagOverride": _B,
        "ServiceProxy": _PROXY,
        "ServiceConnect": _CONNECT,
    }
)
"""catalog/service and catalog/connect."""

HEALTH_SERVICE: Final = Struct(
    {"Node": CATALOG_NODE, "Service": AGENT_SERVICE, "Checks": ListOf(CHECK)}
)
"""health/service, health/connect and health/ingress."""
