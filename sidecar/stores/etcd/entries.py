"""Instance <-> key and value, as Registrator writes them, and the marks beside them. Pure.

etcd: ``/<prefix>/<service>/<id>`` = ``address:port``. skydns2: ``/skydns/<labels of the domain,
reversed>/<service>/<id>`` = ``{"host":"<address>","port":<port>}``, which SkyDNS and CoreDNS read.

A mark says whose an entry is. It stands under the entry's whole key behind ``MARKS``, outside every
prefix (v3: no slash at the beginning; v2: a hidden directory), with the same TTL.
"""

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sidecar.catalog.model import Instance, InstanceId, Key
from sidecar.stores.etcd.address import Address

__all__ = ["MARKS", "Found", "Layout", "Unreadable", "is_nodes", "layout_of", "mark_of", "owner_in"]

MARKS: Final = "_pinnace/registrar"
"""What the keys of marks begin with; the entry's key, with its slash, follows."""

# The id of a plain container: host, container, port inside (Registrator's cleanup looks for it too)
_USUAL: Final = re.compile(r"(?P<node>.+?):[a-zA-Z0-9][a-zA-Z0-9_.-]+:[0-9]+(?::udp)?")
_NO_SEGMENT: Final = frozenset({"", ".", ".."})


class Unreadable(Exception):
    """This is no entry, or none that can be written; the message says why."""


class Found(NamedTuple):
    """What an entry of any host says."""

    service: str
    id: str
    address: str
    port: int

    def instance(self) -> Instance:
        """Return it as an instance; its node is the host in the id, else named by the address."""
        usual = _USUAL.fullmatch(self.id)
        node = usual["node"] if usual else "ip-" + re.sub(r"[.:]+", "-", self.address)
        return Instance(
            id=InstanceId(self.id),
            service=self.service,
            node=node,
            address=self.address,
            port=self.port,
        )


@dataclass(frozen=True, slots=True)
class Layout:
    """How entries are written; ``root`` is what their keys begin with, a slash at its end.

    ``is_original``: a blank in a name becomes a plus, as Registrator's client writes it.
    """

    root: str
    is_skydns: bool = False
    is_original: bool = False

    def key(self, entry: Key) -> str:
        """Return the store's key of an entry. Raises Unreadable for names that would leave it."""
        for what, name in (("service", entry.service), ("id", entry.id)):
            if not name.isprintable() or not _NO_SEGMENT.isdisjoint(name.split("/")):
                raise Unreadable(f"the {what} {name!r} cannot be part of a key")
        path = f"{entry.service}/{entry.id}"
        return self.root + (path.replace(" ", "+") if self.is_original else path)

    def value(self, instance: Instance) -> bytes:
        """Return what stands under the key of an instance."""
        if self.is_skydns:
            host = json.dumps(instance.address)
            return f'{{"host":{host},"port":{instance.port}}}'.encode()
        host = f"[{instance.address}]" if ":" in instance.address else instance.address
        return f"{host}:{instance.port}".encode()

    def found(self, key: str, value: bytes) -> Found:
        """Return what an entry says. Raises Unreadable."""
        service, _, id_ = key.removeprefix(self.root).rpartition("/")
        if not key.startswith(self.root) or not service or not id_:
            raise Unreadable("the key holds no service and id")
        if not key.isprintable():
            raise Unreadable("the key holds control characters")
        host, port = (_skydns if self.is_skydns else _address_and_port)(value)
        try:
            address = str(ipaddress.ip_address(host))
        except ValueError as error:
            raise Unreadable("no address stands there") from error
        if not 0 < port < 65536:
            raise Unreadable("no port stands there")
        return Found(service, id_, address, port)


def layout_of(address: Address, *, is_original: bool = False) -> Layout:
    """Return the layout below the path of an address."""
    if address.kind != "skydns2":
        return Layout(f"{address.path}/", is_original=is_original)
    labels = address.path.strip("/.").split(".")
    root = "/".join(("/skydns", *reversed(labels), ""))
    return Layout(root, is_skydns=True, is_original=is_original)


def mark_of(entry: Key, owner: str) -> bytes:
    """Return the mark of an owner beside an entry."""
    body = {"id": entry.id, "owner": owner, "service": entry.service}
    return json.dumps(body, separators=(",", ":")).encode()


def owner_in(mark: bytes) -> tuple[str, str, str]:
    """Return owner, service and id of a mark; all empty when it is none."""
    body = _object(mark)
    owner, service, id_ = (body.get(name) for name in ("owner", "service", "id"))
    if isinstance(owner, str) and isinstance(service, str) and isinstance(id_, str):
        return owner, service, id_
    return "", "", ""


def is_nodes(id_: str, node: str) -> bool:
    """Say whether an id is the usual one of a container on this node."""
    usual = _USUAL.fullmatch(id_)
    return usual is not None and usual["node"] == node


def _address_and_port(value: bytes) -> tuple[str, int]:
    host, separator, port = value.decode("utf-8", "replace").rpartition(":")
    if not separator or not port.isascii() or not port.isdigit():
        raise Unreadable("the value is not address:port")
    if host.startswith("[") and host.endswith("]"):
        return host[1:-1], int(port)
    if ":" in host:
        raise Unreadable("an IPv6 address stands there without brackets")
    return host, int(port)


def _skydns(value: bytes) -> tuple[str, int]:
    body = _object(value)
    host, port = body.get("host"), body.get("port")
    if not isinstance(host, str) or not isinstance(port, int) or isinstance(port, bool):
        raise Unreadable("the value has no host and port")
    return host, port


def _object(value: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
