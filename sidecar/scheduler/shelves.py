"""Buckets by how full they are, whatever is asked for: where a new ranking begins. Pure.

A *shelf* has the buckets of nodes of about one size, in the order of the share of them that is in
use. What a request adds to that share is nearly the same all along a shelf, so ``Reader.bound``
says how well the next bucket can rank at best, without a look at it or at those behind it.
"""

from bisect import bisect_left, bisect_right, insort
from itertools import islice
from math import log2
from typing import Final

from sidecar.scheduler.board import Board, Bucket
from sidecar.scheduler.model import NodeView, Request, Resources, Strategy
from sidecar.scheduler.strategies import HEALTH_WEIGHT, STRAINED

__all__ = ["Branch", "Reader", "Shelf", "Shelves", "values_of"]

Branch = tuple[str, ...]
Entry = tuple[float, Bucket]

_FEW: Final = 64
_SLACK: Final = 0.001
"""More than what sums of floats are wrong by, in percent."""


def values_of(labels: tuple[str, ...], node: NodeView) -> Branch:
    """Return a node's values of labels."""
    if not labels:
        return ()
    if len(labels) == 1:
        return (node.labels.get(labels[0], ""),)
    return tuple(node.labels.get(label, "") for label in labels)


class Shelf:
    """Entries of share and bucket, the emptiest first; ``cpu`` and ``memory`` are the extremes."""

    def __init__(self, node: NodeView) -> None:
        """Begin with nodes such as this one."""
        self.health = node.health
        self.strained = int(node.strain >= STRAINED)
        self.cpu = [node.capacity.cpu, node.capacity.cpu]
        self.memory = [node.capacity.memory, node.capacity.memory]
        self.entries: list[Entry] = []

    def widen(self, node: NodeView) -> None:
        """Have the extremes hold for one more node."""
        for size, extremes in (node.capacity.cpu, self.cpu), (node.capacity.memory, self.memory):
            if size < extremes[0]:
                extremes[0] = size
            elif size > extremes[1]:
                extremes[1] = size


class Shelves:
    """All buckets of a board by branch, for requests that ask for CPU, memory, both or neither."""

    def __init__(
        self, board: Board, labels: tuple[str, ...], *, by_cpu: bool, by_memory: bool
    ) -> None:
        """``labels`` make the branches."""
        self.by_branch: dict[Branch, dict[tuple[int, ...], Shelf]] = {}
        self._board = board
        self._labels = labels
        self._by_cpu = by_cpu
        self._by_memory = by_memory
        self._read = 0
        self._held: set[Bucket] = set()
        self._of_kind: dict[int, Shelf | None] = {}
        self._of_size: dict[tuple[Branch, Resources, int, bool], Shelf | None] = {}

    def refresh(self) -> None:
        """Take in the buckets that came since, and leave out those that are gone if they are many.

        A reader goes on by share and bucket: it is not put out by what comes and goes.
        """
        log = self._board.log
        if len(self._held) > 2 * len(self._board.members) + _FEW:
            self._sweep()
        is_many = len(log) - self._read > _FEW
        touched: dict[int, Shelf] = {}
        for bucket in islice(log, self._read, None):
            if bucket in self._held:
                continue
            shelf = self._shelf_of(bucket.kind)
            if shelf is None:
                continue
            self._held.add(bucket)
            entry = self._share(bucket), bucket
            if is_many:
                shelf.entries.append(entry)
                touched[id(shelf)] = shelf
            else:
                insort(shelf.entries, entry)
        for shelf in touched.values():
            shelf.entries.sort()
        self._read = len(log)

    def _sweep(self) -> None:
        members = self._board.members
        self._held &= members.keys()
        for shelves in self.by_branch.values():
            for shelf in shelves.values():
                shelf.entries = [entry for entry in shelf.entries if entry[1] in members]

    def _shelf_of(self, kind: int) -> Shelf | None:
        if kind in self._of_kind:
            return self._of_kind[kind]
        node = self._board.kinds[kind]
        branch = values_of(self._labels, node)
        size = branch, node.capacity, node.health, node.strain >= STRAINED
        if size not in self._of_size:
            self._of_size[size] = self._placed(branch, node)
        found = self._of_kind[kind] = self._of_size[size]
        return found

    def _placed(self, branch: Branch, node: NodeView) -> Shelf | None:
        """Return the shelf of a kind; None: it has none of what is asked for."""
        has = node.capacity
        if (self._by_cpu and has.cpu <= 0) or (self._by_memory and has.memory <= 0):
            return None
        size = _step(has.cpu) if self._by_cpu else 0, _step(has.memory) if self._by_memory else 0
        key = int(node.strain >= STRAINED), node.health, *size
        shelves = self.by_branch.setdefault(branch, {})
        shelf = shelves.get(key)
        if shelf is None:
            shelf = shelves[key] = Shelf(node)
        shelf.widen(node)
        return shelf

    def _share(self, bucket: Bucket) -> float:
        has = self._board.kinds[bucket.kind].capacity
        if self._by_cpu and self._by_memory:
            return bucket.cpu / has.cpu + bucket.memory / has.memory
        if self._by_cpu:
            return bucket.cpu / has.cpu
        return bucket.memory / has.memory if self._by_memory else float(bucket.held)


def _step(size: int) -> int:
    """Return a size roughly: those of one step differ by less than a tenth."""
    return int(log2(size) * 8)


class Reader:
    """Where one ranking stands on a shelf; for ``binpack`` it begins with the fullest."""

    def __init__(self, shelf: Shelf, request: Request) -> None:
        """``request`` asks for what the shelf is sorted by, and has no wishes."""
        self._shelf = shelf
        self._is_packing = request.strategy is Strategy.BINPACK
        self._last: Entry | None = None
        self._head: tuple[int, ...] = (0, shelf.strained)
        if request.strategy is Strategy.BALANCED:
            self._head = 0, shelf.strained, 0
            self._base = 0.0
        else:
            self._base = -float(HEALTH_WEIGHT * shelf.health)
        wanted = request.resources
        self._is_by_held = not (wanted.cpu or wanted.memory)
        end = 0 if self._is_packing else 1
        self._sum = sum(
            100.0 * asked / size[end] if asked else 100.0
            for asked, size in ((wanted.cpu, shelf.cpu), (wanted.memory, shelf.memory))
        )

    def bound(self) -> tuple[float, ...] | None:
        """Return a key that is not greater than that of any bucket left; None: none is left."""
        at = self._at()
        if at is None:
            return None
        share = self._shelf.entries[at][0]
        if self._is_packing:
            if self._is_by_held:
                return *self._head, self._base - self._sum, -share
            return *self._head, self._base - self._sum - 100.0 * share - _SLACK
        if self._is_by_held:
            return *self._head, self._base + self._sum, share
        # Each of two shares is rounded down.
        return *self._head, self._base + self._sum + 100.0 * share - 2.0 - _SLACK

    def take(self) -> Bucket:
        """Return the next bucket, which may be empty by now."""
        at = self._at()
        if at is None:
            raise IndexError("nothing is left")
        self._last = self._shelf.entries[at]
        return self._last[1]

    def _at(self) -> int | None:
        entries = self._shelf.entries
        if self._is_packing:
            at = (len(entries) if self._last is None else bisect_left(entries, self._last)) - 1
            return at if at >= 0 else None
        at = 0 if self._last is None else bisect_right(entries, self._last)
        return at if at < len(entries) else None
