"""Octets to a Query, and the frame of a reply: header, question, OPT. Pure.

Own parser, because it runs on what strangers send: it never raises past ``parse``, takes time
linear in the message and follows no compression pointer at all. A question name may not be
compressed (there is nothing before it to point to), and of other records only type, place and
length matter, so skipping a pointer is enough.
"""

from struct import Struct, pack
from typing import Final, NamedTuple

from dnsd import codes

__all__ = [
    "MAX_TCP",
    "MIN_UDP",
    "Dropped",
    "Edns",
    "Query",
    "Rejected",
    "head",
    "malformed",
    "opt",
    "parse",
]

MIN_UDP: Final = 512
MAX_TCP: Final = 65535

_COUNTS: Final = Struct(">HHH")
_HEAD: Final = Struct(">HHHHH")
_TYPE_CLASS: Final = Struct(">HH")
_RECORD: Final = Struct(">HHIH")
_OPTION: Final = Struct(">HH")
_BADKEY: Final = 17
_NO_QUESTION: Final = bytes(6)
_COOKIE: Final = 10
_EDE: Final = 15
_COPIED: Final = 0x7800 | codes.RD | codes.CD


class Edns(NamedTuple):
    """What the query's OPT says (RFC 6891)."""

    payload: int
    version: int
    do: bool
    options: bytes = b""  # as they stand, each whole


class Query(NamedTuple):
    """One well-formed question. ``question`` is as asked, bit for bit; ``name`` is folded.

    ``question`` is empty for one that only asks for a cookie (RFC 7873 5.4).
    """

    flags: int
    question: bytes
    name: bytes
    qtype: int
    qclass: int
    edns: Edns | None


class Rejected(NamedTuple):
    """A message that gets an error reply without a look at the catalogue."""

    rcode: int
    reason: str
    reply: bytes


class Dropped(NamedTuple):
    """A message that gets no reply."""

    reason: str


class _Error(Exception):
    """Leaves the parser for an error reply."""

    def __init__(self, reason: str, rcode: int = codes.FORMERR, key: bytes = b"") -> None:
        self.reason = reason
        self.rcode = rcode
        self.key = key


def parse(packet: bytes) -> Query | Rejected | Dropped:
    """Return what a message asks; never raises."""
    if len(packet) < 12:
        return Dropped("short")
    if packet[2] & 0x80:
        return Dropped("response")
    question = b""
    try:
        if packet[4:10] == _NO_QUESTION and not packet[2] & 0x78:
            return _bare(packet)
        end = _question_end(packet)
        qtype, qclass = _TYPE_CLASS.unpack_from(packet, end - 4)
        authorities, additional = _record_counts(packet, qtype)
        question = packet[12:end]
        edns = _records(packet, end, authorities, additional)
    except _Error as error:
        return _rejected(packet, error, question)
    # Length octets of labels are at most 63, below the letters, so folding the name whole is safe.
    name = packet[12 : end - 4].lower()
    return Query(packet[2] << 8 | packet[3], question, name, qtype, qclass, edns)


def _bare(packet: bytes) -> Query:
    edns = _records(packet, 12, 0, _COUNTS.unpack_from(packet, 6)[2])
    if edns is None or not _has_cookie(edns.options):
        raise _Error("question_count")
    return Query(packet[2] << 8 | packet[3], b"", b"\0", 0, 0, edns)


def _has_cookie(options: bytes) -> bool:
    at = 0
    while at < len(options):
        code, length = _OPTION.unpack_from(options, at)
        if code == _COOKIE:
            return True
        at += 4 + length
    return False


def head(
    flags: int,
    rcode: int,
    counts: tuple[int, int, int],
    *,
    aa: bool,
    tc: bool,
    ra: bool = False,
    questions: int = 1,
) -> bytes:
    """Return the header after the ID: RD and CD as asked."""
    answer, authority, additional = counts
    bits = codes.QR | flags & _COPIED | rcode & 15
    if aa:
        bits |= codes.AA
    if tc:
        bits |= codes.TC
    if ra:
        bits |= codes.RA
    return _HEAD.pack(bits, questions, answer, authority, additional)


def opt(
    payload: int, rcode: int, *, do: bool, error: int | None = None, options: bytes = b""
) -> bytes:
    """Return our OPT record; ``error`` is an extended error (RFC 8914)."""
    data = options if error is None else options + pack(">HHH", _EDE, 2, error)
    record = pack(
        ">BHHBBHH",
        0,
        codes.OPT,
        payload,
        rcode >> 4,
        0,
        codes.DO if do else 0,
        len(data),
    )
    return record + data


def malformed(packet: bytes, query: Query, reason: str) -> Rejected:
    """Return FORMERR for a query whose options are wrong."""
    return _rejected(packet, _Error(reason), query.question)


def _rejected(packet: bytes, error: _Error, question: bytes) -> Rejected:
    flags = codes.QR | (packet[2] << 8 | packet[3]) & (0x7800 | codes.RD) | error.rcode
    header = _HEAD.pack(flags, bool(question), 0, 0, bool(error.key))
    reply = packet[:2] + header + question + error.key
    return Rejected(error.rcode, error.reason, reply)


def _question_end(packet: bytes) -> int:
    """Return where the one question of a QUERY ends."""
    if packet[2] & 0x78:
        raise _Error("opcode", codes.NOTIMP)
    if packet[4:6] != b"\0\1":
        raise _Error("question_count")  # RFC 9619
    size = len(packet)
    at = 12
    while at < size:
        length = packet[at]
        at += length + 1
        if length == 0:
            if at > 12 + 255 or at + 4 > size:
                break
            return at + 4
        if length > 63:
            break
    raise _Error("question")


def _record_counts(packet: bytes, qtype: int) -> tuple[int, int]:
    answers, authorities, additional = _COUNTS.unpack_from(packet, 6)
    if answers or authorities > (qtype == codes.IXFR):
        raise _Error("record_count")
    return authorities, additional


def _records(packet: bytes, at: int, authorities: int, additional: int) -> Edns | None:
    """Return the OPT among the records after the question."""
    edns: Edns | None = None
    for number in range(authorities + additional):
        owner = at
        at = _skip_name(packet, at)
        if at + 10 > len(packet):
            raise _Error("record_cut")
        rtype, rclass, ttl, length = _RECORD.unpack_from(packet, at)
        at += 10
        if at + length > len(packet):
            raise _Error("record_length")
        data = packet[at : at + length]
        at += length
        if rtype == codes.OPT:
            if edns is not None or number < authorities or packet[owner] != 0:
                raise _Error("opt_place")
            edns = _edns(rclass, ttl, data)
        elif rtype in {codes.TSIG, codes.SIG} and number + 1 == authorities + additional:
            raise _Error("signed", codes.NOTAUTH, _unsigned(packet, owner, rtype, data))
    return edns


def _skip_name(packet: bytes, at: int, *, pointers: bool = True) -> int:
    start = at
    while at < len(packet):
        length = packet[at]
        if length >= 0xC0 and pointers:
            return at + 2
        at += length + 1
        if length == 0:
            if at - start > 255:
                break
            return at
        if length > 63:
            break
    raise _Error("record_name")


def _edns(payload: int, ttl: int, data: bytes) -> Edns:
    at = 0
    while at < len(data):
        if at + 4 > len(data):
            raise _Error("option_cut")
        at += 4 + _OPTION.unpack_from(data, at)[1]
    if at > len(data):
        raise _Error("option_length")
    return Edns(payload, ttl >> 16 & 255, bool(ttl & codes.DO), data)


def _unsigned(packet: bytes, owner: int, rtype: int, data: bytes) -> bytes:
    """Return an unsigned TSIG that says BADKEY (RFC 8945 5.2.1), or nothing for SIG(0)."""
    if rtype == codes.SIG:
        return b""
    name = packet[owner : _skip_name(packet, owner, pointers=False)]
    end = _skip_name(data, 0, pointers=False)
    if end + 8 > len(data):
        raise _Error("tsig_cut")
    error = pack(">HHHH", 0, int.from_bytes(packet[:2]), _BADKEY, 0)
    rdata = data[: end + 8] + error
    return name + _RECORD.pack(codes.TSIG, codes.CLASS_ANY, 0, len(rdata)) + rdata
