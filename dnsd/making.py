"""Question -> body: the answer looked up, its length limited, ready for a header. Pure."""

from enum import Enum, auto
from typing import Final

from dnsd import codes, wire
from dnsd.answers import answer, chaos, refusal
from dnsd.authority import soa_numbers
from dnsd.bodies import Absent, AnyBody, Draw, Limits, Numbers, body_of, fixed
from dnsd.pairs import pairs_of
from dnsd.reading import Origin, Reading
from dnsd.records import Answer
from dnsd.shapes import nearest_first, shuffled, with_ttl_of_at_most
from dnsd.site import Site
from dnsd.tallies import Channel
from dnsd.view import View

__all__ = ["Made", "Maker", "Standing"]

_LONGEST_OPT: Final = 17
_SIZE_CLASS: Final = 16
_NEGATIVE: Final = frozenset((codes.NOERROR, codes.NXDOMAIN))
_MOST_ABSENT: Final = 1024
_ALWAYS: Final = ()


class Standing(Enum):
    """How far the catalogue may be believed."""

    FRESH = auto()
    STALE = auto()  # the store cannot be reached: what is known is answered, marked as stale
    LOST = auto()  # for so long that nothing is answered any more


class Made:
    """A body and what the header and OPT in front of and behind it need to know."""

    __slots__ = ("aa", "body", "error", "rcode", "zone")

    def __init__(self, body: AnyBody, reply: Answer) -> None:
        self.body = body
        self.rcode = reply.rcode
        self.error = reply.error
        self.zone = "." if reply.zone is None else reply.zone.text
        self.aa = reply.zone is not None and reply.rcode in _NEGATIVE


class Maker:
    """Makes replies from what is known at the moment."""

    def __init__(self, view: View, site: Site, *, serial: int, synced: bool, draw: Draw) -> None:
        """Begin with a view and the SOA's serial."""
        self.view = view
        self.serial = serial
        self.synced = synced
        self.standing = Standing.FRESH
        self.site = site
        self._draw = draw
        self._numbers = Numbers(soa_numbers(serial, site.soa))
        self._absent: dict[tuple[bytes, int], bytes] = {}

    def advance(self, view: View) -> None:
        """Take the view of a later snapshot."""
        self.view = view
        self.serial = (self.serial + 1) & 0xFFFFFFFF
        self._numbers.octets = soa_numbers(self.serial, self.site.soa)

    def make(self, query: wire.Query, channel: Channel, options: int) -> Made:
        reply, origin = self._answer(query, channel)
        limits = self.limits(query, channel, options)
        if reply.authority and not reply.is_positive and not reply.additional:
            body: AnyBody = Absent(self._before_numbers(reply, query.name), self._numbers)
            if body.size > limits.room or reply.authority[0].after != self._numbers.octets:
                body = fixed(reply, query.name, limits.room)
                origin = None  # as it holds a serial
        elif reply.records and reply.records[0].type == codes.SRV and not reply.chain:
            body = pairs_of(reply, query.name, limits, self._draw)
        else:
            body = body_of(reply, query.name, limits, self._draw)
            if reply.authority:
                origin = None  # a chain that leads to nothing holds one too
        if reply.records and reply.records[0].type == codes.SOA:
            origin = None
        body.origin = origin
        return Made(body, reply)

    def once(self, query: wire.Query, channel: Channel, options: int, client: bytes) -> Made:
        """Return a reply in an order of its own: names in full, or what is near the client first.

        Without compression the name stands in every record as asked, bit for bit.
        """
        reply, _ = self._answer(query, channel)
        room = self.limits(query, channel, options).room
        reply = shuffled(reply, self._draw)
        if self.site.near:
            reply = nearest_first(reply, client)
        if self.site.most_addresses and query.qtype in {codes.A, codes.AAAA}:
            reply = reply._replace(records=reply.records[: self.site.most_addresses])
        name = query.name if self.site.compresses else query.question[:-4]
        return Made(fixed(reply, name, room, compress=self.site.compresses), reply)

    def _before_numbers(self, reply: Answer, name: bytes) -> bytes:
        """Return the authority section up to the numbers: the same for many names."""
        soa = reply.authority[0]
        owner = soa.owner or name
        at = len(name) if not name.endswith(owner) else len(name) - len(owner)
        place = owner + b"".join(soa.names), soa.ttl << 32 | at << 16 | len(name)
        found = self._absent.get(place)
        if found is None:
            octets = fixed(reply, name, wire.MAX_TCP).octets
            if len(self._absent) >= _MOST_ABSENT:
                self._absent.clear()
            found = self._absent[place] = octets[: -len(self._numbers.octets)]
        return found

    def _answer(self, query: wire.Query, channel: Channel) -> tuple[Answer, Origin]:
        """Return what a question gets and of what that was made."""
        if query.edns is not None and query.edns.version > 0:
            return Answer(codes.BADVERS), _ALWAYS
        if query.qclass == codes.CLASS_CHAOS:
            return chaos(self.site, query.name, query.qtype), _ALWAYS
        refused = refusal(query.qtype, query.qclass, over_udp=channel.over_udp)
        if refused is not None:
            return refused, _ALWAYS
        reading = Reading(self.view)
        found = answer(
            reading,
            self.site,
            query.name,
            query.qtype,
            serial=self.serial,
            synced=self.synced,
        )
        return self._believed(found), reading.origin

    def _believed(self, found: Answer) -> Answer:
        """Return an answer of our zones marked, or withheld, while the store is lost."""
        if self.standing is Standing.FRESH or found.zone is None:
            return found
        if self.standing is Standing.LOST:
            return Answer(codes.SERVFAIL, found.zone, error=codes.EDE_NOT_READY)
        stale = found.error or codes.EDE_STALE
        return with_ttl_of_at_most(found, self.site.stale_ttl)._replace(error=stale)

    def limits(self, query: wire.Query, channel: Channel, options: int) -> Limits:
        """Return how long the body may be (RFC 6891 6.2.3)."""
        site = self.site
        limit = wire.MAX_TCP
        answers = 0
        if channel.over_udp:
            limit = wire.MIN_UDP
            if query.edns is not None:
                limit = max(limit, min(query.edns.payload, site.payload))
                # Few classes, or a stranger makes us store a body for every number from 512 on.
                limit = limit if limit == site.payload else limit - limit % _SIZE_CLASS
            else:
                answers = site.most_udp_answers
        opt = 0 if query.edns is None else _LONGEST_OPT + options
        room = limit - 12 - len(query.question) - opt
        return Limits(room, site.most_addresses, answers)
