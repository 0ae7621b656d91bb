"""What other servers answered, for as long as they said. Pure: time is an argument.

Bounds (RFC 2308, RFC 8767): a positive answer is kept for its lowest TTL, at most an hour; a
negative one for the lower of its SOA's TTL and MINIMUM, at most 15 minutes, and not at all without
an SOA; a failure 5 seconds. What ended may be kept on, for when nobody answers.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from dnsd import codes
from dnsd.forward.message import Asked, Reply
from dnsd.records import Record

__all__ = ["Cache", "Found", "Kept", "lifetime"]

_LONGEST: Final = 3600
_LONGEST_NEGATIVE: Final = 900
_FAILURE: Final = 5
_OVERHEAD: Final = 300
_PER_RECORD: Final = 240
"""Bytes of a key with its entry, and of a record, beside the octets they hold (measured)."""


class Kept:
    """An answer with when it came and when it ends."""

    __slots__ = ("asked", "ends", "is_refreshing", "reply", "since", "size")

    def __init__(self, reply: Reply, now: float, ends: float) -> None:
        """Take a reply; it was asked for once."""
        self.reply = reply
        self.since = now
        self.ends = ends
        self.asked = 1
        self.is_refreshing = False
        self.size = _OVERHEAD + sum(_size(record) for part in reply.sections for record in part)

    @property
    def kind(self) -> str:
        """What the metrics call it."""
        positive = self.reply.rcode == codes.NOERROR and self.reply.sections[0]
        return "success" if positive else "denial"

    def aged(self, now: float) -> Reply:
        """Return the reply with its TTLs counted down."""
        return _with_ttls(self.reply, lambda ttl: max(ttl - int(now - self.since), 0))

    def stale(self, ttl: int) -> Reply:
        """Return the reply with this TTL (RFC 8767 section 4)."""
        return _with_ttls(self.reply, lambda _: ttl)

    def wants_refresh(self, now: float) -> bool:
        """Whether it was asked for again in the last tenth of its life."""
        last = self.ends - (self.ends - self.since) / 10
        return self.asked >= 2 and now >= last and not self.is_refreshing


class Found(NamedTuple):
    """What the cache has: fresh or ended."""

    kept: Kept
    is_fresh: bool


def lifetime(reply: Reply) -> int:
    """Return for how many seconds a reply may be kept, 0: not at all."""
    if reply.rcode == codes.SERVFAIL:
        return _FAILURE
    if reply.rcode not in {codes.NOERROR, codes.NXDOMAIN}:
        return 0
    answers, authority, _ = reply.sections
    if reply.rcode == codes.NOERROR and any(r.type != codes.CNAME for r in answers):
        return min([_LONGEST, *(record.ttl for part in reply.sections for record in part)])
    soa = next((record for record in authority if record.type == codes.SOA), None)
    if soa is None or len(soa.after) != 20:
        return 0
    minimum = int.from_bytes(soa.after[16:])
    return min([_LONGEST_NEGATIVE, soa.ttl, minimum, *(record.ttl for record in answers)])


class Cache:
    """Answers by question, least recently used first, bounded in bytes."""

    def __init__(self, limit: int, stale: float) -> None:
        """Keep at most ``limit`` bytes, and what ended for ``stale`` seconds more."""
        self._limit = limit
        self._stale = stale
        self._kept: OrderedDict[Asked, Kept] = OrderedDict()
        self.octets = 0
        self.evicted = 0

    def __len__(self) -> int:
        """Return how many answers are kept."""
        return len(self._kept)

    def count(self, kind: str) -> int:
        """Return how many answers of a kind are kept."""
        return sum(kept.kind == kind for kept in self._kept.values())

    def get(self, asked: Asked, now: float) -> Found | None:
        """Return what is known; something ended too long ago is forgotten."""
        kept = self._kept.get(asked)
        if kept is None:
            return None
        if now < kept.ends:
            self._kept.move_to_end(asked)
            return Found(kept, is_fresh=True)
        if now < kept.ends + self._stale and kept.reply.rcode != codes.SERVFAIL:
            return Found(kept, is_fresh=False)
        self._drop(asked)
        return None

    def put(self, asked: Asked, reply: Reply, now: float) -> None:
        """Keep a reply, if it may be kept.

        A failure does not replace what may still be given stale.
        """
        seconds = lifetime(reply)
        before = self.get(asked, now)
        if seconds <= 0 or (reply.rcode == codes.SERVFAIL and before is not None):
            return
        if before is not None:
            self._drop(asked)
        kept = Kept(reply, now, now + seconds)
        self._kept[asked] = kept
        self.octets += kept.size
        while self.octets > self._limit:
            self._drop(next(iter(self._kept)))
            self.evicted += 1

    def _drop(self, asked: Asked) -> None:
        self.octets -= self._kept.pop(asked).size


def _with_ttls(reply: Reply, ttl_of: Callable[[int], int]) -> Reply:
    def part(records: Iterable[Record]) -> tuple[Record, ...]:
        return tuple(record._replace(ttl=ttl_of(record.ttl)) for record in records)

    return reply._replace(sections=tuple(map(part, reply.sections)))


def _size(record: Record) -> int:
    octets = len(record.before) + len(record.after) + len(record.owner or b"")
    return _PER_RECORD + octets + sum(map(len, record.names))
