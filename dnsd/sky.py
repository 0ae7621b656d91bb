"""Names in the grammar of SkyDNS: a path for each instance, and every record at or below a name.

An instance stands at the reversed labels of its path (``a.b.<zone>`` at b, then a). A name gives
all that stands there or below; ``*`` and ``any`` stand for any one label. What SkyDNS kept in a
record beside host and port comes from meta keys that begin with ``skydns-``. Pure.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from struct import pack
from typing import Final, NamedTuple

from dnsd import codes, names
from dnsd.authority import Question, absent, address_record, other, own_addresses, soa_of
from dnsd.names import Labels
from dnsd.records import Answer, Record
from dnsd.site import Site
from dnsd.view import View, host_name, packed_address
from sidecar.catalog.model import Instance
from sidecar.catalog.query import address_of

__all__ = ["Follow", "answer", "path_of"]

Follow = Callable[[Question, bytes, int], Answer]
"""Answers with a CNAME to a name, and what that has."""

_PREFIX: Final = "skydns-"
_PRIORITY: Final = 10
_WEIGHT: Final = 100
_WILD: Final = frozenset((b"*", b"any"))
_NAME_SERVERS: Final = (b"ns", b"dns")
_MOST: Final = 4096  # records of 16 octets fill a message; a path may stand above everything


class _Entry(NamedTuple):
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
        self.entries: list[_Entry] = []


def answer(question: Question, follow: Follow) -> Answer:
    """Return the answer for a name in the SkyDNS zone."""
    depth = len(question.zone.labels)
    inner = names.labels_of(question.name)[:-depth]
    root = _root(question)
    if not inner and question.qtype in {codes.SOA, codes.NS}:
        return _apex(question, root)
    places = list(_places(root, inner[::-1]))
    there = (entry for place in places for entry in _entries(place))
    entries = _of_one_group(list(islice(there, _MOST)))
    if not entries:
        if inner == _NAME_SERVERS:
            own = dict.fromkeys(own_addresses(question), 1)
            return _addresses(question, own, question.site.sky_ttl)
        return _negative(absent(question, exists=not inner or inner == (b"dns",)), question)
    return _negative(_of_type(question, entries, follow), question)


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


# --- the tree --------------------------------------------------------------------------------


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


def _all_entries(view: View, site: Site) -> Iterator[_Entry]:
    for name in view.services:
        for instance in view.instances(name):
            path = path_of(instance, site)
            if path is not None:
                yield _entry(instance, path, address_of(instance, view.snapshot.nodes), site)


def _entry(instance: Instance, path: Labels, host: str, site: Site) -> _Entry:
    meta = instance.meta

    def number(key: str, default: int, most: int = 65535) -> int:
        text = meta.get(_PREFIX + key, "")
        return min(int(text), most) if text.isdecimal() and len(text) < 11 else default

    weight = number("weight", instance.weight if instance.weight != 1 else 0)
    return _Entry(
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


def _entries(place: _Place) -> Iterator[_Entry]:
    yield from place.entries
    for below in place.below.values():
        yield from _entries(below)


def _of_one_group(entries: list[_Entry]) -> list[_Entry]:
    """Leave out what is of another group than the shortest path names, when they agree on one."""
    if not entries:
        return entries
    depth = min(len(entry.path) for entry in entries)
    groups = {entry.group for entry in entries if len(entry.path) == depth and entry.group}
    if len(groups) != 1:
        return entries
    return [entry for entry in entries if entry.group in {"", *groups}]


# --- records ---------------------------------------------------------------------------------


def _of_type(question: Question, entries: Sequence[_Entry], follow: Follow) -> Answer:
    qtype = question.qtype
    if qtype == codes.SRV:
        return _srv(question, entries)
    if qtype == codes.MX:
        return _mail(question, [entry for entry in entries if entry.mail])
    if qtype == codes.TXT:
        records = tuple(
            {
                Record(codes.TXT, _ttl(entries), _string(entry.text)): None
                for entry in entries
                if entry.text
            }
        )
        return _some(question, records)
    if qtype not in {codes.A, codes.AAAA, codes.ANY, codes.CNAME}:
        return other(question)
    weights: Counter[bytes] = Counter()
    aliases = []
    for entry in entries:
        if (packed := packed_address(entry.host)) is not None:
            weights[packed] += entry.weight
        elif (alias := host_name(entry.host)) is not None:
            aliases.append(alias)
    if aliases and (not weights or not _of_family(weights, qtype)) and qtype != codes.ANY:
        return follow(question, aliases[0], _ttl(entries))
    return _addresses(question, weights, _ttl(entries))


def _ttl(entries: Iterable[_Entry]) -> int:
    """Return the TTL of a set: one for all (RFC 2181 5.2), the least."""
    return min(entry.ttl for entry in entries)


def _string(text: str) -> bytes:
    octets = text.encode()
    parts = [octets[at : at + 255] for at in range(0, len(octets), 255)]
    return b"".join(bytes((len(part),)) + part for part in parts)


def _of_family(weights: Iterable[bytes], qtype: int) -> list[bytes]:
    size = 16 if qtype == codes.AAAA else 4
    return [packed for packed in weights if len(packed) == size]


def _addresses(question: Question, weights: dict[bytes, int], ttl: int) -> Answer:
    if question.qtype not in {codes.A, codes.AAAA, codes.ANY}:
        return other(question)
    chosen = _of_family(weights, question.qtype)
    return _some(question, tuple(address_record(ttl, p, weight=weights[p]) for p in chosen))


def _some(
    question: Question, records: tuple[Record, ...], additional: Iterable[Record] = ()
) -> Answer:
    if not records:
        return other(question)
    return Answer(codes.NOERROR, question.zone, records=records, additional=tuple(additional))


def _named(question: Question, entry: _Entry) -> tuple[bytes, bytes | None] | None:
    """Return the name an entry is reached by, and its address when that name is its own."""
    packed = packed_address(entry.host)
    if packed is None:
        target = host_name(entry.host)
        return None if target is None else (target, None)
    own = entry.path[::-1][entry.targetstrip :]
    return names.wire_name((*own, *question.zone.labels)), packed


def _srv(question: Question, entries: Sequence[_Entry]) -> Answer:
    sums: Counter[int] = Counter()
    for entry in entries:
        sums[entry.priority] += entry.weight
    ttl = _ttl(entries)
    records: dict[Record, None] = {}
    glue: dict[tuple[bytes, bytes], Record] = {}
    for entry in entries:
        named = _named(question, entry)
        if named is None or not 0 <= entry.port <= 65535:
            continue
        target, packed = named
        weight = max(100 * entry.weight // sums[entry.priority], 1)
        before = pack(">HHH", entry.priority, weight, entry.port)
        records[Record(codes.SRV, ttl, before, (target,), weight=weight)] = None
        if packed is not None:
            glue[target, packed] = address_record(ttl, packed, owner=target)
    return _some(question, tuple(records), glue.values())


def _mail(question: Question, entries: Sequence[_Entry]) -> Answer:
    records: dict[Record, None] = {}
    glue: dict[tuple[bytes, bytes], Record] = {}
    for entry in entries:
        if (named := _named(question, entry)) is None:
            continue
        target, packed = named
        ttl = _ttl(entries)
        records[Record(codes.MX, ttl, entry.priority.to_bytes(2), (target,))] = None
        if packed is not None:
            glue[target, packed] = address_record(ttl, packed, owner=target)
    return _some(question, tuple(records), glue.values())


def _apex(question: Question, root: _Place) -> Answer:
    """Answer SOA, or NS from what stands at ``ns.dns``, else this server itself."""
    site = question.site
    zone = question.zone._replace(home=(b"dns", *question.zone.labels))
    if question.qtype == codes.SOA:
        soa = soa_of(zone, question.serial, site.soa._replace(minimum=site.sky_negative_ttl))
        return Answer(codes.NOERROR, question.zone, records=(soa,))
    places = _places(root, _NAME_SERVERS[::-1])
    entries = [entry for place in places for entry in _entries(place)]
    named = [found for entry in entries if (found := _named(question, entry)) is not None]
    if not named:
        own = names.wire_name((*_NAME_SERVERS, *question.zone.labels))
        named = [(own, packed) for packed in own_addresses(question)] or [(own, None)]
    records = {Record(codes.NS, site.sky_ttl, names=(target,)): None for target, _ in named}
    glue = (address_record(site.sky_ttl, p, owner=target) for target, p in named if p is not None)
    return _some(question, tuple(records), glue)


def _negative(reply: Answer, question: Question) -> Answer:
    """Return a reply with the SOA of this zone, whose negative TTL is its own."""
    if not reply.authority:
        return reply
    zone = question.zone._replace(home=(b"dns", *question.zone.labels))
    times = question.site.soa._replace(minimum=question.site.sky_negative_ttl)
    return reply._replace(authority=(soa_of(zone, question.serial, times, zone.wire),))
