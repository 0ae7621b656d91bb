"""Which node holds which instance. Pure.

Entries are named by address and public port, so instances can meet at one place: a udp and a tcp
port of one number, or an old and a new container of one port. Of one protocol the one written
last stands there, the others wait behind it. Of two protocols tcp has the plain name and udp one
with a suffix; without a twin, udp has the plain name, as in Registrator.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from sidecar.catalog.model import Instance, Key
from sidecar.stores.zookeeper.codec import UDP, Place, encoded, place

__all__ = ["Layout", "Node"]


class Node(NamedTuple):
    """What one node has to hold, and for whom."""

    key: Key
    data: bytes


class Layout:
    """The wanted entries, in the order of writing."""

    def __init__(
        self, wanted: Mapping[Key, Instance] | None = None, *, is_original: bool = False
    ) -> None:
        """Take what is wanted at first, and whether names are exactly Registrator's."""
        self._is_original = is_original
        self._groups: dict[Place, dict[Key, Instance]] = {}
        self._where: dict[Key, Place] = {}
        self.change(wanted or {})

    def change(self, wanted: Mapping[Key, Instance | None]) -> frozenset[Place]:
        """Want these instead; return the plain places touched."""
        touched: set[Place] = set()
        for key, instance in wanted.items():
            where = self._place(instance)
            before = self._where.get(key)
            if before is not None and before != where:
                self._leave(key, before)
            touched |= {at for at in (before, where) if at is not None}
            if where is not None and instance is not None:
                self._stand(key, where, instance)
        return frozenset(touched)

    def nodes(self) -> dict[Place, Node]:
        """Return what should be at each place."""
        return {at: node for plain, group in self._groups.items() for at, node in _at(plain, group)}

    def targets(
        self, places: Iterable[Place], made: Collection[Place] = ()
    ) -> dict[Place, Node | None]:
        """Return what should be at these places; None: nothing.

        Their twins count when something should be there, or is: ``made`` are those in use.
        """
        targets: dict[Place, Node | None] = dict.fromkeys(places)
        for plain in {_plain(at) for at in targets}:
            twin = _suffixed(plain)
            targets |= {at: None for at in (plain, twin) if at in made}
            targets.update(_at(plain, self._groups.get(plain, {})))
        return targets

    def is_empty(self, service: str) -> bool:
        """Say whether nothing of this service is wanted."""
        return not any(at[0] == service for at in self._groups)

    def _place(self, instance: Instance | None) -> Place | None:
        if instance is None or instance.draining:
            return None
        return place(instance, is_original=self._is_original)

    def _stand(self, key: Key, where: Place, instance: Instance) -> None:
        group = self._groups.setdefault(where, {})
        if group.get(key) != instance:
            group.pop(key, None)  # to its end: written last
        group[key] = instance
        self._where[key] = where

    def _leave(self, key: Key, where: Place) -> None:
        group = self._groups[where]
        del group[key], self._where[key]
        if not group:
            del self._groups[where]


def _suffixed(at: Place) -> Place:
    return at[0], at[1] + UDP


def _plain(at: Place) -> Place:
    return at[0], at[1].removesuffix(UDP)


def _at(plain: Place, group: Mapping[Key, Instance]) -> Iterator[tuple[Place, Node]]:
    last = {_protocol(each): (key, each) for key, each in group.items()}
    for protocol, (key, each) in last.items():
        is_second = protocol == "udp" and len(last) > 1
        yield _suffixed(plain) if is_second else plain, Node(key, encoded(each))


def _protocol(instance: Instance) -> str:
    is_udp = instance.origin is not None and instance.origin.protocol == "udp"
    return "udp" if is_udp else "tcp"
