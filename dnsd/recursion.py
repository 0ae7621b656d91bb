"""Between the catalogue and other servers: which of them answers a question, and how it is framed.

Names in our zones are the catalogue's. Others go to other servers, and so do reverse names that the
catalogue does not know and what a CNAME of ours leads to.
"""

from typing import Final, NamedTuple

from dnsd import codes, wire
from dnsd.cache import Replies
from dnsd.edns import BadOption
from dnsd.forward.message import Asked, Malformed, Reply, read
from dnsd.forward.resolver import Outcome, Resolver
from dnsd.frames import Tail, forwarded
from dnsd.names import Labels, labels_of
from dnsd.reverse import parse
from dnsd.safely import LATER, Deliver, answer_safely
from dnsd.site import Site
from dnsd.tallies import Channel

__all__ = ["Recursion"]

_POINTER: Final = 0xC0
_REVERSE: Final = {(b"in-addr", b"arpa"), (b"ip6", b"arpa")}


class _Asked(NamedTuple):
    """A query with where it came from and where its reply goes."""

    query: wire.Query
    packet: bytes
    channel: Channel
    client: bytes
    deliver: Deliver


class Recursion:
    """Answers clients that may recurse."""

    def __init__(self, resolver: Resolver, site: Site) -> None:
        """Ask the resolver for what is not in the zones of the site."""
        self.resolver = resolver
        self._site = site

    def serves(self, host: str) -> bool:
        """Say whether questions of this client may go to other servers."""
        return host in self.resolver.settings.allowed

    def reply(
        self,
        replies: Replies,
        packet: bytes,
        channel: Channel,
        client: bytes,
        deliver: Deliver,
    ) -> bytes | None:
        """Return the reply to what is not known by heart, LATER, or None: it gets none."""
        query = wire.parse(packet)
        if not isinstance(query, wire.Query) or not _is_for_others(query):
            return answer_safely(replies, packet, channel, client)
        asked = _Asked(query, packet, channel, client, deliver)
        labels = labels_of(query.name)
        is_reverse = labels[-2:] in _REVERSE
        if is_reverse or self._is_ours(labels):
            return self._own(replies, asked, is_reverse=is_reverse)
        try:
            tail = self._tail(replies, asked)
        except BadOption:
            return answer_safely(replies, packet, channel, client)
        channel.misses += 1
        return self._forward(asked, tail)

    def _own(self, replies: Replies, asked: _Asked, *, is_reverse: bool) -> bytes | None:
        """Answer from the catalogue what it knows."""
        reply = answer_safely(replies, asked.packet, asked.channel, asked.client)
        if reply is None:
            return None
        hot = replies.hot(asked.channel)
        entry = hot.get(asked.packet[2:])
        if is_reverse and _is_elsewhere(labels_of(asked.query.name), reply):
            if hot.pop(asked.packet[2:], None) is not None and entry is not None:
                entry.tally.hits -= 1
                asked.channel.parsed -= 1
            return self._forward(asked, self._tail(replies, asked))
        if (chain := self._leads_away(asked.query, reply)) is not None:
            hot.pop(asked.packet[2:], None)
            return self._chase(asked, chain, self._tail(replies, asked))
        return reply

    def _is_ours(self, labels: Labels) -> bool:
        return any(
            len(labels) >= len(zone.labels)
            and labels[len(labels) - len(zone.labels) :] == zone.labels
            for zone in (*self._site.zones, self._site.sky_zone)
            if zone is not None
        )

    def _tail(self, replies: Replies, asked: _Asked) -> Tail:
        """Return what this client's options get. Raises BadOption."""
        query, channel = asked.query, asked.channel
        found = b""
        if query.edns is not None and query.edns.options:
            given = query.edns.options
            found = replies.options.answer(given, asked.client, channel, self._site)
        return Tail(self._site.payload, found, pads=replies.options.pads(query.edns, channel))

    def _forward(self, asked: _Asked, tail: Tail) -> bytes:
        def framed(outcome: Outcome) -> bytes:
            return self._framed(asked, outcome.reply, tail._replace(error=outcome.error))

        outcome = self.resolver.resolve(
            _for_others(asked.query, asked.query.name),
            lambda outcome: asked.deliver(framed(outcome)),
        )
        return LATER if outcome is None else framed(outcome)

    def _leads_away(self, query: wire.Query, reply: bytes) -> Reply | None:
        """Return our reply when it ends in a CNAME to a name of somebody else's."""
        start = 12 + len(query.question)
        if reply[6:8] == b"\0\0" or query.qtype in {codes.CNAME, codes.ANY}:
            return None
        owner = 2 if reply[start] >= _POINTER else len(query.name)  # without compression in full
        if reply[start + owner : start + owner + 2] != b"\0\x05" or reply[2] & 2:
            return None
        asked = Asked(query.question[:-4], query.qtype, query.qclass)
        try:
            chain = read(reply, asked, int.from_bytes(reply[:2]))
        except Malformed:
            return None
        last = chain.sections[0][-1]
        stays = last.type != codes.CNAME or self._is_ours(labels_of(last.names[0]))
        return None if stays else chain

    def _chase(self, asked: _Asked, chain: Reply, tail: Tail) -> bytes:
        """Answer our CNAME with what its target has, by the client's type."""

        def joined(outcome: Outcome) -> bytes:
            answers, authority, additional = outcome.reply.sections
            sections = (*chain.sections[0], *answers), authority, additional
            whole = outcome.reply._replace(sections=sections)
            return self._framed(asked, whole, tail._replace(error=outcome.error), aa=True)

        target = chain.sections[0][-1].names[0]
        outcome = self.resolver.resolve(
            _for_others(asked.query, target), lambda outcome: asked.deliver(joined(outcome))
        )
        return LATER if outcome is None else joined(outcome)

    def _framed(self, asked: _Asked, reply: Reply, tail: Tail, *, aa: bool = False) -> bytes:
        query, channel = asked.query, asked.channel
        limit = wire.MAX_TCP
        if channel.over_udp:
            offered = wire.MIN_UDP if query.edns is None else query.edns.payload
            limit = max(wire.MIN_UDP, min(offered, tail.payload))
        frame = forwarded(query, asked.packet[:2], reply, limit, tail, aa=aa)
        tally = channel.tally(
            ".",
            codes.TYPE_NAMES.get(query.qtype, "other"),
            codes.RCODE_NAMES.get(reply.rcode, "other"),
            do=query.edns is not None and query.edns.do,
            truncated=bool(frame[2] & 2),
            size_in=len(asked.packet),
            size_out=len(frame),
        )
        tally.hits += 1
        tally.octets_in += len(asked.packet)
        tally.octets_out += len(frame)
        channel.parsed += 1
        return frame


def _is_elsewhere(labels: Labels, reply: bytes) -> bool:
    """Say whether others know more of a reverse name than this reply of ours.

    Zones above an address are theirs, if not of the local network alone: that we have an address
    in 203.in-addr.arpa does not make us its server.
    """
    if reply[3] & 15 in {codes.NXDOMAIN, codes.REFUSED}:
        return True
    _, back = parse(labels) or (None, None)
    is_above = back is not None and not back.is_whole and not back.is_local
    return is_above and reply[3] & 15 == codes.NOERROR


def _is_for_others(query: wire.Query) -> bool:
    """Say whether other servers could answer: recursion wanted, a plain question."""
    return (
        bool(query.flags & codes.RD)
        and query.qclass == codes.CLASS_IN
        and not codes.TKEY <= query.qtype <= codes.MAILA
        and query.qtype != codes.OPT
        and (query.edns is None or query.edns.version == 0)
    )


def _for_others(query: wire.Query, name: bytes) -> Asked:
    do = query.edns is not None and query.edns.do
    return Asked(name, query.qtype, codes.CLASS_IN, do, bool(query.flags & codes.CD))
