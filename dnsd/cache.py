"""Replies made so far from one snapshot, and the check that it is still the newest. Pure.

Two maps, both dead with their snapshot, so no reply outlives a change and none mixes two states:

* key 1, the hot path: the octets of a query after its ID. No parsing; a dictionary look-up.
* key 2: folded name and type, for queries that differ in case, flags, EDNS or ID only.

Names strangers make up must not grow memory: key 1 is emptied when full, and what does not exist
never gets a place under key 2. A query with EDNS options is never stored under key 1.
"""

from typing import Final

from dnsd import codes, wire
from dnsd.answers import answer, refusal
from dnsd.authority import Site
from dnsd.bodies import Body, Draw, Turn, body_of
from dnsd.records import Answer
from dnsd.tallies import Channel, Tally
from dnsd.view import View
from sidecar.stores.base import Source

__all__ = ["MAX_ENTRIES", "Entry", "Replies", "Responder"]

MAX_ENTRIES: Final = 65536
_LONGEST_OPT: Final = 17
_SIZE_CLASS: Final = 16


class Entry:
    """A reply under key 1: ID of the query, ``head``, ``body.next()``, ``tail``."""

    __slots__ = ("body", "head", "tail", "tally")

    def __init__(self, head: bytes, body: Body, tail: bytes, tally: Tally) -> None:
        """Take the parts."""
        self.head = head
        self.body = body
        self.tail = tail
        self.tally = tally

    def reply(self, packet: bytes) -> bytes:
        """Return the reply to this query and count it."""
        reply = packet[:2] + self.head + self.body.next() + self.tail
        tally = self.tally
        tally.hits += 1
        tally.octets_in += len(packet)
        tally.octets_out += len(reply)
        return reply


class _Plan:
    """Under key 2: an answer and its body for each size limit asked for."""

    __slots__ = ("_name", "_shorter", "_turn", "_whole", "answer")

    def __init__(self, answer_: Answer, name: bytes, draw: Draw) -> None:
        self.answer = answer_
        self._name = name
        self._turn = Turn(draw)
        room = wire.MAX_TCP - 12 - len(name) - 4 - _LONGEST_OPT
        self._whole = body_of(answer_, name, room, self._turn, draw)
        self._shorter: dict[int, Body] = {}

    def body(self, room: int, draw: Draw) -> Body:
        if self._whole.size <= room:
            return self._whole
        shorter = self._shorter.get(room)
        if shorter is None:
            shorter = self._shorter[room] = body_of(self.answer, self._name, room, self._turn, draw)
        return shorter


class Replies:
    """All replies from one view of the catalogue."""

    def __init__(self, view: View, site: Site, *, serial: int, synced: bool, draw: Draw) -> None:
        """Begin empty."""
        self.view = view
        self.serial = serial
        self.synced = synced
        self._site = site
        self._draw = draw
        self._plans: dict[tuple[bytes, int], _Plan] = {}
        self._hot: dict[Channel, dict[bytes, Entry]] = {}

    def hot(self, channel: Channel) -> dict[bytes, Entry]:
        """Return the map of key 1 for what comes in there."""
        found = self._hot.get(channel)
        if found is None:
            found = self._hot[channel] = {}
        return found

    def reply(self, packet: bytes, channel: Channel) -> bytes | None:
        """Return the reply to a message, None when it gets none."""
        entry = self.hot(channel).get(packet[2:])
        return self.miss(packet, channel) if entry is None else entry.reply(packet)

    def miss(self, packet: bytes, channel: Channel) -> bytes | None:
        """Return the reply to a message that is not under key 1; perhaps put it there."""
        query = wire.parse(packet)
        channel.misses += 1
        if isinstance(query, wire.Dropped):
            channel.dropped[query.reason] += 1
            return None
        channel.parsed += 1
        if isinstance(query, wire.Rejected):
            return _reject(query, packet, channel)
        entry = self._entry(query, packet, channel)
        if query.edns is None or not query.edns.has_options:
            hot = self.hot(channel)
            if len(hot) >= MAX_ENTRIES:
                hot.clear()
            hot[packet[2:]] = entry
        return entry.reply(packet)

    def _entry(self, query: wire.Query, packet: bytes, channel: Channel) -> Entry:
        edns = query.edns
        plan = self._plan(query, channel)
        reply = plan.answer
        tail = b""
        if edns is not None:
            tail = wire.opt(self._site.payload, reply.rcode, do=edns.do, error=reply.error)
        room = self._limit(query, channel) - 12 - len(query.question) - len(tail)
        body = plan.body(room, self._draw)
        answers, authority, additional = body.counts
        counts = answers, authority, additional + bool(tail)
        aa = reply.zone is not None and reply.rcode in {codes.NOERROR, codes.NXDOMAIN}
        head = wire.head(query.flags, reply.rcode, counts, aa=aa, tc=body.truncated)
        tally = channel.tally(
            "." if reply.zone is None else reply.zone.text,
            codes.TYPE_NAMES.get(query.qtype, "other"),
            codes.RCODE_NAMES[reply.rcode],
            do=edns is not None and edns.do,
            truncated=body.truncated,
            size_in=len(packet),
            size_out=12 + len(query.question) + body.size + len(tail),
        )
        return Entry(head + query.question, body, tail, tally)

    def _plan(self, query: wire.Query, channel: Channel) -> _Plan:
        if query.edns is not None and query.edns.version > 0:
            return _Plan(Answer(codes.BADVERS), query.name, self._draw)
        refused = refusal(query.qtype, query.qclass, over_udp=channel.over_udp)
        if refused is not None:
            return _Plan(refused, query.name, self._draw)
        key = query.name, query.qtype
        plan = self._plans.get(key)
        if plan is None:
            found = answer(
                self.view,
                self._site,
                query.name,
                query.qtype,
                serial=self.serial,
                synced=self.synced,
            )
            plan = _Plan(found, query.name, self._draw)
            if found.is_positive:
                if len(self._plans) >= MAX_ENTRIES:
                    self._plans.clear()
                self._plans[key] = plan
        return plan

    def _limit(self, query: wire.Query, channel: Channel) -> int:
        """Return the most octets the reply may have (RFC 6891 6.2.3)."""
        if not channel.over_udp:
            return wire.MAX_TCP
        if query.edns is None:
            return wire.MIN_UDP
        limit = max(wire.MIN_UDP, min(query.edns.payload, self._site.payload))
        # Few classes, or a stranger makes us store a body for every number from 512 on.
        return limit if limit == self._site.payload else limit - limit % _SIZE_CLASS


def _reject(rejected: wire.Rejected, packet: bytes, channel: Channel) -> bytes:
    if rejected.rcode == codes.FORMERR:
        channel.formerr[rejected.reason] += 1
    tally = channel.tally(
        ".",
        "other",
        codes.RCODE_NAMES[rejected.rcode],
        size_in=len(packet),
        size_out=len(rejected.reply),
    )
    tally.hits += 1
    tally.octets_in += len(packet)
    tally.octets_out += len(rejected.reply)
    return rejected.reply


class Responder:
    """Hands out the Replies of the source's newest snapshot."""

    def __init__(self, source: Source, site: Site, *, serial: int, draw: Draw) -> None:
        """``serial`` is the SOA's first; it grows with each snapshot seen (RFC 1982)."""
        self._source = source
        self._site = site
        self._draw = draw
        view = View(source.snapshot, only_passing=site.only_passing)
        self._replies = self._from(view, serial & 0xFFFFFFFF, synced=source.synced)

    def replies(self) -> Replies:
        """Return the replies of the present state; ask again after every turn of the loop.

        Commits happen on the loop's thread, so within one callback one call is enough.
        """
        old = self._replies
        snapshot = self._source.snapshot
        synced = self._source.synced
        if snapshot is not old.view.snapshot:
            view = old.view.follow(snapshot)
            self._replies = self._from(view, (old.serial + 1) & 0xFFFFFFFF, synced=synced)
        elif synced is not old.synced:
            self._replies = self._from(old.view, old.serial, synced=synced)
        return self._replies

    def _from(self, view: View, serial: int, *, synced: bool) -> Replies:
        return Replies(view, self._site, serial=serial, synced=synced, draw=self._draw)
