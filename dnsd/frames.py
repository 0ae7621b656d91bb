"""Replies that are not built from the catalogue: of other servers, and cut-down ones. Pure."""

from typing import NamedTuple

from dnsd import edns, wire
from dnsd.forward.message import Reply
from dnsd.records import Writer

__all__ = ["Tail", "curtailed", "forwarded"]


class Tail(NamedTuple):
    """What our OPT says behind another server's records; ``pads`` makes the reply longer."""

    payload: int
    options: bytes = b""
    error: int | None = None
    pads: bool = False

    def octets(self, query: wire.Query, rcode: int, before: int) -> bytes:
        """Return the OPT behind so many octets; nothing for who sent none."""
        if query.edns is None:
            return b""
        do, options = query.edns.do, self.options
        found = wire.opt(self.payload, rcode, do=do, error=self.error, options=options)
        if not self.pads:
            return found
        options += edns.padding(before + len(found), wire.MAX_TCP)
        return wire.opt(self.payload, rcode, do=do, error=self.error, options=options)


def forwarded(
    query: wire.Query, id_: bytes, reply: Reply, limit: int, tail: Tail, *, aa: bool = False
) -> bytes:
    """Return another server's reply as one to this query, in at most ``limit`` octets.

    What does not fit is left out whole, with TC set: the client comes back over TCP.
    """
    start = 12 + len(query.question)
    room = limit - start - len(tail._replace(pads=False).octets(query, reply.rcode, start))
    answers, authority, additional = reply.sections
    for sections in ((answers, authority, additional), (answers, authority, ())):
        writer = Writer(query.name)
        for section in sections:
            for record in section:
                writer.add(record)
        if len(writer) <= room:
            end = tail.octets(query, reply.rcode, start + len(writer))
            counts = len(answers), len(authority), len(sections[2]) + bool(end)
            head = wire.head(query.flags, reply.rcode, counts, aa=aa, tc=False, ra=True)
            return id_ + head + query.question + writer.octets() + end
    end = tail.octets(query, reply.rcode, start)
    head = wire.head(query.flags, reply.rcode, (0, 0, int(bool(end))), aa=aa, tc=True, ra=True)
    return id_ + head + query.question + end


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
