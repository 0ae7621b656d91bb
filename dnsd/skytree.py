"""The tree of SkyDNS: every instance at the path that a template gives it. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from dnsd import names
from dnsd.authority import Question
from dnsd.names import Labels
from dnsd.site import Site
from dnsd.view import View
from sidecar.catalog.model import Instance
from sidecar.catalog.query import address_of

__all__ = ["Entry", "entries_at", "path_of"]

_PREFIX: Final = "skydns-"
_PRIORITY: Final = 10
_WEIGHT: Final = 100
_WILD: Final = frozenset((b"*", b"any"))


class Entry(NamedTuple):
    """A record of SkyDNS; ``path`` is reversed."""

    path: Labels
    host: str
    port: int
    priority: int
    weight: int
    ttl: int
    text: str
    mail: bool
    targetstrip: int
    group: str


class _Place:
    """What stands at a path, and the places below it."""

    __slots__ = ("below", "entries")

    def __init__(self) -> None:
        self.below: dict[bytes, _Place] = {}
        self.entries: list[Entry] = []


def entries_at(question: Question, path: Sequence[bytes]) -> Iterator[Entry]:
    """Yield what stands at or below a path, reversed; there may be wild cards in it."""
    for place in _places(_root(question), path):
        yield from _entries(place)


def path_of(instance: Instance, site: Site) -> Labels | None:
    """Return an instance's path by the template, from the root; None when it makes no name."""
    text = site.sky_template
    for word, value in (
        ("{id}", instance.id),
        ("{service}", instance.service),
        ("{node}", instance.node),
        ("{tags}", ".".join(instance.tags)),
    ):
        text = text.replace(word, value)
    labels = tuple(label for label in names.fold(text).split(b".") if label)
    try:
        names.wire_name((*labels, *(site.sky_zone.labels if site.sky_zone else ())))
    except ValueError:
        return None
    return labels[::-1]


def _root(question: Question) -> _Place:
    """Return the tree of a snapshot, built when it is asked for first."""
    view = question.reading.everything
    root = view.kept.get(_Place)
    if isinstance(root, _Place):
        return root
    root = _Place()
    for entry in _all_entries(view, question.site):
        place = root
        for label in entry.path:
            place = place.below.setdefault(label, _Place())
        place.entries.append(entry)
    view.kept[_Place] = root
    return root


def _all_entries(view: View, site: Site) -> Iterator[Entry]:
    for name in view.services:
        for instance in view.instances(name):
            path = path_of(instance, site)
            if path is not None:
                yield _entry(instance, path, address_of(instance, view.snapshot.nodes), site)


def _entry(instance: Instance, path: Labels, host: str, site: Site) -> Entry:
    meta = instance.meta

    def number(key: str, default: int, most: int = 65535) -> int:
        text = meta.get(_PREFIX + key, "")
        return min(int(text), most) if text.isdecimal() and len(text) < 11 else default

    weight = number("weight", instance.weight if instance.weight != 1 else 0)
    return Entry(
        path,
        host,
        instance.port,
        number("priority", _PRIORITY),
        weight or _WEIGHT,
        number("ttl", site.sky_ttl, 2**31 - 1),
        meta.get(_PREFIX + "text", ""),
        meta.get(_PREFIX + "mail", "") == "true",
        number("targetstrip", 0),
        meta.get(_PREFIX + "group", ""),
    )


def _places(place: _Place, path: Sequence[bytes]) -> Iterator[_Place]:
    if not path:
        yield place
    elif path[0] in _WILD:
        for below in place.below.values():
            yield from _places(below, path[1:])
    elif path[0] in place.below:
        yield from _places(place.below[path[0]], path[1:])


def _entries(place: _Place) -> Iterator[Entry]:
    yield from place.entries
    for below in place.below.values():
        yield from _entries(below)
