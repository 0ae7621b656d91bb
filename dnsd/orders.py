"""SRV replies whose records have no fixed places: a handful of orders, kept when built. Pure."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from math import log
from typing import Final, NamedTuple

from dnsd.bodies import Body, Counts, Draw, Limits, fitting
from dnsd.records import Record, Writer, pointing

__all__ = ["Parts", "orders_of", "written"]

_MAX_ORDERS: Final = 32
_MAX_SHORT_ORDERS: Final = 256
"""For sets cut short, where who is first also decides who is there at all."""
_POINTER_LIMIT: Final = 0x4000


class Parts(NamedTuple):
    """An answer taken apart."""

    records: Sequence[Record]
    glue: Sequence[Record]
    texts: Sequence[Record]


class _Orders(Body):
    """Builds each order when its turn comes first."""

    __slots__ = ("_build", "_built", "_turn")

    def __init__(
        self,
        orders: int,
        build: Callable[[int], bytes],
        counts: Counts,
        turn: int,
        *,
        truncated: bool,
        size: int,
    ) -> None:
        super().__init__(b"", counts, truncated=truncated)
        self.size = size
        self._build = build
        self._built: list[bytes | None] = [None] * orders
        self._turn = turn

    def next(self) -> bytes:
        self._turn = number = (self._turn + 1) % len(self._built)
        octets = self._built[number]
        if octets is None:
            octets = self._built[number] = self._build(number)
        return octets


def orders_of(parts: Parts, name: bytes, limits: Limits, draw: Draw) -> Body:
    """Return a body of as many orders as there is need for."""
    answers, glue, texts = parts
    start = 12 + len(name) + 4
    records = {record: pointing(record) for record in answers}
    keep, used = fitting(records.values(), limits.room, limits.answers)
    is_whole = keep == len(records)
    pointed = start + used < _POINTER_LIMIT
    rests = _glue(glue, pointed=pointed)
    all_glue = [rest for some in rests.values() for rest in some]
    kept_glue, glue_used = (0, 0)
    if is_whole:
        kept_glue, glue_used = fitting(all_glue, limits.room - used)
    extra, extras = b"", 0
    if is_whole and kept_glue == len(all_glue):
        extra, extras = written(name, used + glue_used, texts, limits.room)

    def build(number: int) -> bytes:
        chosen = _permutation(answers, (number + 0.5) / orders, draw)[:keep]
        targets: dict[bytes, int] = {}
        octets = bytearray()
        for record in chosen:
            octets += records[record]
            target = record.names[0]
            targets.setdefault(target, start + len(octets) - len(target))
        addressed = [(at, rest) for target, at in targets.items() for rest in rests.get(target, ())]
        for at, rest in addressed[:kept_glue]:
            octets += (0xC000 | at).to_bytes(2) + rest[2:] if pointed else rest
        return bytes(octets) + extra

    orders = _MAX_ORDERS if is_whole else _MAX_SHORT_ORDERS
    if len({record.weight for record in answers}) == 1:
        orders = min(orders, len(records))
    return _Orders(
        orders,
        build,
        (keep, 0, kept_glue + extras),
        int(draw() * orders),
        truncated=not is_whole,
        size=used + glue_used + len(extra),
    )


def _glue(records: Iterable[Record], *, pointed: bool) -> dict[bytes | None, list[bytes]]:
    """Return each owner's records; their name in full when no pointer can reach the target."""
    found: dict[bytes | None, list[bytes]] = {}
    for record in records:
        octets = pointing(record)
        rest = octets if pointed else (record.owner or b"") + octets[2:]
        found.setdefault(record.owner, []).append(rest)
    return found


def _permutation(records: Sequence[Record], share: float, draw: Draw) -> list[Record]:
    """Return the records, first the one at ``share`` of all weight, then by weighted chance."""
    bounds = list(accumulate(record.weight for record in records))
    first = min(bisect_right(bounds, share * bounds[-1]), len(records) - 1)
    arrival = [-log(1.0 - draw()) / record.weight for record in records]
    arrival[first] = -1.0
    return [records[at] for at in sorted(range(len(records)), key=arrival.__getitem__)]


def written(name: bytes, used: int, texts: Iterable[Record], room: int) -> tuple[bytes, int]:
    """Return those of the last records that fit, and how many they are."""
    writer = Writer(name, used)
    count, end = 0, 0
    for record in texts:
        writer.add(record)
        if used + len(writer) > room:
            break
        count, end = count + 1, len(writer)
    return writer.octets()[:end], count
