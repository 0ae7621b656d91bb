"""What every transport asks: the catalogue's replies, other servers, limits.

One object for all sockets, whose parts a reload replaces; a socket holds nothing of them longer
than one turn of the loop.
"""

from collections.abc import Iterator
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from dnsd import codes, wire
from dnsd.cache import Replies, Responder
from dnsd.cookies import Verdict, respond, verdict_of
from dnsd.edns import COOKIE, BadOption, option, read
from dnsd.frames import curtailed
from dnsd.networks import Networks
from dnsd.querylog import QueryLog
from dnsd.rates import Action, Rates
from dnsd.safely import LATER, Deliver, answer_safely
from dnsd.site import Site
from dnsd.tallies import Channel
from sidecar.metrics import counter
from sidecar.runtime.clock import Clock
from sidecar.stores.base import Source

if TYPE_CHECKING:
    from dnsd.recursion import Recursion

__all__ = ["AMPLIFICATION", "LATER", "Deliver", "Service"]

_limited = counter("dnsd_rrl_total", "UDP replies that were held back", ["action"])

AMPLIFICATION: Final = 10
"""How many times as long as its question a UDP reply to a stranger may be."""


class Service:
    """The parts that answer, as they are at the moment."""

    def __init__(
        self,
        source: Source,
        responder: Responder,
        clock: Clock,
        *,
        site: Site,
        trusted: Networks,
        transfers: Networks,
        recursion: "Recursion | None" = None,
        rates: Rates | None = None,
        querylog: QueryLog | None = None,
    ) -> None:
        """``trusted`` are networks whose addresses nobody forges: no limits for them."""
        self.source = source
        self.responder = responder
        self.site = site
        self.trusted = trusted
        self.transfers = transfers
        self.recursion = recursion
        self.rates = rates
        self.querylog = querylog
        self.clock = clock

    def take(self, other: "Service") -> None:
        """Become like another one; sockets go on asking this."""
        self.__dict__.update(other.__dict__)

    @property
    def is_plain(self) -> bool:
        """Whether all clients are alike: nothing is forwarded, limited or logged."""
        return self.recursion is None and self.rates is None and self.querylog is None

    def may_recurse(self, host: str) -> bool:
        """Say whether questions of this client may go to other servers."""
        return self.recursion is not None and self.recursion.serves(host)

    def miss(
        self, replies: Replies, packet: bytes, channel: Channel, host: str, deliver: Deliver
    ) -> bytes | None:
        """Return the reply to what is not known by heart, LATER, or None: it gets none."""
        if self.recursion is not None and channel.recursive:
            reply = self.recursion.reply(replies, packet, channel, packed_of(host), deliver)
        else:
            reply = answer_safely(replies, packet, channel, packed_of(host))
        if self.querylog is not None:
            self.querylog.note(packet, reply, channel)
        return reply

    def transfer(self, packet: bytes, channel: Channel, host: str) -> Iterator[bytes] | None:
        """Return the messages of the zone when that is asked for and allowed, else None."""
        if host not in self.transfers:
            return None
        from dnsd.transfer import messages, records_of, serial_known  # noqa: PLC0415 - seldom

        query = wire.parse(packet)
        if not isinstance(query, wire.Query) or query.qtype not in {codes.AXFR, codes.IXFR}:
            return None
        zone = next((zone for zone in self.site.zones if zone.wire == query.name), None)
        replies = self.responder.replies()
        if zone is None or query.qclass != codes.CLASS_IN or not self.source.synced:
            return None
        known = serial_known(packet, query) if query.qtype == codes.IXFR else None
        tally = channel.tally(zone.text, "AXFR", "NOERROR", size_in=len(packet), size_out=0)
        tally.hits += 1
        records = records_of(
            replies.view, self.site, zone, replies.serial, short=known == replies.serial
        )
        return messages(query, packet[:2], records)

    def limited(self, host: str, packet: bytes, reply: bytes) -> bytes | None:
        """Return what of a UDP reply goes to this client; None: nothing."""
        if host in self.trusted:
            return reply
        if self.rates is not None:
            action = self.rates.judge(host, reply, self.clock.monotonic())
            if action is not Action.SEND:
                return self._held_back(action, host, packet, reply)
        return self.moderate(host, packet, reply)

    def moderate(self, host: str, packet: bytes, reply: bytes) -> bytes:
        """Return the reply, cut down when a stranger gets much for little."""
        if len(reply) <= AMPLIFICATION * len(packet) or host in self.trusted:
            return reply
        if self._verdict(packet, host) is Verdict.GOOD:
            return reply
        _limited.labels("curtailed").inc()
        return curtailed(packet, reply, self.site.payload)

    def _held_back(self, action: Action, host: str, packet: bytes, reply: bytes) -> bytes | None:
        """Return what is sent for a reply over the limit (RFC 7873 5.2.3).

        Who proves by a cookie to be where he says gets it; who has a cookie, but no good one,
        is told to come back with the one we give him.
        """
        verdict = self._verdict(packet, host)
        if verdict is Verdict.GOOD:
            _limited.labels("cookie").inc()
            return reply
        if verdict is Verdict.BAD and action is Action.DROP:
            _limited.labels("badcookie").inc()
            return self._bad_cookie(packet, host)
        _limited.labels(action.value).inc()
        return None if action is Action.DROP else curtailed(packet, reply, self.site.payload)

    def _verdict(self, packet: bytes, host: str) -> Verdict:
        cookie, secrets = _cookie(packet), self.site.cookie_secrets
        if not cookie or not secrets:
            return Verdict.NONE
        return verdict_of(cookie, packed_of(host), secrets, self.clock.wall())

    def _bad_cookie(self, packet: bytes, host: str) -> bytes | None:
        query = wire.parse(packet)
        if not isinstance(query, wire.Query) or query.edns is None:
            return None
        now, secrets = self.clock.wall(), self.site.cookie_secrets
        fresh = option(COOKIE, respond(_cookie(packet), packed_of(host), secrets, now))
        tail = wire.opt(self.site.payload, codes.BADCOOKIE, do=query.edns.do, options=fresh)
        head = wire.head(query.flags, codes.BADCOOKIE, (0, 0, 1), aa=False, tc=False)
        return packet[:2] + head + query.question + tail


def _cookie(packet: bytes) -> bytes:
    """Return the cookie option of a query, nothing when there is none."""
    if packet[10:12] == b"\0\0":
        return b""
    query = wire.parse(packet)
    if not isinstance(query, wire.Query) or query.edns is None:
        return b""
    try:
        return read(query.edns.options).cookie
    except BadOption:
        return b""


@lru_cache(maxsize=16384)
def packed_of(host: str) -> bytes:
    """Return the octets of a client's address."""
    return ip_address(host.partition("%")[0]).packed if host else b""
