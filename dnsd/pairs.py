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
_ROUNDS: Final = 8
"""How often an order is turned through before another is drawn."""


class PairShape(NamedTuple):
    """What pairs of one form share: of a record of the answer, of the glue, of the whole.

    ``block`` is what all records have, ``glue_block`` all their glue, ``length`` and
    ``glue_length`` what of them is sent, ``extra`` what follows. ``high`` and ``low`` are the two
    octets of the pointers that begin the glue; ``truncated``: answers are left out; ``is_whole``:
    everything is sent and nothing follows.
    """

    step: int
    total: int
    block: int
    length: int
    glue_step: int
    glue_block: int
    glue_length: int
    extra: int
    high: bytearray
    low: bytearray
    counts: Counts
    truncated: bool
    draw: Draw
    is_whole: bool


class Turns:
    """One order of records and glue, turned on by one each time.

    ``octets`` are what stands before (nothing, or a header), the records, the glue, the rest.
    """

    __slots__ = ("left", "octets", "origin", "shape", "turn")

    def __init__(self, octets: bytes, shape: PairShape) -> None:
        """Begin so that the first thing is to draw an order."""
        self.octets = octets
        self.shape = shape
        self.turn = shape.total
        self.left = 0
        self.origin: Origin = None

    def parts(self) -> tuple[bytes | bytearray, ...]:
        """Return what stands before, then the sections with the next record first."""
        shape = self.shape
        turn = self.turn + 1
        if turn >= shape[1]:
            turn = 0
            self.left -= 1
            if self.left <= 0:
                self.left = _ROUNDS
                self.octets = reordered(self.octets, shape, drawn(shape))
        self.turn = turn
        return turned(self.octets, shape, turn)


def turned(octets: bytes, shape: PairShape, turn: int) -> tuple[bytes | bytearray, ...]:
    """Return what stands before, then the sections from the record whose turn it is."""
    end = len(octets) - shape[7]
    middle = end - shape[5]
    start = middle - shape[2]
    at = start + turn * shape[0]
    length = shape[3]
    answers: tuple[bytes, ...] = octets[at:middle], octets[start:at]
    if length != shape[2]:
        answers = ((answers[0] + answers[1])[:length],)
    length = shape[6]
    if not length:
        return (octets[:start], *answers)
    step = shape[4]
    at = middle + turn * step
    glue = bytearray(octets[at:end] + octets[middle:at])
    if length != shape[5]:
        del glue[length:]
    glue[0::step] = shape[8]
    glue[1::step] = shape[9]
    return (octets[:start], *answers, glue, octets[end:])


class Pairs(Turns):
    """The body of one order."""

    __slots__ = ()

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
        return b"".join(self.parts())


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
            order = drawn(shape)
            self.octets = reordered(self.octets, shape, order)
            self.weights = [self.weights[at] for at in order]
            self.bounds = tuple(accumulate(self.weights))
        self.phase = phase = (self.phase + GOLDEN) % 1.0
        turn = bisect_right(self.bounds, phase * self.bounds[-1])
        return b"".join(turned(self.octets, shape, turn))


def drawn(shape: PairShape) -> Sequence[int]:
    """Return an order of the records by chance."""
    keys = [shape.draw() for _ in range(shape.total)]
    return sorted(range(shape.total), key=keys.__getitem__)


def reordered(octets: bytes, shape: PairShape, order: Sequence[int]) -> bytes:
    """Return the octets of pairs with records and glue in this order."""
    end = len(octets) - shape.extra
    middle = end - shape.glue_block
    start = middle - shape.block
    step, glue_step = shape.step, shape.glue_step
    records = [octets[(at := start + n * step) : at + step] for n in order]
    glue = [octets[(at := middle + n * glue_step) : at + glue_step] for n in order]
    return b"".join((octets[:start], *records, *glue, octets[end:]))


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
    octets = b"".join((*answers, *rests)) + extra
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
    return PairShape(
        form.step,
        form.total,
        form.total * form.step,
        form.keep * form.step,
        form.glue_step,
        form.total * form.glue_step if form.glue else 0,
        form.glue * form.glue_step,
        form.extra,
        bytearray(pointer >> 8 for pointer in pointers),
        bytearray(pointer & 255 for pointer in pointers),
        (form.keep, 0, form.glue + form.extras),
        form.keep < form.total,
        form.draw,
        form.glue == form.total and not form.extra,
    )
