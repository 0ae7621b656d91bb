"""The zone itself: SOA, NS, negative answers, and what every answer is made with. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from struct import pack
from typing import Final

from dnsd import codes, names
from dnsd.names import Zone
from dnsd.records import Answer, Record
from dnsd.view import View, packed_address

__all__ = [
    "Question",
    "Site",
    "absent",
    "address_record",
    "apex",
    "local_labels",
    "node_name",
    "other",
    "own_addresses",
    "owned",
]

_SOA_TIMES: Final = (3600, 600, 86400, 0)
"""Refresh, retry, expire, minimum: Consul's defaults. The minimum is the negative TTL."""
_MINIMAL_ANY: Final = b"\x07RFC8482\x00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What the answers need besides the catalogue. ``zones`` stand longest first."""

    zones: tuple[Zone, ...]
    datacenter: bytes
    node: bytes
    addresses: tuple[bytes, ...]
    ttl: int = 0
    only_passing: bool = False
    payload: int = 1232  # the most octets of a UDP reply


@dataclass(frozen=True, slots=True)
class Question:
    """One question within a zone of ours, and what answers it."""

    site: Site
    view: View
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
    """Return where this server listens, else its node's address."""
    if question.site.addresses:
        return question.site.addresses
    node = question.view.nodes.get(question.site.node)
    packed = packed_address(node.address) if node is not None else None
    return () if packed is None else (packed,)


def apex(question: Question) -> Answer:
    if question.qtype not in {codes.SOA, codes.NS}:
        return other(question)
    server, addresses = _name_server(question)
    records = (Record(codes.NS, question.site.ttl, names=(server,)),)
    glue = tuple(address_record(question.site.ttl, a, owner=server) for a in addresses)
    if question.qtype == codes.NS:
        return Answer(codes.NOERROR, question.zone, records=records, additional=glue)
    soa = _soa(question.zone, question.serial)
    return Answer(
        codes.NOERROR,
        question.zone,
        records=(soa,),
        authority=owned(records, question.zone.wire),
        additional=glue,
    )


def _name_server(question: Question) -> tuple[bytes, tuple[bytes, ...]]:
    """Return our node's name when the catalogue can resolve it, else ``ns``."""
    node = question.view.nodes.get(question.site.node)
    packed = packed_address(node.address) if node is not None else None
    wire = node_name(question, question.site.node)
    if packed is not None and wire is not None:
        return wire, (packed,)
    return names.wire_name((b"ns", *question.zone.labels)), own_addresses(question)


@lru_cache(maxsize=64)
def _soa(zone: Zone, serial: int, owner: bytes | None = None) -> Record:
    """Return the SOA; kept, as every negative answer of a snapshot holds the same one."""
    return Record(
        codes.SOA,
        _SOA_TIMES[3],
        names=(
            names.wire_name((b"ns", *zone.labels)),
            names.wire_name((b"hostmaster", *zone.labels)),
        ),
        after=pack(">IIIII", serial, *_SOA_TIMES),
        owner=owner,
    )


# --- negative answers ------------------------------------------------------------------------


def other(question: Question) -> Answer:
    """Answer a type that an existing name lacks; ANY gets the smallest thing (RFC 8482)."""
    if question.qtype == codes.ANY:
        hinfo = Record(codes.HINFO, question.site.ttl, _MINIMAL_ANY)
        return Answer(codes.NOERROR, question.zone, records=(hinfo,))
    return absent(question, exists=True)


def absent(question: Question, *, exists: bool) -> Answer:
    """Answer NODATA or NXDOMAIN, with the SOA that says how long that holds (RFC 2308)."""
    return Answer(
        codes.NOERROR if exists else codes.NXDOMAIN,
        question.zone,
        authority=(_soa(question.zone, question.serial, question.zone.wire),),
    )
