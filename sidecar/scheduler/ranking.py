"""The best bucket for one kind of request, without looking at all of them each time. Pure.

A ranking has the buckets for one *shape*: what a request asks for, without its name, its slot and
what only single nodes can answer. Those that rank alike are a ``Tier``. It is kept by the placer
and taken up again for the next request of that shape: buckets that came since are read from the
board's log, those that ran empty are dropped when they come up. A new one takes from the shelves
only what may rank with the best. So a decision costs what changed and how many rank alike, not what
there is.
"""

from bisect import bisect_left, insort
from collections.abc import Container, Iterable, Iterator
from typing import Final, NamedTuple

from sidecar.scheduler.board import Board, Bucket
from sidecar.scheduler.filters import fits, has_slot, is_met, is_of_platform, weighs
from sidecar.scheduler.model import Availability, NodeView, Policy, Request, State, Strategy
from sidecar.scheduler.shelves import Branch, Reader, Shelves, values_of
from sidecar.scheduler.strategies import STRAINED, Key, key_of
from sidecar.scheduler.tiers import Tier

__all__ = [
    "Branch",
    "Choice",
    "Ranking",
    "branch_of",
    "is_by_share",
    "labels_of",
    "rank_of",
    "shape_of",
]

_ATTEMPTS: Final = 32
_SOME: Final = 16


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


def is_by_share(request: Request) -> bool:
    """Return whether how full nodes are decides first of all."""
    return not request.soft and request.strategy is not Strategy.RANDOM


def labels_of(request: Request, policy: Policy) -> tuple[str, ...]:
    """Return the labels over which containers are to be spread."""
    if not request.spread_over and request.strategy is Strategy.BALANCED and policy.domain:
        return (policy.domain,)
    return request.spread_over


def branch_of(request: Request, policy: Policy, node: NodeView) -> Branch:
    """Return a node's values of them."""
    return values_of(labels_of(request, policy), node)


def rank_of(request: Request, node: NodeView, bucket: Bucket, soft: int, copies: int) -> Key:
    """Return the whole key: wishes first, then nodes on which much failed, then the strategy."""
    return -soft, int(node.strain >= STRAINED), *key_of(request, node, bucket, copies)


class Ranking:
    """Tiers by branch, the best first."""

    def __init__(self, board: Board, request: Request, shelves: Shelves | None = None) -> None:
        """``request`` stands for all of its shape; its rules are about kinds of nodes only.

        ``shelves`` are of its branches and resources, if it ``is_by_share``.
        """
        self._board = board
        self._request = request
        self._read = 0
        self._readers: dict[Branch, list[Reader]] = {}
        self._bounds: dict[Branch, tuple[float, ...]] = {}
        """What is left on the shelves of a branch ranks not before this."""
        self._keys: dict[Branch, list[Key]] = {}
        self._tiers: dict[tuple[Branch, Key], Tier] = {}
        self._known: dict[Bucket, Tier] = {}
        self._kinds: dict[int, tuple[int, Branch] | None] = {}
        self._spent: dict[Tier, int] | None = None
        self._fronts: dict[Branch, Key] = {}
        """Below these all tiers are in ``spent`` as it was given last."""
        if shelves is not None:
            self._read_from(shelves)

    def _read_from(self, shelves: Shelves) -> None:
        shelves.refresh()
        self._read = len(self._board.log)
        for branch, found in shelves.by_branch.items():
            self._keys[branch] = []
            self._readers[branch] = [Reader(shelf, self._request) for shelf in found.values()]
            self._bound(branch)

    def refresh(self) -> None:
        """Take in the buckets that came since."""
        log = self._board.log
        for bucket in log[self._read :] if self._read < len(log) else ():
            self._take(bucket)
        self._read = len(log)

    def _take(self, bucket: Bucket) -> None:
        names = self._board.members.get(bucket)
        if names is None:
            return
        tier = self._known.get(bucket) or self._tier_of(bucket)
        if tier is not None:
            tier.put(bucket, names)
            self._known[bucket] = tier
            if tier.key < self._fronts.get(tier.branch, tier.key):
                self._fronts[tier.branch] = tier.key

    def _fill(self, branch: Branch, key: Key | None) -> bool:
        """Take what may rank with a key or before it; None: whatever comes next."""
        bound = self._bounds.get(branch)
        if bound is None or (key is not None and bound > key):
            return False
        known = len(self._known)
        for reader in self._readers[branch]:
            few = _SOME
            while (here := reader.bound()) is not None and (few if key is None else here <= key):
                self._take(reader.take())
                few -= 1
        self._bound(branch)
        return key is None or len(self._known) > known

    def _bound(self, branch: Branch) -> None:
        bounds = (reader.bound() for reader in self._readers[branch])
        least = min((each for each in bounds if each is not None), default=None)
        if least is None:
            self._bounds.pop(branch, None)
        else:
            self._bounds[branch] = least

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
        while True:
            # What is taken ranks not before the tiers that were passed: ``at`` stays where it is.
            if self._fill(branch, keys[at] if at < len(keys) else None):
                continue
            if at >= len(keys):
                return None
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
            if self._will_do(self._board.bucket_of(name)) and name not in but:
                return Choice((), name)
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64 >> 1
        fit = [
            name for name in names if name not in but and self._will_do(self._board.bucket_of(name))
        ]
        return Choice((), fit[pick % len(fit)]) if fit else None

    def _tier_of(self, bucket: Bucket) -> Tier | None:
        """Return where a bucket belongs; None: its nodes won't do."""
        judged = self._judgement(bucket.kind)
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

    def _will_do(self, bucket: Bucket) -> bool:
        return self._judgement(bucket.kind) is not None and self._has_room(bucket)

    def _judgement(self, kind: int) -> tuple[int, Branch] | None:
        if kind not in self._kinds:
            self._kinds[kind] = self._judged(self._board.kinds[kind])
        return self._kinds[kind]

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
        if not has_slot(node, bucket.held):
            return False
        if not weighs(self._request, policy):
            return True
        return (not wanted.cpu or fits(bucket.cpu, wanted.cpu, has.cpu, policy)) and (
            not wanted.memory or fits(bucket.memory, wanted.memory, has.memory, policy)
        )
