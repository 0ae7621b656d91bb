"""Names in the grammar of SkyDNS: a path for each instance, and every record at or below a name.

An instance stands at the reversed labels of its path (``a.b.<zone>`` at b, then a). A name gives
all that stands there or below; ``*`` and ``any`` stand for any one label. What SkyDNS kept in a
record beside host and port comes from meta keys that begin with ``skydns-``. Pure.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from struct import pack
from typing import Final

from dnsd import codes, names
from dnsd.authority import Question, absent, address_record, other, own_addresses, soa_of
from dnsd.records import Answer, Record
from dnsd.skytree import Entry, entries_at
from dnsd.view import host_name, packed_address

__all__ = ["Follow", "answer"]

Follow = Callable[[Question, bytes, int], Answer]
"""Answers with a CNAME to a name, and what that has."""

_NAME_SERVERS: Final = (b"ns", b"dns")
_MOST: Final = 4096  # records of 16 octets fill a message; a path may stand above everything


def answer(question: Question, follow: Follow) -> Answer:
    """Return the answer for a name in the SkyDNS zone."""
    depth = len(question.zone.labels)
    inner = names.labels_of(question.name)[:-depth]
    if not inner and question.qtype in {codes.SOA, codes.NS}:
        return _apex(question)
    entries = _of_one_group(list(islice(entries_at(question, inner[::-1]), _MOST)))
    if not entries:
        if inner == _NAME_SERVERS:
            own = dict.fromkeys(own_addresses(question), 1)
            return _addresses(question, own, question.site.sky_ttl)
        return _negative(absent(question, exists=not inner or inner == (b"dns",)), question)
    return _negative(_of_type(question, entries, follow), question)


def _of_one_group(entries: list[Entry]) -> list[Entry]:
    """Leave out what is of another group than the shortest path names, when they agree on one."""
    if not entries:
        return entries
    depth = min(len(entry.path) for entry in entries)
    groups = {entry.group for entry in entries if len(entry.path) == depth and entry.group}
    if len(groups) != 1:
        return entries
    return [entry for entry in entries if entry.group in {"", *groups}]


# --- records ---------------------------------------------------------------------------------


def _of_type(question: Question, entries: Sequence[Entry], follow: Follow) -> Answer:
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


def _ttl(entries: Iterable[Entry]) -> int:
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


def _named(question: Question, entry: Entry) -> tuple[bytes, bytes | None] | None:
    """Return the name an entry is reached by, and its address when that name is its own."""
    packed = packed_address(entry.host)
    if packed is None:
        target = host_name(entry.host)
        return None if target is None else (target, None)
    own = entry.path[::-1][entry.targetstrip :]
    return names.wire_name((*own, *question.zone.labels)), packed


def _srv(question: Question, entries: Sequence[Entry]) -> Answer:
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


def _mail(question: Question, entries: Sequence[Entry]) -> Answer:
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


def _apex(question: Question) -> Answer:
    """Answer SOA, or NS from what stands at ``ns.dns``, else this server itself."""
    site = question.site
    zone = question.zone._replace(home=(b"dns", *question.zone.labels))
    if question.qtype == codes.SOA:
        soa = soa_of(zone, question.serial, site.soa._replace(minimum=site.sky_negative_ttl))
        return Answer(codes.NOERROR, question.zone, records=(soa,))
    entries = entries_at(question, _NAME_SERVERS[::-1])
    named = [found for entry in entries if (found := _named(question, entry)) is not None]
    if not named:
        own = names.wire_name((*_NAME_SERVERS, *question.zone.labels))
        named = [(own, packed) for packed in own_addresses(question)] or [(own, None)]
    records = {Record(codes.NS, site.sky_ttl, names=(target,)): None for target, _ in named}
    glue = (address_record(site.sky_ttl, p, owner=target) for target, p in named if p is not None)
    return _some(question, tuple(records), glue)


def _negative(reply: Answer, question: Question) -> Answer:
    """Return a reply with the SOA of this zone, whose negative TTL is its own."""
    if not reply.authority or reply.chain:
        return reply  # what a chain leads to has the SOA of its own zone
    zone = question.zone._replace(home=(b"dns", *question.zone.labels))
    times = question.site.soa._replace(minimum=question.site.sky_negative_ttl)
    return reply._replace(authority=(soa_of(zone, question.serial, times, zone.wire),))
