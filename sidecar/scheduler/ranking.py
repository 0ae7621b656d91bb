"""The best bucket for one kind of request, without looking at all of them each time. Pure.

A ranking is a heap of buckets for one *shape*: what a request asks for, without its name, its slot
and what only single nodes can answer. It is kept by the placer and taken up again for the next
request of that shape: buckets that came since are read from the board's log, buckets that ran
empty are dropped when they come up. So a decision costs what changed, not what there is.
"""

from collections.abc import Container, Iterator
from heapq import heappop, heappush
from itertools import islice
from typing import Final, NamedTuple

from sidecar.scheduler.board import Board, Bucket
from sidecar.scheduler.filters import fits, has_slot, is_met, is_of_platform
from sidecar.scheduler.model import Availability, NodeView, Policy, Request, State, Strategy
from sidecar.scheduler.strategies import STRAINED, Key, key_of

__all__ = ["Branch", "Choice", "Ranking", "branch_of", "rank_of", "shape_of"]

Branch = tuple[str, ...]

_ATTEMPTS: Final = 32


class Choice(NamedTuple):
    """A node and how it ranks."""

    key: Key
    node: str
    runner_up: str = ""


def shape_of(request: Request) -> tuple[object, ...]:
    """Return what two requests must have in common to share a ranking."""
    return (
        request.strategy,
        request.resources,
        request.constraints,
        request.soft,
        request.platform,
        request.spread_over,
    )


def branch_of(request: Request, policy: Policy, node: NodeView) -> Branch:
    """Return the values of the labels over which containers are to be spread."""
    labels = request.spread_over
    if not labels and request.strategy is Strategy.BALANCED and policy.domain:
        labels = (policy.domain,)
    return tuple(node.labels.get(label, "") for label in labels)


def rank_of(request: Request, node: NodeView, bucket: Bucket, soft: int, copies: int) -> Key:
    """Return the whole key: wishes first, then nodes on which much failed, then the strategy."""
    return -soft, int(node.strain >= STRAINED), *key_of(request, node, bucket, copies)


class Ranking:
    """Buckets by branch, the best on top."""

    def __init__(self, board: Board, request: Request) -> None:
        """``request`` stands for all of its shape; its rules are about kinds of nodes only."""
        self._board = board
        self._request = request
        self._read = 0
        self._heaps: dict[Branch, list[tuple[Key, Bucket]]] = {}
        self._known: set[Bucket] = set()
        self._kinds: dict[int, tuple[int, Branch] | None] = {}

    def refresh(self) -> None:
        """Take in the buckets that came since."""
        log = self._board.log
        if self._read == len(log):
            return
        for bucket in log[self._read :]:
            if bucket not in self._known and bucket in self._board.members:
                self._take(bucket)
        self._read = len(log)

    def branches(self) -> Iterator[Branch]:
        """Return the branches that may have room."""
        return iter(list(self._heaps))

    def best(self, branch: Branch, pick: int, but: Container[str]) -> Choice | None:
        """Return the best node of a branch; ``pick`` chooses among equals, ``but`` are left out."""
        heap = self._heaps.get(branch, [])
        aside: list[tuple[Key, Bucket]] = []
        found: Choice | None = None
        while heap and found is None:
            tied = self._tied(heap)
            aside += tied
            found = self._pick(tied, pick, but)
        for entry in aside:
            heappush(heap, entry)
        return found

    def _tied(self, heap: list[tuple[Key, Bucket]]) -> list[tuple[Key, Bucket]]:
        """Take all that share the best key off the heap."""
        tied: list[tuple[Key, Bucket]] = []
        members = self._board.members
        while heap and (not tied or heap[0][0] == tied[0][0]):
            entry = heappop(heap)
            if entry[1] in members:
                tied.append(entry)
            else:
                self._known.discard(entry[1])
        return tied

    def _pick(
        self, tied: list[tuple[Key, Bucket]], pick: int, but: Container[str]
    ) -> Choice | None:
        groups = [self._board.members[bucket] for _, bucket in tied]
        size = sum(map(len, groups))
        free = (name for name in _walk(groups, pick % size if size else 0) if name not in but)
        first = next(free, None)
        return None if first is None else Choice(tied[0][0], first, next(free, ""))

    def any_of(self, pick: int, but: Container[str]) -> Choice | None:
        """Return one of all nodes that will do, each as likely: those that won't are passed."""
        names, state = self._board.names, pick
        for _ in range(min(_ATTEMPTS, len(names))):
            name = names[state % len(names)]
            if self._board.bucket_of(name) in self._known and name not in but:
                return Choice((), name)
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64 >> 1
        fit = [
            name for name in names if self._board.bucket_of(name) in self._known and name not in but
        ]
        return Choice((), fit[pick % len(fit)]) if fit else None

    def _take(self, bucket: Bucket) -> None:
        if bucket.kind not in self._kinds:
            self._kinds[bucket.kind] = self._judged(self._board.kinds[bucket.kind])
        judged = self._kinds[bucket.kind]
        if judged is None or not self._has_room(bucket):
            return
        soft, branch = judged
        node = self._board.kinds[bucket.kind]
        entry = rank_of(self._request, node, bucket, soft, 0), bucket
        heappush(self._heaps.setdefault(branch, []), entry)
        self._known.add(bucket)

    def _judged(self, node: NodeView) -> tuple[int, Branch] | None:
        """Return the worth of the wishes that a kind fulfils and its branch; None: unfit."""
        if node.state is not State.UP or node.health <= 0:
            return None
        if node.availability is not Availability.ACTIVE:
            return None
        request = self._request
        if not all(is_met(rule, node) for rule in request.constraints):
            return None
        if not is_of_platform(request.platform, node):
            return None
        soft = sum(wish.weight for wish in request.soft if is_met(wish.expression, node))
        return soft, branch_of(request, self._board.policy, node)

    def _has_room(self, bucket: Bucket) -> bool:
        node = self._board.kinds[bucket.kind]
        wanted, has, policy = self._request.resources, node.capacity, self._board.policy
        return (
            (not wanted.cpu or fits(bucket.cpu, wanted.cpu, has.cpu, policy))
            and (not wanted.memory or fits(bucket.memory, wanted.memory, has.memory, policy))
            and has_slot(node, bucket.held)
        )


def _walk(groups: list[list[str]], begin: int) -> Iterator[str]:
    """Return all names, from the one at ``begin`` on and round to it."""
    at, skip = 0, begin
    while at < len(groups) and skip >= len(groups[at]):
        skip -= len(groups[at])
        at += 1
    order = [*groups[at:], *groups[:at]]
    if not order:
        return
    yield from islice(order[0], skip, None)
    for group in order[1:]:
        yield from group
    yield from islice(order[0], skip)
