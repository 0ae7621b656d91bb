"""An instance as Registrator writes it to ZooKeeper, and back. Pure.

A service is a node, an endpoint an ephemeral child of it named ``<address>:<public port>`` whose
data are JSON with the keys in a fixed order (gliderlabs/registrator:zookeeper/zookeeper.go).
"""

import ipaddress
import json
from typing import Any, Final

from sidecar.catalog.model import Instance, InstanceId
from sidecar.stores.zookeeper.location import is_path

__all__ = ["UDP", "Place", "decoded", "encoded", "place", "unfit"]

UDP: Final = ":udp"
"""Behind the name of a udp endpoint whose tcp twin has the plain name."""
LIMIT: Final = 1_000_000  # a server hangs up at a request of 1 MiB (jute.maxbuffer)
_GO_ESCAPES: Final = {
    ord(char): f"\\u{ord(char):04x}" for char in ("<", ">", "&", "\u2028", "\u2029")
}

Place = tuple[str, str]
"""Service and leaf: the path below the base."""


def place(instance: Instance, *, is_original: bool = False) -> Place:
    """Return where an instance stands when nobody else wants to stand there.

    Registrator puts no brackets around IPv6.
    """
    address = instance.address
    bracketed = f"[{address}]" if ":" in address and not is_original else address
    return instance.service, f"{bracketed}:{instance.port}"


def unfit(instance: Instance) -> str | None:
    """Return why ZooKeeper can hold no such entry, or None."""
    for part in place(instance):
        if not is_path(part):
            return f"{part!r} cannot be the name of a node"
    if len(encoded(instance)) > LIMIT:
        return "larger than a node may be"
    return None


def encoded(instance: Instance) -> bytes:
    """Return the node's data, byte for byte as Go's encoding/json makes them."""
    origin = instance.origin
    body = {
        "Name": instance.service,
        "IP": instance.address,
        "PublicPort": instance.port,
        "PrivatePort": instance.port if origin is None else origin.port,
        "ContainerID": "" if origin is None else origin.hostname,
        "Tags": list(instance.tags),
        "Attrs": dict(sorted(instance.meta.items())),
    }
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).translate(_GO_ESCAPES)
    return text.encode("utf-8", "replace")


def decoded(service: str, leaf: str, data: bytes) -> Instance:
    """Return the instance that a reader takes the entry for; raises ValueError when it is none.

    Nothing in the entry names its host: the address stands for it.
    """
    try:
        body: Any = json.loads(data)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(body, dict):
        raise ValueError("not an object")  # noqa: TRY004 - the data are wrong, not the call
    address, port = body.get("IP"), body.get("PublicPort")
    if not isinstance(address, str) or not _is_address(address):
        raise ValueError("IP is no address")
    if not isinstance(port, int) or isinstance(port, bool) or not 0 < port < 65536:
        raise ValueError("PublicPort is no port")
    tags, attrs = body.get("Tags") or [], body.get("Attrs") or {}
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise ValueError("Tags are no list of texts")
    if not isinstance(attrs, dict) or not all(isinstance(v, str) for v in attrs.values()):
        raise ValueError("Attrs are no pairs of texts")
    return Instance(
        id=InstanceId(f"{service}:{leaf}"),
        service=service,
        node=address,
        address=address,
        port=port,
        tags=tuple(tags),
        tags_given=bool(tags),
        meta=attrs,
        meta_given=bool(attrs),
    )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
