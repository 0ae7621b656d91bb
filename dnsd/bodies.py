"""What follows the question in a reply, in as many orders as fairness asks for. Pure.

A Body is all replies to one question within one size limit, short of ID, flags and OPT. Its
counts never change, so the header in front can be stored; only the order does:

* addresses: a slice of the doubled block of equal-sized records, so each is first in turn;
* addresses with weights: the same, the offset drawn in proportion by the golden ratio's multiples
  (evenly spread over any stretch of queries, also over every second or third of them);
* SRV: a handful of weighted random permutations, each instance first in its share of them.

The turn belongs to the question, not to a client, so 0x20 and alternation of types do not skew it.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import accumulate
from math import log
from typing import Final

from dnsd import codes
from dnsd.records import Answer, Record, Writer, pointing

__all__ = ["Body", "Draw", "Turn", "body_of"]

Draw = Callable[[], float]
"""Returns a random number in [0, 1)."""

_MAX_ORDERS: Final = 32
_MAX_SHORT_ORDERS: Final = 256
"""For sets cut short, where who is first also decides who is there at all."""
_GOLDEN: Final = 0.6180339887498949
_POINTER_LIMIT: Final = 0x4000


class Turn:
    """Counts the replies to one question; begins anywhere, as each snapshot begins anew."""

    __slots__ = ("count",)

    def __init__(self, draw: Draw) -> None:
        """Begin at random."""
        self.count = int(draw() * 65536)


class Body:
    """A reply's sections that are always the same."""

    __slots__ = ("_octets", "counts", "size", "truncated")

    def __init__(
        self, octets: bytes, counts: tuple[int, int, int], *, truncated: bool, size: int = 0
    ) -> None:
        """Take the sections and how many records each has; ``size`` is the most octets."""
        self._octets = octets
        self.counts = counts
        self.size = size or len(octets)
        self.truncated = truncated

    def next(self) -> bytes:
        """Return the sections in the order whose turn it is."""
        return self._octets


class _Rotation(Body):
    __slots__ = ("_doubled", "_length", "_size", "_step", "_turn")

    def __init__(self, block: bytes, step: int, keep: int, turn: Turn) -> None:
        total = len(block) // step
        super().__init__(block[: keep * step], (keep, 0, 0), truncated=keep < total)
        self._doubled = block * 2
        self._step = step
        self._size = total
        self._length = keep * step
        self._turn = turn

    def next(self) -> bytes:
        turn = self._turn
        turn.count = count = turn.count + 1
        at = count % self._size * self._step
        return self._doubled[at : at + self._length]


class _WeightedRotation(_Rotation):
    __slots__ = ("_bounds",)

    def __init__(
        self, block: bytes, step: int, keep: int, turn: Turn, weights: Sequence[int]
    ) -> None:
        super().__init__(block, step, keep, turn)
        self._bounds = tuple(accumulate(weights))

    def next(self) -> bytes:
        turn = self._turn
        turn.count = count = turn.count + 1
        share = count * _GOLDEN % 1.0 * self._bounds[-1]
        at = bisect_right(self._bounds, share) * self._step
        return self._doubled[at : at + self._length]


class _Orders(Body):
    """Builds each order when its turn comes first."""

    __slots__ = ("_build", "_built", "_turn")

    def __init__(
        self,
        orders: int,
        build: Callable[[int], bytes],
        counts: tuple[int, int, int],
        turn: Turn,
        *,
        truncated: bool,
        size: int,
    ) -> None:
        super().__init__(b"", counts, truncated=truncated, size=size)
        self._build = build
        self._built: list[bytes | None] = [None] * orders
        self._turn = turn

    def next(self) -> bytes:
        turn = self._turn
        turn.count = count = turn.count + 1
        number = count % len(self._built)
        octets = self._built[number]
        if octets is None:
            octets = self._built[number] = self._build(number)
        return octets


def body_of(answer: Answer, name: bytes, room: int, turn: Turn, draw: Draw) -> Body:
    """Return the body of an answer to this folded name in at most ``room`` octets.

    Dropping glue leaves TC clear, dropping answers sets it (RFC 2181 9).
    """
    records = answer.records
    if len(records) > 1 and not answer.chain:
        if records[0].type in {codes.A, codes.AAAA}:
            return _rotation(records, room, turn)
        if records[0].type == codes.SRV:
            return _orders(answer, name, room, turn, draw)
    return _fixed(answer, name, room)


def _rotation(records: Sequence[Record], room: int, turn: Turn) -> Body:
    block = [pointing(record) for record in records]
    step = len(block[0])
    keep = min(len(records), room // step)
    weights = [record.weight for record in records]
    if min(weights) == max(weights):
        return _Rotation(b"".join(block), step, keep, turn)
    return _WeightedRotation(b"".join(block), step, keep, turn, weights)


def _orders(answer: Answer, name: bytes, room: int, turn: Turn, draw: Draw) -> Body:
    start = 12 + len(name) + 4
    records = {record: pointing(record) for record in answer.records}
    keep, used = _fitting(records.values(), room)
    is_whole = keep == len(records)
    pointed = start + used < _POINTER_LIMIT
    glue = _glue(answer.additional, pointed=pointed)
    kept_glue, glue_used = _fitting(glue.values(), room - used) if is_whole else (0, 0)

    def build(number: int) -> bytes:
        chosen = _permutation(answer.records, (number + 0.5) / orders, draw)[:keep]
        targets: dict[bytes, int] = {}
        octets = bytearray()
        for record in chosen:
            octets += records[record]
            target = record.names[0]
            targets.setdefault(target, start + len(octets) - len(target))
        addressed = [(at, glue[target]) for target, at in targets.items() if target in glue]
        for at, rest in addressed[:kept_glue]:
            octets += (0xC000 | at).to_bytes(2) + rest[2:] if pointed else rest
        return bytes(octets)

    orders = _MAX_ORDERS if is_whole else _MAX_SHORT_ORDERS
    if len({record.weight for record in answer.records}) == 1:
        orders = min(orders, len(records))
    counts = keep, 0, kept_glue
    return _Orders(orders, build, counts, turn, truncated=not is_whole, size=used + glue_used)


def _glue(records: Iterable[Record], *, pointed: bool) -> dict[bytes | None, bytes]:
    """Return each owner's record; its name in full when no pointer can reach the target."""
    if pointed:
        return {record.owner: pointing(record) for record in records}
    return {record.owner: (record.owner or b"") + pointing(record)[2:] for record in records}


def _fitting(records: Collection[bytes], room: int) -> tuple[int, int]:
    """Return how many records fit, whichever they are, and their octets: the largest come first."""
    used = list(accumulate(sorted(map(len, records), reverse=True), initial=0))
    count = max(bisect_right(used, room) - 1, 0)
    return count, used[count]


def _permutation(records: Sequence[Record], share: float, draw: Draw) -> list[Record]:
    """Return the records, first the one at ``share`` of all weight, then by weighted chance."""
    bounds = list(accumulate(record.weight for record in records))
    first = min(bisect_right(bounds, share * bounds[-1]), len(records) - 1)
    arrival = [-log(1.0 - draw()) / record.weight for record in records]
    arrival[first] = -1.0
    return [records[at] for at in sorted(range(len(records)), key=arrival.__getitem__)]


def _fixed(answer: Answer, name: bytes, room: int) -> Body:
    sections = [[*answer.chain, *answer.records], list(answer.authority), list(answer.additional)]
    truncated = False
    while True:
        writer = Writer(name)
        for section in sections:
            writer.add(section)
        if len(writer) <= room or not any(sections):
            answers, authority, additional = map(len, sections)
            counts = (answers, authority, additional)
            return Body(writer.octets(), counts, truncated=truncated)
        dropped = next(number for number in (2, 1, 0) if sections[number])
        sections[dropped].pop()
        truncated = truncated or dropped == 0 or not answer.is_positive
