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
from typing import Final, NamedTuple

from dnsd import codes
from dnsd.bodies import GOLDEN, AnyBody, Counts, Draw, Limits, Origin, fixed
from dnsd.orders import Parts, orders_of, written
from dnsd.records import Answer, pointing

__all__ = ["pairs_of"]

_POINTER_LIMIT: Final = 0x4000
_ROUNDS: Final = 8
"""How often an order is turned through before another is drawn."""


class _Shape(NamedTuple):
    """What pairs of one form share: of a record of the answer, of the glue, of the whole.

    The glue stands from ``start`` to ``end``. ``high`` and ``low`` are the two octets of the
    pointers that begin it; ``truncated``: answers are left out.
    """

    step: int
    total: int
    length: int
    glue_step: int
    glue_length: int
    start: int
    end: int
    high: bytearray
    low: bytearray
    counts: Counts
    truncated: bool
    size: int
    draw: Draw


class _Pairs:
    """One order of records and glue, turned on by one each time.

    ``octets`` are the records twice, so that any turn is one slice, the glue, and what comes last.
    """

    __slots__ = ("left", "octets", "origin", "shape", "turn")

    is_constant = False

    def __init__(self, octets: bytes, shape: _Shape) -> None:
        self.octets = octets
        self.shape = shape
        self.turn = shape.total  # so that the first thing is to draw an order
        self.left = 0
        self.origin: Origin = None

    @property
    def counts(self) -> Counts:
        return self.shape.counts

    @property
    def size(self) -> int:
        return self.shape.size

    @property
    def truncated(self) -> bool:
        return self.shape.truncated

    def next(self) -> bytes:
        shape = self.shape
        turn = self.turn + 1
        if turn >= shape[1]:
            turn = 0
            self.left -= 1
            if self.left <= 0:
                self.left = _ROUNDS
                self.octets = _reordered(self.octets, shape, _drawn(shape))
        self.turn = turn
        octets = self.octets
        at = turn * shape[0]
        answers = octets[at : at + shape[2]]
        length = shape[4]
        if not length:
            return answers
        start, end = shape[5], shape[6]
        step = shape[3]
        at = start + turn * step
        glue = bytearray(octets[at:end] + octets[start:at])
        if length != end - start:
            del glue[length:]
        glue[0::step] = shape[7]
        glue[1::step] = shape[8]
        if len(octets) == end:
            return answers + glue
        return answers + glue + octets[end:]


class _WeightedPairs(_Pairs):
    """Each first in proportion to its weight."""

    __slots__ = ("bounds", "phase", "weights")

    def __init__(self, octets: bytes, shape: _Shape, weights: Sequence[int]) -> None:
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
        self.turn = bisect_right(self.bounds, phase * self.bounds[-1]) - 1
        return super().next()


def _drawn(shape: _Shape) -> Sequence[int]:
    keys = [shape.draw() for _ in range(shape.total)]
    return sorted(range(shape.total), key=keys.__getitem__)


def _reordered(octets: bytes, shape: _Shape, order: Sequence[int]) -> bytes:
    """Return the octets of pairs with records and glue in this order."""
    step, glue_step, start = shape.step, shape.glue_step, shape.start
    answers = b"".join([octets[at * step : (at + 1) * step] for at in order])
    starts = [start + at * glue_step for at in order]
    glue = b"".join([octets[at : at + glue_step] for at in starts])
    return answers + answers + glue + octets[shape.end :]


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
    octets = b"".join((*answers, *answers, *rests)) + extra
    if min(weights) == max(weights):
        return _Pairs(octets, shape)
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
def _shape(form: _Form) -> _Shape:
    pointers = [0xC000 | form.target + at * form.step for at in range(form.glue)]
    length, glue_length = form.keep * form.step, form.glue * form.glue_step
    start = 2 * form.total * form.step
    return _Shape(
        form.step,
        form.total,
        length,
        form.glue_step,
        glue_length,
        start,
        start + form.total * form.glue_step,
        bytearray(pointer >> 8 for pointer in pointers),
        bytearray(pointer & 255 for pointer in pointers),
        (form.keep, 0, form.glue + form.extras),
        form.keep < form.total,
        length + glue_length + form.extra,
        form.draw,
    )
