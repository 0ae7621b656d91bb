"""Replies that are not built from the catalogue: of other servers, and cut-down ones. Pure."""

from dnsd import wire
from dnsd.forward.message import Reply
from dnsd.records import Writer

__all__ = ["curtailed", "forwarded"]


def forwarded(
    query: wire.Query,
    id_: bytes,
    reply: Reply,
    limit: int,
    payload: int,
    *,
    error: int | None = None,
    aa: bool = False,
) -> bytes:
    """Return another server's reply as one to this query, in at most ``limit`` octets.

    What does not fit is left out whole, with TC set: the client comes back over TCP.
    """
    tail = b""
    if query.edns is not None:
        tail = wire.opt(payload, reply.rcode, do=query.edns.do, error=error)
    room = limit - 12 - len(query.question) - len(tail)
    answers, authority, additional = reply.sections
    for sections in ((answers, authority, additional), (answers, authority, ())):
        writer = Writer(query.name)
        for section in sections:
            for record in section:
                writer.add(record)
        if len(writer) <= room:
            counts = len(answers), len(authority), len(sections[2]) + bool(tail)
            head = wire.head(query.flags, reply.rcode, counts, aa=aa, tc=False, ra=True)
            return id_ + head + query.question + writer.octets() + tail
    counts = 0, 0, int(bool(tail))
    head = wire.head(query.flags, reply.rcode, counts, aa=aa, tc=True, ra=True)
    return id_ + head + query.question + tail


def curtailed(packet: bytes, reply: bytes, payload: int) -> bytes:
    """Return a reply with nothing in it but TC and the return code: ask again over TCP."""
    query = wire.parse(packet)
    if not isinstance(query, wire.Query):
        return reply  # an error reply, which is never longer than the query
    tail = b""
    rcode = reply[3] & 15
    if query.edns is not None:
        tail = wire.opt(payload, rcode, do=query.edns.do)
    aa, ra = bool(reply[2] & 4), bool(reply[3] & 128)
    head = wire.head(query.flags, rcode, (0, 0, int(bool(tail))), aa=aa, tc=True, ra=ra)
    return packet[:2] + head + query.question + tail
