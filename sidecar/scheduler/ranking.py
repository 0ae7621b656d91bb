"""The best bucket for one kind of request, without looking at all of them each time. Pure.

A ranking has the buckets for one *shape*: what a request asks for, without its name, its slot and
what only single nodes can answer. Those that rank alike are a *tier*. It is kept by the placer and
taken up again for the next request of that shape: buckets that came since are read from the
board's log, those that ran empty are dropped when they come up. So a decision costs what changed
and how many rank alike, not what there is.
"""

from bisect import bisect_left, insort
from collections.abc import Container, Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from sidecar.scheduler.board import Board, Bucket
from sidecar.scheduler.filters import fits, has_slot, is_met, is_of_platform
from sidecar.scheduler.model import Availability, NodeView, Policy, Request, State, Strategy
from sidecar.scheduler.strategies import STRAINED, Key, key_of

__all__ = ["Branch", "Choice", "Ranking", "Tier", "branch_of", "rank_of", "shape_of"]

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


class Tier:
    """Buckets with one key, in their order, each with the names of its nodes.

    A list of names is the board's own: it follows what is placed, and is empty when its bucket is.
    """

    __slots__ = ("branch", "buckets", "key", "names", "version")

    def __init__(self, branch: Branch, key: Key) -> None:
        """Begin with none."""
        self.branch = branch
        self.key = key
        self.buckets: list[Bucket] = []
        self.names: list[list[str]] = []
        self.version = 0
        """Grows with each bucket that comes."""

    def put(self, bucket: Bucket, names: list[str]) -> None:
        """Take in a bucket, or one that had run empty anew."""
        at = bisect_left(self.buckets, bucket)
        if at < len(self.buckets) and self.buckets[at] == bucket:
            self.names[at] = names
        else:
            self.buckets.insert(at, bucket)
            self.names.insert(at, names)
        self.version += 1

    def sweep(self) -> list[Bucket]:
        """Leave out the buckets that are empty; return them."""
        pairs = [*zip(self.buckets, self.names, strict=True)]
        self.buckets = [bucket for bucket, names in pairs if names]
        self.names = [names for _, names in pairs if names]
        return [bucket for bucket, names in pairs if not names]

    def pick(self, sizes: list[int], begin: int, but: Container[str]) -> tuple[str, str] | None:
        """Return the first node from ``begin`` on that is not left out, and the one after it."""
        free = (name for name in _walk(self.names, sizes, begin) if name not in but)
        first = next(free, None)
        return None if first is None else (first, next(free, ""))


class Ranking:
    """Tiers by branch, the best first."""

    def __init__(self, board: Board, request: Request) -> None:
        """``request`` stands for all of its shape; its rules are about kinds of nodes only."""
        self._board = board
        self._request = request
        self._read = 0
        self._keys: dict[Branch, list[Key]] = {}
        self._tiers: dict[tuple[Branch, Key], Tier] = {}
        self._known: dict[Bucket, Tier] = {}
        self._kinds: dict[int, tuple[int, Branch] | None] = {}
        self._spent: dict[Tier, int] | None = None
        self._fronts: dict[Branch, Key] = {}
        """Below these all tiers are in ``spent`` as it was given last."""

    def refresh(self) -> None:
        """Take in the buckets that came since."""
        log, members = self._board.log, self._board.members
        for bucket in log[self._read :] if self._read < len(log) else ():
            names = members.get(bucket)
            if names is None:
                continue
            tier = self._known.get(bucket) or self._tier_of(bucket)
            if tier is not None:
                tier.put(bucket, names)
                self._known[bucket] = tier
                if tier.key < self._fronts.get(tier.branch, tier.key):
                    self._fronts[tier.branch] = tier.key
        self._read = len(log)

    def branches(self) -> Iterator[Branch]:
        """Return the branches that may have room."""
        return iter(list(self._keys))

    def best(
        self, branch: Branch, pick: int, but: Container[str], spent: dict[Tier, int] | None = None
    ) -> Choice | None:
        """Return the best node of a branch; ``pick`` chooses among equals, ``but`` are left out.

        ``spent`` keeps for a caller which tiers have only nodes that are left out. It may be given
        where all that is placed meanwhile is left out as well.
        """
        keys = self._keys.get(branch, [])
        at = self._front(keys, branch, spent)
        while at < len(keys):
            key = keys[at]
            tier = self._tiers[branch, key]
            if spent is not None and spent.get(tier) == tier.version:
                at += 1
                continue
            sizes = [*map(len, tier.names)]
            size = sum(sizes)
            if sizes.count(0) * 2 > len(sizes):
                self._forget(tier.sweep())
                if not size:
                    del keys[at], self._tiers[branch, key]
                    continue
                sizes = [*map(len, tier.names)]
            found = tier.pick(sizes, pick % size, but)
            if found is not None:
                if spent is not None:
                    self._fronts[branch] = key
                return Choice(key, *found)
            if spent is not None:
                spent[tier] = tier.version
            at += 1
        return None

    def _front(self, keys: list[Key], branch: Branch, spent: dict[Tier, int] | None) -> int:
        """Return where to begin."""
        if spent is not self._spent:
            self._spent = spent
            self._fronts.clear()
        front = self._fronts.get(branch)
        return 0 if front is None else bisect_left(keys, front)

    def _forget(self, buckets: Iterable[Bucket]) -> None:
        for bucket in buckets:
            del self._known[bucket]

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

    def _tier_of(self, bucket: Bucket) -> Tier | None:
        """Return where a bucket belongs; None: its nodes won't do."""
        if bucket.kind not in self._kinds:
            self._kinds[bucket.kind] = self._judged(self._board.kinds[bucket.kind])
        judged = self._kinds[bucket.kind]
        if judged is None or not self._has_room(bucket):
            return None
        soft, branch = judged
        node = self._board.kinds[bucket.kind]
        key = rank_of(self._request, node, bucket, soft, 0)
        tier = self._tiers.get((branch, key))
        if tier is None:
            tier = self._tiers[branch, key] = Tier(branch, key)
            insort(self._keys.setdefault(branch, []), key)
        return tier

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


def _walk(groups: list[list[str]], sizes: list[int], begin: int) -> Iterator[str]:
    """Return all names, from the one at ``begin`` on and round to it."""
    at, skip = 0, begin
    while skip >= sizes[at]:
        skip -= sizes[at]
        at += 1
    yield from islice(groups[at], skip, None)
    for other in (*range(at + 1, len(groups)), *range(at)):
        yield from groups[other]
    yield from islice(groups[at], skip)
