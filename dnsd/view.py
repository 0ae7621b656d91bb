"""A Snapshot as the DNS grammar looks at it: by folded names and by address. Pure.

Everything is built when first asked for. What did not change since the view before is shared:
the index of names when no name came or went, what is known of a service when its instances are
the same tuple (the catalogue's change test).
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final, NamedTuple

from dnsd.names import fold, wire_name
from sidecar.catalog.model import EMPTY, Instance, Node, Snapshot
from sidecar.catalog.query import instances_of

__all__ = [
    "CONNECT",
    "INGRESS",
    "View",
    "folded_tags",
    "host_name",
    "packed_address",
]

CONNECT: Final = "pinnace-connect"
"""Meta key: the services, comma separated, whose mesh connections an instance takes."""
INGRESS: Final = "pinnace-ingress"
"""Meta key: the services, comma separated, that an instance is the way in to."""

_HOST_LETTERS: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_")
_Names = Mapping[bytes, tuple[str, ...]]


class _Facts(NamedTuple):
    """What the indexes need of one service; ``members`` are its instances then."""

    members: tuple[Instance, ...]
    tags: frozenset[bytes]
    addresses: frozenset[bytes]
    marks: tuple[tuple[str, bytes, Instance], ...]


@lru_cache(maxsize=65536)
def packed_address(text: str) -> bytes | None:
    """Return 4 or 16 octets of an IP address, None for anything else.

    An IPv4 address in the form of IPv6 (RFC 4291 2.5.5.2) is the IPv4 address, as in Consul.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return None
        address = address.ipv4_mapped or address
    return address.packed


def host_name(text: str) -> bytes | None:
    """Return the wire form of an address that is a host name (RFC 1123, and ``_``), or None."""
    labels = fold(text.removesuffix(".")).split(b".")
    if labels[-1].isdigit() or not all(_HOST_LETTERS.issuperset(label) for label in labels):
        return None
    try:
        return wire_name(labels)
    except ValueError:
        return None


def folded_tags(instances: Iterable[Instance]) -> frozenset[bytes]:
    """Return the tags of all these instances, folded."""
    return frozenset(fold(tag) for instance in instances for tag in instance.tags)


def _by_size(packed: bytes) -> tuple[int, bytes]:
    return len(packed), packed


class View:
    """Finds services, nodes, tags and addresses of one snapshot."""

    def __init__(self, snapshot: Snapshot = EMPTY, *, only_passing: bool = False) -> None:
        """Look at a snapshot."""
        self.snapshot = snapshot
        self._only_passing = only_passing
        self._services: _Names | None = None
        self._nodes: Mapping[bytes, Node] | None = None
        self._facts: dict[str, _Facts] = {}
        self._is_gathered = False
        self._tags: frozenset[bytes] | None = None
        self._marks: Mapping[tuple[str, bytes], tuple[Instance, ...]] | None = None
        self._addresses: Mapping[bytes, tuple[str, ...]] | None = None
        self._node_addresses: Mapping[bytes, tuple[str, ...]] | None = None
        self._node_ends: frozenset[bytes] | None = None
        self._sorted: list[bytes] | None = None
        self.kept: dict[type, object] = {}  # what others derive from this view alone

    def follow(self, snapshot: Snapshot) -> "View":
        """Return the view of a later snapshot, sharing what did not change."""
        view = View(snapshot, only_passing=self._only_passing)
        if snapshot.services.keys() == self.snapshot.services.keys():
            view._services = self._services
        if snapshot.nodes is self.snapshot.nodes:
            view._nodes = self._nodes
            view._node_addresses = self._node_addresses
        view._facts = self._facts
        return view

    @property
    def services(self) -> _Names:
        """Catalogue names by folded name; several may differ in case only."""
        if self._services is None:
            names: dict[bytes, tuple[str, ...]] = {}
            for name in self.snapshot.services:
                folded = fold(name)
                names[folded] = (*names.get(folded, ()), name)
            self._services = names
        return self._services

    @property
    def nodes(self) -> Mapping[bytes, Node]:
        """Nodes by folded name."""
        if self._nodes is None:
            self._nodes = {fold(name): node for name, node in self.snapshot.nodes.items()}
        return self._nodes

    @property
    def tags(self) -> frozenset[bytes]:
        """Every tag of an instance that may get new work, folded."""
        if self._tags is None:
            self._tags = frozenset().union(*(facts.tags for facts in self._gathered().values()))
        return self._tags

    @property
    def services_at(self) -> Mapping[bytes, tuple[str, ...]]:
        """Names of services by the packed address of their instances, whatever their state.

        A peer's address has a name also while it drains.
        """
        if self._addresses is None:
            found: dict[bytes, tuple[str, ...]] = {}
            for name, facts in self._gathered().items():
                for packed in facts.addresses:
                    found[packed] = (*found.get(packed, ()), name)
            self._addresses = found
        return self._addresses

    @property
    def nodes_at(self) -> Mapping[bytes, tuple[str, ...]]:
        """Names of nodes by packed address."""
        if self._node_addresses is None:
            found: dict[bytes, tuple[str, ...]] = {}
            for name, node in self.snapshot.nodes.items():
                if (packed := packed_address(node.address)) is not None:
                    found[packed] = (*found.get(packed, ()), name)
            self._node_addresses = found
        return self._node_addresses

    @property
    def marks(self) -> Mapping[tuple[str, bytes], tuple[Instance, ...]]:
        """Instances that take a service's mesh connections, by meta key and service."""
        if self._marks is None:
            found: dict[tuple[str, bytes], tuple[Instance, ...]] = {}
            for facts in self._gathered().values():
                for key, service, instance in facts.marks:
                    found[key, service] = (*found.get((key, service), ()), instance)
            self._marks = found
        return self._marks

    @property
    def unnamed(self) -> int:
        """How many services no question can name, as their name is no label."""
        return sum(not 1 <= len(name) <= 63 for name in self.services)

    def instances(self, service: bytes) -> tuple[Instance, ...]:
        """Return the instances of a folded name that may get new work."""
        names = self.services.get(service, ())
        if len(names) == 1:
            return self._healthy(names[0])
        return tuple(instance for name in names for instance in self._healthy(name))

    def any_instance(self) -> bool:
        """Whether any service has an instance that may get new work."""
        return any(self._healthy(name) for name in self.snapshot.services)

    def has_node_below(self, name: bytes) -> bool:
        """Whether a node name with dots ends in ``name``."""
        if self._node_ends is None:
            self._node_ends = frozenset(
                node[at + 1 :] for node in self.nodes for at in range(len(node)) if node[at] == 46
            )
        return name in self._node_ends

    def has_address_from(self, first: bytes, last: bytes) -> bool:
        """Whether a node or service is at an address from one to another of the same size."""
        if self._sorted is None:
            self._sorted = sorted({*self.nodes_at, *self.services_at}, key=_by_size)
        at = bisect_left(self._sorted, _by_size(first), key=_by_size)
        return at < len(self._sorted) and _by_size(self._sorted[at]) <= _by_size(last)

    def _healthy(self, name: str) -> tuple[Instance, ...]:
        return instances_of(self.snapshot, name, only_passing=self._only_passing)

    def _gathered(self) -> Mapping[str, _Facts]:
        """Return the facts of each service, looking only at those that changed."""
        if not self._is_gathered:
            known = self._facts
            self._facts = {
                name: facts
                if (facts := known.get(name)) is not None and facts.members is members
                else self._look(name, members)
                for name, members in self.snapshot.services.items()
            }
            self._is_gathered = True
        return self._facts

    def _look(self, name: str, members: tuple[Instance, ...]) -> _Facts:
        healthy = self._healthy(name)
        packed = [packed_address(instance.address) for instance in members]
        marks = tuple(
            (key, fold(service.strip()), instance)
            for instance in healthy
            for key in (CONNECT, INGRESS)
            if key in instance.meta
            for service in instance.meta[key].split(",")
        )
        return _Facts(members, folded_tags(healthy), frozenset(filter(None, packed)), marks)
