"""Replies made so far, kept for as long as nothing they were made from has changed. Pure.

Two maps:

* key 1, the hot path: the octets of a query after its ID. No parsing; a dictionary look-up.
* key 2: question and size limit, for queries in mixed case or with options, which seldom come again
  in the same form. Their header and OPT are written afresh.

A change of the catalogue takes out the replies made from what it touched, and only those: each
knows its origin, the names of services and nodes that were looked at (``dnsd.view.Reading``). So
no reply outlives a change of what it says, and none mixes two states. The SOA's serial, which every
change moves, is put into negative replies when they are sent.

Names that strangers make up must not grow memory: a map is emptied when full, and what does not
exist never gets a place under key 2.
"""

from collections.abc import Callable
from typing import Final

from dnsd import codes, edns, wire
from dnsd.bodies import Draw
from dnsd.entries import Entry, Reply, entry_of
from dnsd.making import Made, Maker, Standing
from dnsd.options import Options
from dnsd.reading import Origin, touched
from dnsd.site import Site
from dnsd.tallies import Channel, Tally
from dnsd.view import View
from sidecar.catalog.model import Snapshot
from sidecar.stores.base import Source

__all__ = ["MAX_ENTRIES", "Replies", "Responder", "Standing"]

MAX_ENTRIES: Final = 65536
_ADDRESSES: Final = frozenset((codes.A, codes.AAAA))
_ANY_SIZE: Final = 0


class Replies:
    """All replies from one view of the catalogue, which moves on by ``follow``."""

    def __init__(self, maker: Maker, options: Options) -> None:
        """Begin empty."""
        self._maker = maker
        self._site = maker.site
        self.options = options
        self._made: dict[tuple[bytes, int], Made] = {}
        self._hot: dict[Channel, dict[bytes, Reply]] = {}

    @property
    def view(self) -> View:
        """The view of the snapshot that replies are made from."""
        return self._maker.view

    @property
    def serial(self) -> int:
        """The SOA's serial."""
        return self._maker.serial

    @property
    def synced(self) -> bool:
        """Whether what is not there may be called absent."""
        return self._maker.synced

    def hot(self, channel: Channel) -> dict[bytes, Reply]:
        """Return the map of key 1 for what comes in there; the same one for ever."""
        found = self._hot.get(channel)
        if found is None:
            found = self._hot[channel] = {}
        return found

    def follow(self, snapshot: Snapshot) -> None:
        """Move on to a later snapshot; take out what it may have changed."""
        view = self.view.follow(snapshot)
        changed = touched(self.view, view)
        self._maker.advance(view)
        for hot in self._hot.values():
            for key in [k for k, entry in hot.items() if _is_touched(entry.origin, changed)]:
                del hot[key]
        made = self._made
        for place in [k for k, m in made.items() if _is_touched(m.body.origin, changed)]:
            del made[place]

    def believe(self, *, synced: bool, standing: Standing) -> None:
        """Note how far the catalogue may be believed; forget all replies if that changed."""
        maker = self._maker
        if synced is not maker.synced or standing is not maker.standing:
            maker.synced = synced
            maker.standing = standing
            self._made.clear()
            for hot in self._hot.values():
                hot.clear()

    def reply(self, packet: bytes, channel: Channel, client: bytes = b"") -> bytes | None:
        """Return the reply to a message, None when it gets none; ``client`` is its address."""
        entry = self.hot(channel).get(packet[2:])
        return self.miss(packet, channel, client) if entry is None else entry.reply(packet)

    def miss(self, packet: bytes, channel: Channel, client: bytes = b"") -> bytes | None:
        """Return the reply to a message that is not under key 1; perhaps put it there."""
        query = wire.parse(packet)
        channel.misses += 1
        if isinstance(query, wire.Dropped):
            channel.dropped[query.reason] += 1
            return None
        channel.parsed += 1
        if isinstance(query, wire.Rejected):
            return _reject(query, packet, channel)
        asked = query.edns
        if asked is not None and asked.options:
            return self._with_options(query, asked, packet, channel, client)
        if query.question.startswith(query.name) and not self._is_single(query):
            made = self._maker.make(query, channel, 0)
            head, tail, tally = self._around(made, query, packet, channel, b"")
            entry = entry_of(head, made.body, tail, tally)
            hot = self.hot(channel)
            if len(hot) >= MAX_ENTRIES:
                hot.clear()
            hot[packet[2:]] = entry
            return entry.reply(packet)
        return self._once(query, packet, channel, b"", client)

    def _is_single(self, query: wire.Query) -> bool:
        """Say whether each reply to this is one of its own."""
        site = self._site
        return not site.compresses or (site.near and query.qtype in _ADDRESSES)

    def _with_options(
        self, query: wire.Query, asked: wire.Edns, packet: bytes, channel: Channel, client: bytes
    ) -> bytes:
        """Return a reply with an OPT of its own."""
        try:
            options = self.options.answer(asked.options, client, channel, self._site)
        except edns.BadOption as bad:
            return _reject(wire.malformed(packet, query, str(bad)), packet, channel)
        if not query.question:  # only asks for a cookie (RFC 7873 5.4)
            tail = self.options.opt(codes.NOERROR, do=asked.do, error=None, options=options)
            head = wire.head(query.flags, codes.NOERROR, (0, 0, 1), aa=False, tc=False, questions=0)
            return _counted(packet[:2] + head + tail, packet, channel, codes.NOERROR)
        return self._once(query, packet, channel, options, client)

    # --- one reply -----------------------------------------------------------------------------

    def _once(
        self, query: wire.Query, packet: bytes, channel: Channel, options: bytes, client: bytes
    ) -> bytes:
        """Return a reply that is not put under key 1."""
        if self._is_single(query):
            made = self._maker.once(query, channel, len(options), client)
        else:
            made = self._kept(query, channel, len(options))
        head, tail, tally = self._around(made, query, packet, channel, options)
        return Entry(head, made.body, tail, tally).reply(packet)

    def _around(
        self, made: Made, query: wire.Query, packet: bytes, channel: Channel, options: bytes
    ) -> tuple[bytes, bytes, Tally]:
        """Return what stands before and behind the body, and where such replies are counted."""
        asked = query.edns
        body = made.body
        tail = b""
        if asked is not None:
            tail = self.options.opt(made.rcode, do=asked.do, error=made.error, options=options)
            if self.options.pads(asked, channel):
                size = 12 + len(query.question) + body.size + len(tail)
                options += edns.padding(size, wire.MAX_TCP)
                tail = self.options.opt(made.rcode, do=asked.do, error=made.error, options=options)
        answers, authority, additional = body.counts
        counts = answers, authority, additional + bool(tail)
        truncated = body.truncated and self._site.tells_truncation
        head = wire.head(
            query.flags, made.rcode, counts, aa=made.aa, tc=truncated, ra=channel.recursive
        )
        tally = channel.tally(
            made.zone,
            codes.TYPE_NAMES.get(query.qtype, "other"),
            codes.RCODE_NAMES[made.rcode],
            do=asked is not None and asked.do,
            truncated=truncated,
            size_in=len(packet),
            size_out=12 + len(query.question) + body.size + len(tail),
        )
        return head + query.question, tail, tally

    def _kept(self, query: wire.Query, channel: Channel, options: int) -> Made:
        """Return what is kept for the question, made when it is not there yet."""
        if query.edns is not None and query.edns.version > 0:
            return self._maker.make(query, channel, options)
        question = query.name + query.question[-4:]
        limits = self._maker.limits(query, channel, options)
        made = self._made.get((question, _ANY_SIZE))
        if made is not None and made.body.size <= limits.room and not limits.answers:
            return made
        place = question, limits.room << 20 | limits.answers + 1
        made = self._made.get(place)
        if made is None:
            made = self._maker.make(query, channel, options)
            if made.rcode == codes.NOERROR:
                if len(self._made) >= MAX_ENTRIES:
                    self._made.clear()
                is_whole = not made.body.truncated and not limits.answers
                self._made[(question, _ANY_SIZE) if is_whole else place] = made
        return made


def _is_touched(origin: Origin, changed: frozenset[bytes | str]) -> bool:
    if origin is None:
        return True
    return not changed.isdisjoint(origin) if isinstance(origin, tuple) else origin in changed


def _reject(rejected: wire.Rejected, packet: bytes, channel: Channel) -> bytes:
    if rejected.rcode == codes.FORMERR:
        channel.formerr[rejected.reason] += 1
    return _counted(rejected.reply, packet, channel, rejected.rcode)


def _counted(reply: bytes, packet: bytes, channel: Channel, rcode: int) -> bytes:
    tally = channel.tally(
        ".", "other", codes.RCODE_NAMES[rcode], size_in=len(packet), size_out=len(reply)
    )
    tally.hits += 1
    tally.octets_in += len(packet)
    tally.octets_out += len(reply)
    return reply


class Responder:
    """Hands out the Replies of the source's newest snapshot."""

    def __init__(
        self,
        source: Source,
        site: Site,
        *,
        serial: int,
        draw: Draw,
        now: Callable[[], float] | None = None,
    ) -> None:
        """``serial`` is the SOA's first; it grows with each snapshot seen (RFC 1982).

        ``now`` is the wall clock in seconds, for cookies; without it there are none.
        """
        self._source = source
        self._draw = draw
        self._now = now
        self._standing = Standing.FRESH
        self._serial = serial & 0xFFFFFFFF
        self._replies = self._from(site)

    def replies(self) -> Replies:
        """Return the replies of the present state; ask again after every turn of the loop.

        Commits happen on the loop's thread, so within one callback one call is enough.
        """
        replies = self._replies
        snapshot = self._source.snapshot
        if snapshot is not replies.view.snapshot:
            replies.follow(snapshot)
        replies.believe(synced=self._source.synced, standing=self._standing)
        return replies

    def stand(self, standing: Standing) -> None:
        """Say how far the catalogue may be believed from now on (reliability F20)."""
        self._standing = standing

    def reconfigure(self, site: Site) -> None:
        """Answer by other settings from now on."""
        self._serial = (self._replies.serial + 1) & 0xFFFFFFFF
        self._replies = self._from(site)

    def _from(self, site: Site) -> Replies:
        maker = Maker(
            View(self._source.snapshot, only_passing=site.only_passing),
            site,
            serial=self._serial,
            synced=self._source.synced,
            draw=self._draw,
        )
        return Replies(maker, Options(site, self._now))
