"""Names that are answered here or nowhere, and what of a foreign reply is believed. Pure.

RFC 6761, 6762, 7686: ``localhost`` is this host; ``invalid``, ``test``, ``onion`` and ``local`` do
not exist in the DNS. A single label is a name of a local file or search list, not of the DNS;
questions about the delegation of a top-level domain are no such names and pass.
"""

from struct import pack
from typing import Final

from dnsd import codes
from dnsd.forward.message import Asked, Reply
from dnsd.names import Labels, wire_name
from dnsd.records import Record

__all__ = ["believed", "special"]

_DS: Final = 43
_LOCALHOST_TTL: Final = 10800
_ABSENT_TTL: Final = 900
_LOOPBACK: Final = {codes.A: b"\x7f\0\0\1", codes.AAAA: bytes(15) + b"\1"}
_NOWHERE: Final = frozenset((b"invalid", b"test", b"onion", b"local"))
_OF_ZONES: Final = frozenset((codes.NS, codes.SOA, _DS, 46, 47, 48, 50, 51))
_SERVER: Final = wire_name((b"localhost",))
_NOBODY: Final = wire_name((b"nobody", b"invalid"))
_DNAME: Final = 39
_RRSIG: Final = 46


def special(labels: Labels, asked: Asked) -> Reply | None:
    """Return the answer to a name that is not for other servers, or None."""
    if not labels:
        return None
    top = labels[-1]
    if top == b"localhost":
        data = _LOOPBACK.get(asked.qtype)
        if data is None:
            return _negative(codes.NOERROR, wire_name((top,)))
        record = Record(asked.qtype, _LOCALHOST_TTL, data, owner=asked.name)
        return Reply(codes.NOERROR, truncated=False, sections=((record,), (), ()))
    if top in _NOWHERE:
        return _negative(codes.NXDOMAIN, wire_name((top,)))
    if len(labels) == 1 and asked.qtype not in _OF_ZONES:
        return _negative(codes.NXDOMAIN, b"\0")
    return None


def _negative(rcode: int, owner: bytes) -> Reply:
    times = pack(">IIIII", 1, 3600, 1200, 604800, _ABSENT_TTL)
    soa = Record(codes.SOA, _ABSENT_TTL, names=(_SERVER, _NOBODY), after=times, owner=owner)
    return Reply(rcode, truncated=False, sections=((), (soa,), ()))


def believed(reply: Reply, asked: Asked) -> Reply:
    """Return what of a reply answers the question: the chain from the name asked for.

    Addresses are kept beside it only for names that the answer leads to, and of the authority what
    says that something is absent. The rest would be somebody's word about foreign names.
    """
    answers, authority, additional = reply.sections
    chain = {asked.name}
    kept = []
    for record in answers:
        if record.owner in chain or record.type in {_DNAME, _RRSIG}:
            kept.append(record)
            if record.type == codes.CNAME:
                chain.add(record.names[0])
    negative = tuple(r for r in authority if r.type != codes.NS)
    targets = {name for record in kept for name in record.names}
    glue = tuple(
        r for r in additional if r.type in {codes.A, codes.AAAA} and r.owner in targets - chain
    )
    return reply._replace(sections=(tuple(kept), negative, glue))
