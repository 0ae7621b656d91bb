"""Queries to other servers and what comes back, as octets. Pure.

A reply is read whole: names are followed strictly backwards only, so reading ends; records are
kept with their names written out, so that they can be written again after another question.
"""

from struct import Struct, pack
from typing import Final, NamedTuple

from dnsd import codes
from dnsd.records import Record

__all__ = ["Asked", "Malformed", "Reply", "encode", "mixed", "read", "sections_of"]

_RECORD: Final = Struct(">HHIH")
_OWN_PAYLOAD: Final = 1232
_LONGEST_TTL: Final = 2**31 - 1
# Types whose data holds names that may be compressed (RFC 1035 and RFC 3597 section 4): octets
# before the names, and how many names.
_NAMES_IN: Final = {
    codes.NS: (0, 1), 3: (0, 1), 4: (0, 1), codes.CNAME: (0, 1), codes.SOA: (0, 2), 7: (0, 1),
    8: (0, 1), 9: (0, 1), 12: (0, 1), 14: (0, 2), 15: (2, 1), 17: (0, 2), 18: (2, 1), 21: (2, 1),
    26: (2, 2), codes.SRV: (6, 1), 36: (2, 1), 39: (0, 1),
}  # fmt: skip


class Asked(NamedTuple):
    """What an upstream is asked. ``name`` is in wire form, folded unless case is mixed."""

    name: bytes
    qtype: int
    qclass: int
    do: bool = False
    cd: bool = False

    @property
    def question(self) -> bytes:
        """The octets of the question section."""
        return self.name + pack(">HH", self.qtype, self.qclass)


class Reply(NamedTuple):
    """A reply that answers what was asked; ``sections`` are answer, authority, additional."""

    rcode: int
    truncated: bool
    sections: tuple[tuple[Record, ...], ...]


class Malformed(Exception):
    """The octets are no DNS message, or do not answer what was asked."""


def encode(asked: Asked, id_: int, *, edns: bool) -> bytes:
    """Return a query: RD, perhaps CD, our own OPT."""
    flags = codes.RD | (codes.CD if asked.cd else 0)
    header = pack(">HHHHHH", id_, flags, 1, 0, 0, edns)
    record = pack(">BHHIH", 0, codes.OPT, _OWN_PAYLOAD, codes.DO if asked.do else 0, 0)
    return header + asked.question + (record if edns else b"")


def mixed(name: bytes, bits: int) -> bytes:
    """Return a folded name with those letters in upper case whose bit is set (0x20)."""
    octets = bytearray(name)
    for at, octet in enumerate(octets):
        if 97 <= octet <= 122:
            if bits & 1:
                octets[at] = octet - 32
            bits >>= 1
    return bytes(octets)


def read(packet: bytes, asked: Asked, id_: int) -> Reply:
    """Return the reply to what was asked.

    Raises Malformed for anything else: another ID, no response, another question (also by case),
    octets that cannot be read.
    """
    if len(packet) < 12 or int.from_bytes(packet[:2]) != id_ or not packet[2] & 0x80:
        raise Malformed("not a reply to this")
    if packet[2] & 0x78:
        raise Malformed("another opcode")
    rcode = packet[3] & 15
    counts = [int.from_bytes(packet[at : at + 2]) for at in (4, 6, 8, 10)]
    question = asked.question
    if counts[0] == 0 and rcode == codes.FORMERR:
        return Reply(rcode, truncated=False, sections=((), (), ()))  # who knows no EDNS may say so
    end = 12 + len(question)
    if counts[0] != 1 or packet[12:end] != question:
        raise Malformed("another question")
    truncated = bool(packet[2] & 2)
    if truncated:
        return Reply(rcode, truncated, ((), (), ()))  # whatever it has is not to be used
    return Reply(rcode, truncated, sections_of(packet, end, counts[1:]))


def sections_of(packet: bytes, at: int, counts: list[int]) -> tuple[tuple[Record, ...], ...]:
    """Return the records of sections that begin there. Raises Malformed."""
    sections = []
    for count in counts:
        records = []
        for _ in range(count):
            record, at = _record(packet, at)
            if record is not None:
                records.append(record)
        sections.append(tuple(records))
    return tuple(sections)


def _record(packet: bytes, at: int) -> tuple[Record | None, int]:
    """Return a record of class IN and where the next begins; OPT and signatures of messages go."""
    owner, at = _name(packet, at)
    if at + 10 > len(packet):
        raise Malformed("a record is cut")
    kind, class_, ttl, size = _RECORD.unpack_from(packet, at)
    at += 10
    end = at + size
    if end > len(packet):
        raise Malformed("data is cut")
    if kind in {codes.OPT, codes.TSIG, codes.SIG} or class_ != codes.CLASS_IN:
        return None, end
    ttl = 0 if ttl > _LONGEST_TTL else ttl  # RFC 2181 8
    if (layout := _NAMES_IN.get(kind)) is None:
        return Record(kind, ttl, packet[at:end], owner=owner), end
    before, count = layout
    head, at = packet[at : at + before], at + before
    names = []
    for _ in range(count):
        name, at = _name(packet, at)
        names.append(name)
    if at > end:
        raise Malformed("a name leaves its record")
    return Record(kind, ttl, head, tuple(names), packet[at:end], owner), end


def _name(packet: bytes, at: int) -> tuple[bytes, int]:
    """Return a name written out and folded, and where what follows it begins."""
    parts: list[bytes] = []
    total = 0
    after = 0
    lowest = at
    while True:
        if at >= len(packet):
            raise Malformed("a name is cut")
        length = packet[at]
        if length >= 0xC0:
            after = after or at + 2
            at = (length & 63) << 8 | (packet[at + 1] if at + 1 < len(packet) else 0)
            if at >= lowest:
                raise Malformed("a pointer leads forwards")
            lowest = at
            continue
        if length > 63:
            raise Malformed("an unknown kind of label")
        part = packet[at : at + 1 + length]
        total += 1 + length
        if len(part) <= length or total > 255:
            raise Malformed("a name is cut or too long")
        parts.append(part)
        at += 1 + length
        if length == 0:
            # Length octets are below the letters, so the whole name can be folded.
            return b"".join(parts).lower(), after or at
