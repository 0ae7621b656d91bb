"""A look at a View that notes what was looked at, and what a change may have changed of that. Pure.

So a reply can be kept for as long as nothing it was made from changes.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from dnsd.names import fold
from dnsd.view import View
from sidecar.catalog.model import Instance, Node
from sidecar.catalog.query import address_of

__all__ = ["Origin", "Reading", "touched"]


Origin = tuple[bytes | str, ...] | bytes | str | None
"""What a reply was made from: services and nodes, a single one bare; None: everything.

A service stands by the catalogue's own text, which is there anyway, where only one has the folded
name; else, and when there is none, by that name.
"""


@lru_cache(maxsize=4096)
def _node_key(name: bytes) -> bytes:
    """Return what stands for a node; the same object, as many replies name it."""
    return b"\0node\0" + name


class Reading:
    """A look at a View that notes what was looked at."""

    __slots__ = ("_noted", "_view")

    def __init__(self, view: View) -> None:
        """Begin with nothing noted."""
        self._view = view
        self._noted: set[bytes | str] | None = set()

    @property
    def origin(self) -> Origin:
        """What was looked at."""
        noted = self._noted
        if noted is None:
            return None
        return next(iter(noted)) if len(noted) == 1 else tuple(noted)

    @property
    def everything(self) -> View:
        """The view; whatever changes may change what is found there."""
        self._noted = None
        return self._view

    def instances(self, service: bytes) -> tuple[Instance, ...]:
        """Return the instances of a folded name that may get new work."""
        self._note(service)
        return self._view.instances(service)

    def is_known(self, service: bytes) -> bool:
        """Whether there is a service of a folded name, in whatever state."""
        self._note(service)
        return service in self._view.services

    def node(self, name: bytes) -> Node | None:
        """Return the node of a folded name."""
        if self._noted is not None:
            self._noted.add(_node_key(name))
        return self._view.nodes.get(name)

    def address(self, instance: Instance) -> str:
        """Return where an instance is that has no address of its own: where its node is."""
        if self._noted is not None:
            self._noted.add(_node_key(fold(instance.node)))
        return address_of(instance, self._view.snapshot.nodes)

    def _note(self, service: bytes) -> None:
        if self._noted is not None:
            names = self._view.services.get(service, ())
            self._noted.add(names[0] if len(names) == 1 else service)


def touched(old: View, new: View) -> frozenset[bytes | str]:
    """Return the origins of which answers may differ between two views."""
    before, after = old.snapshot, new.snapshot
    found: set[bytes | str] = set()
    for name in _differing(before.services, after.services):
        if not _is_same(before.services.get(name, ()), after.services.get(name, ())):
            folded = fold(name)
            found.add(folded)
            found.update(old.services.get(folded, ()), new.services.get(folded, ()))
    if before.nodes is not after.nodes:
        for name in _differing(before.nodes, after.nodes):
            was, now = before.nodes.get(name), after.nodes.get(name)
            if was is None or now is None or (was.address, was.meta) != (now.address, now.meta):
                found.add(_node_key(fold(name)))
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
