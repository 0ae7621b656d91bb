"""SRV replies: records in random order, and each target's address pointing at the target. Pure.

When all records are of one size, and so are their addresses, the place of each target is known
whatever the order. So one order is kept, drawn anew now and then, and turned on by one record
for each reply; only the two octets of each pointer have to be put in place. The second of one reply
is seldom the second of the next round, so the load of an instance that fails is spread.

Everything else (targets of several lengths, one target with several ports) has a handful of
orders, each built when its turn comes first.
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

from dnsd import codes
from dnsd.bodies import GOLDEN, AnyBody, Counts, Draw, Limits, fixed
from dnsd.orders import Parts, orders_of, written
from dnsd.records import Answer, pointing

if TYPE_CHECKING:
    from dnsd.reading import Origin

__all__ = ["PairShape", "Pairs", "Turns", "pairs_of"]

_POINTER_LIMIT: Final = 0x4000
_ROUNDS: Final = 32
"""How often an order is turned through before another is drawn."""


class PairShape(NamedTuple):
    """What pairs of one form share: of a record of the answer, of the glue, of the whole.

    ``length`` and ``glue_length`` are what is sent of the records and of their glue, which stands
    from ``start`` to ``end``. ``high`` and ``low`` are the two octets of the pointers that begin
    it, twice, so that any turn of them is one slice; ``truncated``: answers are left out;
    ``is_whole``: everything is sent, nothing follows.
    """

    step: int
    total: int
    length: int
    glue_step: int
    start: int
    end: int
    high: bytearray
    low: bytearray
    is_whole: bool
    glue_length: int
    extra: int
    counts: Counts
    truncated: bool
    draw: Draw


class Turns:
    """One order of records and glue, turned on by one each time.

    ``octets`` are the records, the glue, the rest. Where everything is sent the records stand twice
    (the second time without the last), so that any turn of them is one slice.
    """

    __slots__ = ("left", "octets", "origin", "turn")

    def __init__(self, octets: bytes, total: int) -> None:
        """Begin so that the first thing is to draw an order."""
        self.octets = octets
        self.turn = total
        self.left = 0
        self.origin: Origin = None

    def parts(self, shape: PairShape) -> tuple[bytes, bytes | bytearray, bytes]:
        """Return the sections with the next record first."""
        self.turn += 1
        if self.turn >= shape.total:
            self.begin(shape)
        return turned(self.octets, shape, self.turn)

    def begin(self, shape: PairShape) -> None:
        """Begin a round, now and then in another order."""
        self.turn = 0
        self.left -= 1
        if self.left <= 0:
            self.left = _ROUNDS
            self.octets = _reordered(self.octets, shape, _drawn(shape))


def turned(octets: bytes, shape: PairShape, turn: int) -> tuple[bytes, bytes | bytearray, bytes]:
    """Return the sections from the record whose turn it is: answers, glue, the rest."""
    at = turn * shape.step
    answers = octets[at : at + shape.length]
    if len(answers) < shape.length or at + shape.length > shape.start:
        answers = (octets[at : shape.start] + octets[:at])[: shape.length]
    if not shape.glue_length:
        return answers, b"", b""
    at = shape.start + turn * shape.glue_step
    glue = bytearray(octets[at : shape.end] + octets[shape.start : at])
    del glue[shape.glue_length :]
    kept = shape.glue_length // shape.glue_step
    glue[0 :: shape.glue_step] = shape.high[:kept]
    glue[1 :: shape.glue_step] = shape.low[:kept]
    return answers, glue, octets[shape.end :]


class Pairs(Turns):
    """The body of one order."""

    __slots__ = ("shape",)

    def __init__(self, octets: bytes, shape: PairShape) -> None:
        """Take octets of this shape."""
        super().__init__(octets, shape.total)
        self.shape = shape

    @property
    def counts(self) -> Counts:
        """The records of each section."""
        return self.shape.counts

    @property
    def size(self) -> int:
        """The octets of the sections."""
        return self.shape.length + self.shape.glue_length + self.shape.extra

    @property
    def truncated(self) -> bool:
        """Whether there are answers that did not fit."""
        return self.shape.truncated

    def next(self) -> bytes:
        """Return the sections, the next record first."""
        return b"".join(self.parts(self.shape))


class _WeightedPairs(Pairs):
    """Each first in proportion to its weight."""

    __slots__ = ("bounds", "phase", "weights")

    def __init__(self, octets: bytes, shape: PairShape, weights: Sequence[int]) -> None:
        super().__init__(octets, shape)
        self.weights = weights
        self.bounds: Sequence[int] = ()
        self.phase = shape.draw()

    def next(self) -> bytes:
        shape = self.shape
        self.left -= 1
        if self.left <= 0:
            self.left = _ROUNDS * shape.total
            order = _drawn(shape)
            self.octets = _reordered(self.octets, shape, order)
            self.weights = [self.weights[at] for at in order]
            self.bounds = tuple(accumulate(self.weights))
        self.phase = phase = (self.phase + GOLDEN) % 1.0
        turn = bisect_right(self.bounds, phase * self.bounds[-1])
        return b"".join(turned(self.octets, shape, turn))


def _drawn(shape: PairShape) -> Sequence[int]:
    keys = [shape.draw() for _ in range(shape.total)]
    return sorted(range(shape.total), key=keys.__getitem__)


def _reordered(octets: bytes, shape: PairShape, order: Sequence[int]) -> bytes:
    """Return the octets of pairs with records and glue in this order."""
    step, glue_step, start = shape.step, shape.glue_step, shape.start
    records = [octets[n * step : (n + 1) * step] for n in order]
    glue = [octets[start + n * glue_step : start + (n + 1) * glue_step] for n in order]
    kept = glue if shape.glue_length else ()
    again = records[:-1] if shape.is_whole else ()
    return b"".join((*records, *again, *kept, octets[shape.end :]))


def pairs_of(answer: Answer, name: bytes, limits: Limits, draw: Draw) -> AnyBody:
    """Return the body of an answer of SRV records to this folded name within the limits."""
    if len(answer.records) == 1:
        return fixed(answer, name, limits.room)
    glue = [record for record in answer.additional if record.type != codes.TXT]
    parts = Parts(answer.records, glue, answer.additional[len(glue) :])
    return _paired(parts, name, limits, draw) or orders_of(parts, name, limits, draw)


def _paired(parts: Parts, name: bytes, limits: Limits, draw: Draw) -> AnyBody | None:
    """Return a body of one order, if all records are of one size and have an address each."""
    records, glue, texts = parts
    if [record.names[0] for record in records] != [record.owner for record in glue]:
        return None
    answers = [pointing(record) for record in records]
    rests = [pointing(record) for record in glue]
    step, glue_step = len(answers[0]), len(rests[0])
    start = 12 + len(name) + 4
    if (
        start + step * len(answers) >= _POINTER_LIMIT
        or any(len(one) != step for one in answers)
        or any(len(one) != glue_step for one in rests)
    ):
        return None
    total = len(answers)
    fit = min(total, limits.room // step)
    keep = min(fit, limits.answers or total)
    length = keep * step
    kept = 0 if keep == fit < total else min(keep, (limits.room - length) // glue_step)
    extra, extras = b"", 0
    if kept == total:
        extra, extras = written(name, length + kept * glue_step, texts, limits.room)
    target = start + step - len(records[0].names[0])
    shape = _shape(_Form(target, step, total, keep, glue_step, kept, extras, len(extra), draw))
    weights = tuple([record.weight for record in records])
    if not kept:  # glue that is never sent need not be kept
        rests = []
    again = answers[:-1] if shape.is_whole else []
    octets = b"".join((*answers, *again, *rests)) + extra
    if min(weights) == max(weights):
        return Pairs(octets, shape)
    return _WeightedPairs(octets, shape, weights)


class _Form(NamedTuple):
    """What a Shape follows from; ``target`` is where the first target stands."""

    target: int
    step: int
    total: int
    keep: int
    glue_step: int
    glue: int
    extras: int
    extra: int
    draw: Draw


@lru_cache(maxsize=4096)
def _shape(form: _Form) -> PairShape:
    pointers = [0xC000 | form.target + at * form.step for at in range(form.glue)]
    is_whole = form.glue == form.total and not form.extra
    start = (2 * form.total - 1 if is_whole else form.total) * form.step
    return PairShape(
        form.step,
        form.total,
        form.keep * form.step,
        form.glue_step,
        start,
        start + (form.total * form.glue_step if form.glue else 0),
        bytearray(pointer >> 8 for pointer in pointers) * 2,
        bytearray(pointer & 255 for pointer in pointers) * 2,
        is_whole,
        form.glue * form.glue_step,
        form.extra,
        (form.keep, 0, form.glue + form.extras),
        form.keep < form.total,
        form.draw,
    )
