"""Made-up data for trying templates: a JSON text to a snapshot and keys. Pure.

``{"services": {"web": [{"address": "192.0.2.1", "port": 80, "tags": [], "meta": {}}]},
"nodes": {"n1": "192.0.2.9"}, "keys": {"app/color": "blue"}}``; all but names may be left out.
"""

from collections.abc import Mapping

import msgspec

from sidecar.catalog.changes import Change, Put, PutNode, apply
from sidecar.catalog.kv import Entry
from sidecar.catalog.model import EMPTY, Instance, InstanceId, Node, Snapshot, Status
from sidecar.errors import ConfigError

__all__ = ["mock_of"]


class _Instance(msgspec.Struct, forbid_unknown_fields=True):
    address: str = ""
    port: int = 80
    id: str = ""
    node: str = "node-1"
    tags: tuple[str, ...] = ()
    meta: dict[str, str] = msgspec.field(default_factory=dict)
    weight: int = 1
    status: Status = Status.PASSING
    draining: bool = False


class _Data(msgspec.Struct, forbid_unknown_fields=True):
    services: dict[str, tuple[_Instance, ...]] = msgspec.field(default_factory=dict)
    nodes: dict[str, str] = msgspec.field(default_factory=dict)
    keys: dict[str, str] = msgspec.field(default_factory=dict)


def mock_of(data: bytes, name: str) -> tuple[Snapshot, Mapping[str, Entry]]:
    """Return what the file ``name`` says. Raises ConfigError."""
    try:
        found = msgspec.json.decode(data, type=_Data)
    except msgspec.DecodeError as error:
        raise ConfigError([f"{name}: {error}"]) from error
    changes: list[Change] = [
        PutNode(Node(name=node, address=address)) for node, address in found.nodes.items()
    ]
    for service, members in found.services.items():
        changes += (Put(_instance(service, at, one)) for at, one in enumerate(members, 1))
    entries = {key: Entry(key=key, value=value.encode()) for key, value in found.keys.items()}
    return apply(EMPTY, changes), entries


def _instance(service: str, at: int, one: _Instance) -> Instance:
    return Instance(
        id=InstanceId(one.id or f"{service}-{at}"),
        service=service,
        node=one.node,
        address=one.address,
        port=one.port,
        tags=one.tags,
        meta=one.meta,
        weight=one.weight,
        status=one.status,
        draining=one.draining,
    )
