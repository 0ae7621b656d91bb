"""What follows the question in a reply, in as many orders as fairness asks for. Pure.

A Body is all replies to one question within one size limit, short of ID, flags and OPT. Its
counts never change, so the header in front can be stored; only the order does:

* addresses: the block of equal-sized records, turned on by one record each time;
* addresses with weights: the same, the turn drawn in proportion by the golden ratio's multiples
  (evenly spread over any stretch of queries, also over every second or third of them);
* SRV: ``dnsd.pairs``;
* what is absent: everything but the SOA's numbers, which are the same for every such reply.

The turn belongs to the question, not to a client, so alternation of types does not skew it. What
all bodies of one form share is kept once, in a Shape: there may be a body for every name.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Final, NamedTuple, Protocol

from dnsd import codes
from dnsd.reading import Origin
from dnsd.records import Answer, Record, Writer, pointing

__all__ = [
    "GOLDEN",
    "Absent",
    "AnyBody",
    "Body",
    "Counts",
    "Draw",
    "Limits",
    "Numbers",
    "Rotation",
    "Shape",
    "body_of",
    "fitting",
    "fixed",
]

Draw = Callable[[], float]
"""Returns a random number in [0, 1)."""
Counts = tuple[int, int, int]

GOLDEN: Final = 0.6180339887498949
SOA_NUMBERS: Final = 20


class Limits(NamedTuple):
    """How long a body may be: octets, and records of the answer (0: as many as fit).

    ``addresses`` is the most there ever are; ``answers`` what this client gets at once, and leaving
    out more than that counts as cut short.
    """

    room: int
    addresses: int = 0
    answers: int = 0


class Numbers:
    """The SOA's serial and times as octets, the same in every negative reply of a moment."""

    __slots__ = ("octets",)

    def __init__(self, octets: bytes) -> None:
        """Begin with these."""
        self.octets = octets


class Body:
    """A reply's sections that are always the same."""

    __slots__ = ("counts", "octets", "origin", "size", "truncated")

    def __init__(self, octets: bytes, counts: Counts, *, truncated: bool = False) -> None:
        """Take the sections and how many records each has."""
        self.octets = octets
        self.counts = counts
        self.size = len(octets)
        self.truncated = truncated
        self.origin: Origin = None

    def next(self) -> bytes:
        """Return the sections in the order whose turn it is."""
        return self.octets


class Absent(Body):
    """A negative reply; ``octets`` end before the numbers of the SOA."""

    __slots__ = ("numbers",)

    def __init__(self, octets: bytes, numbers: Numbers) -> None:
        """Take what stands before the numbers."""
        super().__init__(octets, (0, 1, 0))
        self.size += SOA_NUMBERS
        self.numbers = numbers

    def next(self) -> bytes:
        """Return the authority section as it is now."""
        return self.octets + self.numbers.octets


class Shape(NamedTuple):
    """What rotations of one form share: octets of a record, records, octets of what is sent."""

    step: int
    total: int
    length: int
    counts: Counts
    truncated: bool


_shape: Final = lru_cache(maxsize=4096)(Shape)


class Rotation:
    """Records of one size, each first in its turn."""

    __slots__ = ("octets", "origin", "shape", "turn")

    def __init__(self, octets: bytes, shape: Shape, turn: int) -> None:
        """Begin at a turn: anywhere, as each change of the catalogue begins anew."""
        self.octets = octets
        self.shape = shape
        self.turn = turn
        self.origin: Origin = None

    @property
    def counts(self) -> Counts:
        """The records of each section."""
        return self.shape.counts

    @property
    def size(self) -> int:
        """The octets of the sections."""
        return self.shape.length

    @property
    def truncated(self) -> bool:
        """Whether there are answers that did not fit."""
        return self.shape.truncated

    def next(self) -> bytes:
        """Return the records, the next one first."""
        shape = self.shape
        turn = self.turn + 1
        if turn >= shape[1]:
            turn = 0
        self.turn = turn
        octets = self.octets
        at = turn * shape[0]
        length = shape[2]
        if length == len(octets):
            return octets[at:] + octets[:at]
        return (octets[at:] + octets[:at])[:length]


class _WeightedRotation(Rotation):
    """Each first in proportion to its weight."""

    __slots__ = ("bounds", "phase")

    def __init__(self, octets: bytes, shape: Shape, phase: float, weights: Collection[int]) -> None:
        """Begin at a phase of [0, 1)."""
        super().__init__(octets, shape, 0)
        self.bounds = tuple(accumulate(weights))
        self.phase = phase

    def next(self) -> bytes:
        """Return the records from the one whose share of all weight the phase falls into."""
        self.phase = phase = (self.phase + GOLDEN) % 1.0
        self.turn = bisect_right(self.bounds, phase * self.bounds[-1]) - 1
        return super().next()


class AnyBody(Protocol):
    """What a reply needs of any body."""

    origin: Origin

    @property
    def counts(self) -> Counts:
        """How many records each section has."""

    @property
    def size(self) -> int:
        """The most octets there are."""

    @property
    def truncated(self) -> bool:
        """Whether answers were left out."""

    def next(self) -> bytes:
        """Return the sections in the order whose turn it is."""


def body_of(answer: Answer, name: bytes, limits: Limits, draw: Draw) -> AnyBody:
    """Return the body of an answer, other than SRV, to this folded name within the limits."""
    records = answer.records
    if len(records) > 1 and not answer.chain and records[0].type in {codes.A, codes.AAAA}:
        return _rotation(records, limits, draw)
    return fixed(answer, name, limits.room)


def _rotation(records: Sequence[Record], limits: Limits, draw: Draw) -> Rotation:
    block = b"".join([pointing(record) for record in records])
    total = len(records)
    step = len(block) // total
    most = min(total, limits.addresses or total)
    keep = min(most, limits.room // step, limits.answers or most)
    shape = _shape(step, total, keep * step, (keep, 0, 0), keep < most)
    weights = [record.weight for record in records]
    if min(weights) == max(weights):
        return Rotation(block, shape, int(draw() * total))
    return _WeightedRotation(block, shape, draw(), weights)


def fitting(records: Collection[bytes], room: int, most: int = 0) -> tuple[int, int]:
    """Return how many records fit, whichever they are, and their octets: the largest come first.

    ``most`` is how many there may be at all, 0 any number.
    """
    used = list(accumulate(sorted(map(len, records), reverse=True), initial=0))
    count = min(max(bisect_right(used, room) - 1, 0), most or len(records))
    return count, used[count]


def fixed(answer: Answer, name: bytes, room: int, *, compress: bool = True) -> Body:
    """Return the sections in order, as much of them as fits: what comes last is dropped first.

    Dropping glue leaves TC clear, dropping answers sets it (RFC 2181 9).
    """
    sections = (*answer.chain, *answer.records), answer.authority, answer.additional
    writer = Writer(name, compress=compress)
    ends = [0]
    for section in sections:
        for record in section:
            writer.add(record)
            ends.append(len(writer))
    kept = bisect_right(ends, max(room, 0)) - 1
    counts = []
    left = kept
    for section in sections:
        counts.append(min(len(section), left))
        left -= counts[-1]
    must = len(sections[0]) if answer.is_positive else len(sections[1])
    octets = writer.octets()[: ends[kept]]
    return Body(octets, (counts[0], counts[1], counts[2]), truncated=kept < must)
