"""Consul's keys as JSON, as our entries, and as Registrator's consulkv entries. Pure."""

from typing import NamedTuple

import msgspec

from sidecar.catalog.kv import Entry
from sidecar.catalog.model import Instance, InstanceId
from sidecar.stores.consul.adoption import node_of

__all__ = [
    "Pair",
    "Place",
    "entry_of",
    "key_of_place",
    "parsed_key",
    "parsed_value",
    "unfit",
    "value_of",
]


class Pair(msgspec.Struct, frozen=True):
    """A key as the kv endpoint shows it."""

    key: str = msgspec.field(name="Key")
    value: bytes | None = msgspec.field(name="Value", default=None)
    flags: int = msgspec.field(name="Flags", default=0)
    lock_index: int = msgspec.field(name="LockIndex", default=0)
    session: str = msgspec.field(name="Session", default="")
    created: int = msgspec.field(name="CreateIndex", default=0)
    modified: int = msgspec.field(name="ModifyIndex", default=0)

    @property
    def data(self) -> bytes:
        """The value; decoding took it out of its base64."""
        return self.value or b""


class Place(NamedTuple):
    """What the path of a key says: a service and an id."""

    service: str
    id: InstanceId


def entry_of(pair: Pair) -> Entry:
    """Return the entry of a key."""
    return Entry(
        key=pair.key,
        value=pair.data,
        flags=pair.flags,
        lock_index=pair.lock_index,
        session=pair.session,
        create_index=pair.created,
        modify_index=pair.modified,
    )


def key_of_place(prefix: str, service: str, id_: str) -> str:
    """Return the key of an entry."""
    return f"{prefix}/{service}/{id_}"


def unfit(service: str, id_: str) -> str:
    """Return why there can be no such key: Consul cleans paths, so it would become another."""
    parts = (*service.split("/"), *id_.split("/"))
    if not all(parts) or not {".", ".."}.isdisjoint(parts):
        return "name and id do not make a path"
    return ""


def parsed_key(prefix: str, key: str) -> Place | None:
    """Return whose entry a key is; None when it is not one.

    Name and id may both hold slashes. An id of Registrator's form is the last part; any other
    begins behind the first.
    """
    if not key.startswith(f"{prefix}/"):
        return None
    path = key[len(prefix) + 1 :]
    service, _, id_ = path.rpartition("/")
    if not node_of(id_):
        service, _, id_ = path.partition("/")
    return None if unfit(service, id_) else Place(service, InstanceId(id_))


def value_of(instance: Instance) -> bytes:
    """Return the value of an entry: address and port, IPv6 in brackets."""
    address = instance.address
    shown = f"[{address}]" if ":" in address else address
    return f"{shown}:{instance.port}".encode()


def parsed_value(value: bytes) -> tuple[str, int] | None:
    """Return address and port; None when it is no such text."""
    host, _, port = value.decode("utf-8", "replace").strip().rpartition(":")
    if not host or not (port.isascii() and port.isdigit() and int(port) <= 65535):
        return None
    return host.removeprefix("[").removesuffix("]"), int(port)
