"""A Snapshot as the DNS grammar looks at it: by folded names. Pure.

Everything is built when first asked for. What did not change since the view before is shared:
the index of names when no name came or went, a service's tags when its instances are the same
tuple (the catalogue's change test).
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from dnsd.names import fold, wire_name
from sidecar.catalog.model import EMPTY, Instance, Node, Snapshot
from sidecar.catalog.query import instances_of

__all__ = ["View", "folded_tags", "host_name", "packed_address"]

_HOST_LETTERS: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_")
_Names = Mapping[bytes, tuple[str, ...]]
_Tagged = tuple[tuple[Instance, ...], frozenset[bytes]]


@lru_cache(maxsize=65536)
def packed_address(text: str) -> bytes | None:
    """Return 4 or 16 octets of an IP address, None for anything else."""
    try:
        return None if "%" in text else ip_address(text).packed
    except ValueError:
        return None


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


class View:
    """Finds services, nodes and tags of one snapshot."""

    def __init__(self, snapshot: Snapshot = EMPTY, *, only_passing: bool = False) -> None:
        """Look at a snapshot."""
        self.snapshot = snapshot
        self._only_passing = only_passing
        self._services: _Names | None = None
        self._nodes: Mapping[bytes, Node] | None = None
        self._tags: frozenset[bytes] | None = None
        self._tagged: dict[str, _Tagged] = {}

    def follow(self, snapshot: Snapshot) -> "View":
        """Return the view of a later snapshot, sharing what did not change."""
        view = View(snapshot, only_passing=self._only_passing)
        if snapshot.services.keys() == self.snapshot.services.keys():
            view._services = self._services
        if snapshot.nodes is self.snapshot.nodes:
            view._nodes = self._nodes
        view._tagged = self._tagged
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
            tagged: dict[str, _Tagged] = {}
            for name, members in self.snapshot.services.items():
                known = self._tagged.get(name)
                if known is None or known[0] is not members:
                    known = members, folded_tags(self._healthy(name))
                tagged[name] = known
            self._tagged = tagged
            self._tags = frozenset().union(*(tags for _, tags in tagged.values()))
        return self._tags

    @property
    def unnamed(self) -> int:
        """How many services no question can name, as their name is no label."""
        return sum(not 1 <= len(name) <= 63 for name in self.services)

    def instances(self, service: bytes) -> tuple[Instance, ...]:
        """Return the instances of a folded name that may get new work."""
        names = self.services.get(service, ())
        return tuple(instance for name in names for instance in self._healthy(name))

    def any_instance(self) -> bool:
        """Whether any service has an instance that may get new work."""
        return any(self._healthy(name) for name in self.snapshot.services)

    def has_node_below(self, name: bytes) -> bool:
        """Whether a node name with dots ends in ``name``."""
        return any(node.endswith(b"." + name) for node in self.nodes)

    def _healthy(self, name: str) -> tuple[Instance, ...]:
        return instances_of(self.snapshot, name, only_passing=self._only_passing)
