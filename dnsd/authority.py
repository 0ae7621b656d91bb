"""The zone itself: SOA, NS, negative answers, and what every answer is made with. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from struct import pack
from typing import Final

from dnsd import codes, names
from dnsd.names import Zone
from dnsd.reading import Reading
from dnsd.records import Answer, Record
from dnsd.site import Site, SoaTimes
from dnsd.view import packed_address

__all__ = [
    "Question",
    "absent",
    "address_record",
    "apex",
    "local_labels",
    "node_name",
    "other",
    "own_addresses",
    "owned",
    "soa_numbers",
    "soa_of",
]

_MINIMAL_ANY: Final = b"\x07RFC8482\x00"


@dataclass(frozen=True, slots=True)
class Question:
    """One question within a zone of ours, and what answers it."""

    site: Site
    reading: Reading
    zone: Zone
    name: bytes
    qtype: int
    serial: int
    seen: frozenset[bytes] = frozenset()


def local_labels(question: Question) -> names.Labels:
    return (question.site.datacenter, *question.zone.labels)


def node_name(question: Question, node: bytes) -> bytes | None:
    try:
        return names.wire_name((*node.split(b"."), b"node", *local_labels(question)))
    except ValueError:
        return None


def owned(records: Iterable[Record], owner: bytes) -> tuple[Record, ...]:
    """Return records with the owner written out, where it was the name asked for."""
    return tuple(r if r.owner is not None else r._replace(owner=owner) for r in records)


def address_record(
    ttl: int, packed: bytes, *, owner: bytes | None = None, weight: int = 1
) -> Record:
    kind = codes.A if len(packed) == 4 else codes.AAAA
    return Record(kind, ttl, packed, owner=owner, weight=weight)


def own_addresses(question: Question) -> tuple[bytes, ...]:
    """Return where this server listens, else its node's address, else where others reach it."""
    if question.site.addresses:
        return question.site.addresses
    node = question.reading.node(question.site.node)
    packed = packed_address(node.address) if node is not None else None
    return question.site.outward if packed is None else (packed,)


def apex(question: Question) -> Answer:
    if question.qtype not in {codes.SOA, codes.NS}:
        return other(question)
    ttl = question.site.node_ttl
    server, addresses = _name_server(question)
    records = (Record(codes.NS, ttl, names=(server,)),)
    glue = tuple(address_record(ttl, a, owner=server) for a in addresses)
    if question.qtype == codes.NS:
        return Answer(codes.NOERROR, question.zone, records=records, additional=glue)
    soa = soa_of(question.zone, question.serial, question.site.soa)
    return Answer(
        codes.NOERROR,
        question.zone,
        records=(soa,),
        authority=owned(records, question.zone.wire),
        additional=glue,
    )


def _name_server(question: Question) -> tuple[bytes, tuple[bytes, ...]]:
    """Return our node's name when the catalogue can resolve it, else ``ns``."""
    node = question.reading.node(question.site.node)
    packed = packed_address(node.address) if node is not None else None
    wire = node_name(question, question.site.node)
    if packed is not None and wire is not None:
        return wire, (packed,)
    return names.wire_name((b"ns", *question.zone.labels)), own_addresses(question)


@lru_cache(maxsize=256)
def soa_of(zone: Zone, serial: int, times: SoaTimes, owner: bytes | None = None) -> Record:
    """Return the SOA; kept, as every negative answer of a snapshot holds the same one."""
    at = zone.home or zone.labels
    return Record(
        codes.SOA,
        times.minimum,
        names=(names.wire_name((b"ns", *at)), names.wire_name((b"hostmaster", *at))),
        after=soa_numbers(serial, times),
        owner=owner,
    )


def soa_numbers(serial: int, times: SoaTimes) -> bytes:
    """Return the end of an SOA's data."""
    return pack(">IIIII", serial, *times)


# --- negative answers ------------------------------------------------------------------------


def other(question: Question) -> Answer:
    """Answer a type that an existing name lacks; ANY gets the smallest thing (RFC 8482)."""
    if question.qtype == codes.ANY:
        hinfo = Record(codes.HINFO, question.site.node_ttl, _MINIMAL_ANY)
        return Answer(codes.NOERROR, question.zone, records=(hinfo,))
    return absent(question, exists=True)


def absent(question: Question, *, exists: bool) -> Answer:
    """Answer NODATA or NXDOMAIN, with the SOA that says how long that holds (RFC 2308)."""
    zone = question.zone
    return Answer(
        codes.NOERROR if exists else codes.NXDOMAIN,
        zone,
        authority=(soa_of(zone, question.serial, question.site.soa, zone.wire),),
    )
