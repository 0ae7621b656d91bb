"""What templates see of the catalogue and the keys, and what one rendering has read of it. Pure.

Everything is immutable and shared between renderings: a service that did not change is the same
object, which is how we know whose templates to render again. A rendering gets a ``View``, which
notes each service, key and list that it looks at.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from sidecar.catalog.kv import Entry
from sidecar.catalog.model import Instance, Snapshot
from sidecar.catalog.query import address_of
from sidecar.errors import RenderError
from templater.names import Address, Host, Port, SocketAddress
from templater.own.values import fitting, wrapped

__all__ = ["RECORDS", "Keys", "Node", "Pair", "Reads", "Server", "Service", "View", "World"]

_NAME: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,255}", re.ASCII)
_MISSING: Final = object()
_NO_ADDRESS: Final = re.compile("(?!)")

Keys = Callable[[str], Iterable[Entry]]
"""Gives the entries whose keys begin with a text. Raises RenderError when that cannot be known."""


@dataclass(frozen=True, slots=True)
class Server:
    """An instance, as templates see it. What is typed Any is text or a Suspect."""

    id: Any
    service: Any
    node: Any
    address: Any
    port: int
    tags: tuple[Any, ...]
    meta: Mapping[Any, Any]
    weight: int
    status: str
    draining: bool
    ready: bool
    """Whether it takes new work."""
    socket: Any
    """``address:port``, IPv6 in brackets."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service with all its instances, and with those that take new work."""

    name: Any
    instances: tuple[Server, ...] = ()
    ready: tuple[Server, ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """A host."""

    name: Any
    address: Any
    meta: Mapping[Any, Any]


@dataclass(frozen=True, slots=True)
class Pair:
    """A key and its value."""

    key: Any
    value: Any


RECORDS: Final = frozenset({Server, Service, Node, Pair})


@dataclass(slots=True)
class Reads:
    """What a rendering looked at."""

    services: set[str] = field(default_factory=set)
    all_services: bool = False
    nodes: bool = False
    prefixes: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class World:
    """Services and nodes at one index."""

    snapshot: Snapshot
    services: Mapping[str, Service]
    nodes: Mapping[str, Node]

    @classmethod
    def of(cls, snapshot: Snapshot, before: "World | None" = None) -> "World":
        """Return what a snapshot holds; what is as it was ``before`` is the same object."""
        old = before if before is not None else cls(Snapshot(), {}, {})
        same_nodes = snapshot.nodes is old.snapshot.nodes
        services = {
            name: _service(name, snapshot, old, same_nodes=same_nodes)
            for name in sorted(snapshot.services)
        }
        nodes = old.nodes if same_nodes else _nodes(snapshot, old.nodes)
        return cls(snapshot, services, nodes)

    def members(self) -> frozenset[tuple[str, str, str]]:
        """Return service, node and id of every instance."""
        return frozenset(
            (name, one.node, one.id)
            for name, members in self.snapshot.services.items()
            for one in members
        )

    def count(self, services: Iterable[str]) -> int:
        """Return how many instances of these services take new work."""
        known = (self.services.get(name) for name in services)
        return sum(len(one.ready) for one in known if one is not None)

    def differs(self, before: "World", reads: Reads) -> bool:
        """Say whether what was read then is different now."""
        if reads.nodes and self.nodes != before.nodes:
            return True
        old, new = before.services, self.services
        if reads.all_services:
            return len(old) != len(new) or any(old.get(name) is not new[name] for name in new)
        return any(old.get(name) is not new.get(name) for name in reads.services)


class View(Mapping[str, Service]):
    """``services`` of one rendering: a mapping that notes what is read."""

    def __init__(self, world: World, keys: Keys, reads: Reads) -> None:
        """Look at a world and at the keys that are known."""
        self._world = world
        self._keys = keys
        self._reads = reads

    def __getitem__(self, name: str) -> Service:
        """Return a service. Raises KeyError."""
        self._reads.services.add(name)
        return self._world.services[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names in order."""
        self._reads.all_services = True
        return iter(self._world.services)

    def __len__(self) -> int:
        """Return how many there are."""
        self._reads.all_services = True
        return len(self._world.services)

    def __contains__(self, name: object) -> bool:
        """Say whether there is such a service."""
        if isinstance(name, str):
            self._reads.services.add(name)
        return name in self._world.services

    def service(self, name: str) -> Service:
        """Return a service, without instances when there is none."""
        self._reads.services.add(name)
        return self._world.services.get(name) or Service(_name(name, "a template", "service"))

    def nodes(self) -> Mapping[str, Node]:
        """Return all nodes by name."""
        self._reads.nodes = True
        return self._world.nodes

    def key(self, name: str, default: Any = _MISSING) -> Any:
        """Return a key's value. Raises RenderError when it is absent and there is no default."""
        for entry in self._listing(name):
            if entry.key == name:
                return _value(entry)
        if default is not _MISSING:
            return default
        raise RenderError(f"key {name!r} does not exist")

    def keys_below(self, prefix: str) -> tuple[Pair, ...]:
        """Return keys that begin with this text, and their values."""
        return tuple(Pair(_name(one.key, "a key", "name"), _value(one)) for one in
                     self._listing(prefix))  # fmt: skip

    def names(self) -> dict[str, object]:
        """Return all that a template may use, by name."""
        return {
            "services": self,
            "service": self.service,
            "nodes": _Late(self.nodes),
            "key": self.key,
            "keys": self.keys_below,
        }

    def _listing(self, prefix: str) -> Iterable[Entry]:
        if not isinstance(prefix, str):
            raise RenderError("the name of a key is a text")
        self._reads.prefixes.add(prefix)
        return self._keys(prefix)


class _Late(Mapping[str, Node]):
    """The nodes, read when looked at."""

    def __init__(self, read: Any) -> None:
        self._read = read

    def __getitem__(self, name: str) -> Node:
        found: Node = self._read()[name]
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())


def _service(name: str, snapshot: Snapshot, old: World, *, same_nodes: bool) -> Service:
    members = snapshot.services[name]
    known = old.services.get(name)
    unchanged = old.snapshot.services.get(name) is members
    if known is not None and unchanged and (same_nodes or all(one.address for one in members)):
        return known
    instances = tuple(_server(one, address_of(one, snapshot.nodes)) for one in members)
    made = Service(
        _name(name, f"service {name!a:.60}", "name"),
        instances,
        tuple(one for one in instances if one.ready),
    )
    return known if known == made and known is not None else made


def _nodes(snapshot: Snapshot, before: Mapping[str, Node]) -> Mapping[str, Node]:
    made = {
        name: Node(
            _name(name, f"node {name!a:.60}", "name"),
            _address(node.address, f"node {name!a:.60}"),
            _texts(node.meta, f"node {name!a:.60}"),
        )
        for name, node in sorted(snapshot.nodes.items())
    }
    return before if made == before else made


def _server(one: Instance, place: str) -> Server:
    owner = f"service {one.service!a:.60}"
    address = _address(place, owner)
    # An address that is an Address or a Host is a str; what is suspect stays so in the socket.
    port = one.port if 0 <= one.port <= 65535 else 0
    return Server(
        id=wrapped(one.id, owner, "id"),
        service=_name(one.service, owner, "name"),
        node=_name(one.node, owner, "node"),
        address=address,
        port=port,
        tags=tuple(wrapped(tag, owner, "tag") for tag in one.tags),
        meta=_texts(one.meta, owner),
        weight=one.weight,
        status=str(one.status),
        draining=one.draining,
        ready=one.takes_new_work,
        socket=_socket(address, port),
    )


def _socket(address: Any, port: int) -> Any:
    if not isinstance(address, str):
        return address
    if ":" not in address:
        return f"{address}:{port}"
    return str(SocketAddress(Address(address), Port(port or 1))) if port else f"[{address}]:0"


def _texts(meta: Mapping[str, str], owner: str) -> Mapping[Any, Any]:
    return MappingProxyType(
        {wrapped(key, owner, "a meta key"): wrapped(text, owner, f"meta {key!a:.60}")
         for key, text in meta.items()}
    )  # fmt: skip


def _name(text: str, owner: str, place: str) -> Any:
    return fitting(text, _NAME, owner, place)


@lru_cache(maxsize=4096)
def _known_address(text: str) -> str | None:
    for type_ in (Address, Host):
        try:
            return str(type_(text))
        except ValueError:
            continue
    return None


def _address(text: str, owner: str) -> Any:
    """Return an address or a host name as plain text, anything else as a Suspect."""
    found = _known_address(text)
    return found if found is not None else fitting(text, _NO_ADDRESS, owner, "address")


def _value(entry: Entry) -> Any:
    text = entry.value.decode("utf-8", "surrogateescape")
    return wrapped(text, f"key {entry.key!a:.60}", "value")
