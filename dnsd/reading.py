"""A look at a View that notes what was looked at, and what a change may have changed of that. Pure.

So a reply can be kept for as long as nothing it was made from changes.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from dnsd.names import fold
from dnsd.view import View
from sidecar.catalog.model import Instance, Node, Snapshot
from sidecar.catalog.query import address_of

__all__ = ["Reading", "touched"]

_NODE: Final = b"\0node\0"


class Reading:
    """A look at a View that notes what was looked at."""

    __slots__ = ("_noted", "_view")

    def __init__(self, view: View) -> None:
        """Begin with nothing noted."""
        self._view = view
        self._noted: set[bytes] | None = set()

    @property
    def origin(self) -> frozenset[bytes] | bytes | None:
        """What was looked at: names of services and nodes, a single one bare; None: everything."""
        noted = self._noted
        if noted is None:
            return None
        return next(iter(noted)) if len(noted) == 1 else frozenset(noted)

    @property
    def everything(self) -> View:
        """The view; whatever changes may change what is found there."""
        self._noted = None
        return self._view

    def instances(self, service: bytes) -> tuple[Instance, ...]:
        """Return the instances of a folded name that may get new work."""
        if self._noted is not None:
            self._noted.add(service)
        return self._view.instances(service)

    def is_known(self, service: bytes) -> bool:
        """Whether there is a service of a folded name, in whatever state."""
        if self._noted is not None:
            self._noted.add(service)
        return service in self._view.services

    def node(self, name: bytes) -> Node | None:
        """Return the node of a folded name."""
        if self._noted is not None:
            self._noted.add(_NODE + name)
        return self._view.nodes.get(name)

    def address(self, instance: Instance) -> str:
        """Return where an instance is: its own address, else its node's."""
        if instance.address:
            return instance.address
        if self._noted is not None:
            self._noted.add(_NODE + fold(instance.node))
        return address_of(instance, self._view.snapshot.nodes)


def touched(old: Snapshot, new: Snapshot) -> frozenset[bytes]:
    """Return the origins of which answers may differ between two snapshots."""
    found = {
        fold(name)
        for name in _differing(old.services, new.services)
        if not _is_same(old.services.get(name, ()), new.services.get(name, ()))
    }
    if old.nodes is not new.nodes:
        for name in _differing(old.nodes, new.nodes):
            before, after = old.nodes.get(name), new.nodes.get(name)
            if (
                before is None
                or after is None
                or (before.address, before.meta) != (after.address, after.meta)
            ):
                found.add(_NODE + fold(name))
    return frozenset(found)


def _differing(old: Mapping[str, object], new: Mapping[str, object]) -> Iterable[str]:
    """Yield the keys whose values are not the same object."""
    for name, value in new.items():
        if old.get(name) is not value:
            yield name
    if old.keys() != new.keys():
        yield from old.keys() - new.keys()


def _is_same(before: tuple[Instance, ...], after: tuple[Instance, ...]) -> bool:
    """Say whether instances differ only in what no answer shows, as what a check last said."""
    return len(before) == len(after) and all(
        old is new or _shown(old) == _shown(new) for old, new in zip(before, after, strict=True)
    )


def _shown(i: Instance) -> tuple[object, ...]:
    return (
        i.id, i.node, i.address, i.port, i.tags, i.weight, i.warning_weight, i.status, i.draining,
        i.meta, i.tagged,
    )  # fmt: skip
