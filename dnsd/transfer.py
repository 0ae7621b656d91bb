"""The whole zone as messages (RFC 5936), from one view of the catalogue. Pure.

What is sent is what questions get: each name is asked for each type. The names are those of
services and nodes, short and with the datacentre; ``addr`` names are those SRV records lead to.
A name with a CNAME and other records gets the others, because a zone may not hold both.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from dnsd import codes, wire
from dnsd.answers import answer
from dnsd.forward.message import Malformed, sections_of
from dnsd.names import Labels, Zone, wire_name
from dnsd.reading import Reading
from dnsd.records import Record, Writer
from dnsd.site import Site
from dnsd.view import View, folded_tags, packed_address
from sidecar.catalog.query import address_of

__all__ = ["messages", "names_of", "records_of", "serial_known"]

_TXT: Final = 16
_HTTPS: Final = 65
_TYPES: Final = (codes.A, codes.AAAA, codes.SRV, _TXT, _HTTPS)
_FULL: Final = 14000
"""Octets after which a message ends; names in it stay within reach of pointers."""


def serial_known(packet: bytes, query: wire.Query) -> int | None:
    """Return the serial that an IXFR says its asker has (RFC 1995 3), None when it says none."""
    counts = [int.from_bytes(packet[at : at + 2]) for at in (6, 8)]
    try:
        _, authority = sections_of(packet, 12 + len(query.question), counts)
    except Malformed:
        return None
    soa = next((record for record in authority if record.type == codes.SOA), None)
    return None if soa is None or len(soa.after) != 20 else int.from_bytes(soa.after[:4])


def messages(query: wire.Query, id_: bytes, records: Iterable[Record]) -> Iterator[bytes]:
    """Yield messages that hold these records, as replies to the query."""
    writer = Writer(query.name)
    count = 0
    for record in records:
        writer.add(record)
        count += 1
        if len(writer) >= _FULL:
            yield _message(query, id_, writer, count)
            writer, count = Writer(query.name), 0
    if count:
        yield _message(query, id_, writer, count)


def _message(query: wire.Query, id_: bytes, writer: Writer, count: int) -> bytes:
    head = wire.head(query.flags, codes.NOERROR, (count, 0, 0), aa=True, tc=False)
    return id_ + head + query.question + writer.octets()


def records_of(
    view: View, site: Site, zone: Zone, serial: int, *, short: bool = False
) -> Iterator[Record]:
    """Yield the records of a zone with their owners, its SOA first and last.

    ``short``: the SOA alone, for who has this serial.
    """

    def ask(owner: bytes, qtype: int) -> tuple[Record, ...]:
        found = answer(Reading(view), site, owner, qtype, serial=serial, synced=True)
        return tuple(record._replace(owner=owner) for record in found.chain[:1] or found.records)

    soa = ask(zone.wire, codes.SOA)
    yield from soa
    if short:
        return
    yield from ask(zone.wire, codes.NS)
    for labels in names_of(view, site):
        try:
            owner = wire_name((*labels, *zone.labels))
        except ValueError:
            continue  # too long for a name; nobody can ask for it either
        found = [record for qtype in _TYPES for record in ask(owner, qtype)]
        others = [record for record in found if record.type != codes.CNAME]
        yield from others or found[:1]
    yield from soa


def names_of(view: View, site: Site) -> Iterator[Labels]:
    """Yield each name below a zone that has records, once, without the zone."""
    local: tuple[Labels, ...] = ((), (site.datacenter,), (site.datacenter, b"dc"))
    yield (b"ns",)
    for name in view.services:
        for subject in _of_service(view, name):
            for place in local:
                yield (*subject, b"service", *place)
                if subject[0][:1] == b"_" and len(subject) == 2:
                    yield (*subject, *place)
    for node in view.nodes:
        for place in local:
            yield (*node.split(b"."), b"node", *place)
    for packed in _addresses(view):
        yield (packed.hex().encode(), b"addr", site.datacenter)


def _of_service(view: View, name: bytes) -> Iterable[Labels]:
    if not 1 <= len(name) <= 63:
        return
    yield (name,)
    tags = folded_tags(view.instances(name))
    yield from ((*tag.split(b"."), name) for tag in sorted(tags) if tag)
    if len(name) < 63:
        for tag in sorted({b"tcp", *tags}):
            yield (b"_" + name, b"_" + tag)


def _addresses(view: View) -> Iterable[bytes]:
    """Yield each address that an SRV record may lead to."""
    seen: dict[bytes, None] = {}
    for name in view.services:
        for instance in view.instances(name):
            packed = packed_address(address_of(instance, view.snapshot.nodes))
            if packed is not None:
                seen[packed] = None
    return seen
