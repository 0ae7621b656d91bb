"""Find the best node for requests that are alike, again and again. Pure.

``Buckets`` asks a ranking and leaves out the nodes that only ports, copies or a wish to move away
rule out. ``AllNodes`` asks every filter of every node once, and then again of those that changed.
Both fill branches (the values of the labels to spread over) evenly; a full one leaves its share to
the others.
"""

from collections.abc import Iterable, Mapping
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Protocol
from zlib import crc32

from sidecar.scheduler.board import Board, Bucket
from sidecar.scheduler.expressions import Expression
from sidecar.scheduler.filters import (
    is_affine,
    is_met,
    port_holder,
    protocols,
    refusal_of,
    wanted_ports,
)
from sidecar.scheduler.model import Request, Strategy
from sidecar.scheduler.ranking import Branch, Choice, Ranking, labels_of, rank_of
from sidecar.scheduler.shelves import values_of
from sidecar.scheduler.standing import Standing
from sidecar.scheduler.strategies import Key

if TYPE_CHECKING:
    from sidecar.scheduler.tiers import Tier

__all__ = ["AllNodes", "Buckets", "Search", "home_of", "worth_of"]


class Search(Protocol):
    """Answers for one batch."""

    def best(self, pick: int) -> Choice | None:
        """Return the best node, None when there is none; ``pick`` chooses among equals."""

    def placed(self, node: str) -> None:
        """Note that one of the batch went to a node."""


class _Branches:
    """How many copies of the service each branch has, on each level of the tree."""

    def __init__(self, board: Board, request: Request) -> None:
        self._board = board
        self._labels = labels_of(request, board.policy)
        self._counts: dict[Branch, int] = {}
        if self._labels:
            for node, copies in board.copies(request.key).items():
                self.add(self.of(node), copies)

    def of(self, node: str) -> Branch:
        """Return the branch of a node."""
        return values_of(self._labels, self._board.standings[node].view)

    def add(self, branch: Branch, copies: int = 1) -> None:
        """Count copies."""
        for level in range(1, len(branch) + 1):
            path = branch[:level]
            self._counts[path] = self._counts.get(path, 0) + copies

    def in_order(self, branches: Iterable[Branch]) -> list[tuple[tuple[int, ...], Branch]]:
        """Return the branches with their counts from the root on, the emptiest first."""
        if len(self._labels) == 1:
            return sorted([((self._counts.get(branch, 0),), branch) for branch in branches])
        found = [
            (tuple(self._counts.get(branch[:n], 0) for n in range(1, len(branch) + 1)), branch)
            for branch in branches
        ]
        return sorted(found) if len(found) > 1 else found


class Buckets:
    """Searches by ranking."""

    def __init__(self, board: Board, request: Request, ranking: Ranking) -> None:
        """The request's rules are about kinds of nodes only."""
        self._board = board
        self._request = request
        self._ranking = ranking
        self._branches = _Branches(board, request)
        self._holds_port = any(True for _ in wanted_ports(request))
        self._ranks_copies = request.strategy is Strategy.BALANCED
        is_even = bool(request.spread_over or request.soft)
        self._is_any = request.strategy is Strategy.RANDOM and not is_even
        self._but = {*request.avoid, *_busy(board, request)}
        self._own = AllNodes(board, request, ()) if self._ranks_copies else None
        self._unseen: dict[str, None] = {}
        """Nodes with copies at which ``own`` is to look before it is asked."""
        self._floor = -sum(wish.weight for wish in request.soft), 0, 1
        """No node with a copy ranks before this: all wishes, no strain, one copy."""
        leaves_out_all = self._ranks_copies or self._holds_port
        self._spent: dict[Tier, int] | None = {} if leaves_out_all else None
        if self._ranks_copies or request.max_per_node:
            for node, copies in board.copies(request.key).items():
                self._note(node, copies)

    def best(self, pick: int) -> Choice | None:
        """Return the best node, None when there is none."""
        if self._is_any:
            return self._ranking.any_of(pick, self._but)
        self._ranking.refresh()
        found: Choice | None = None
        fill: tuple[int, ...] | None = None
        for counts, branch in self._branches.in_order(self._ranking.branches()):
            if found is not None and counts != fill:
                break
            choice = self._best_of(branch, pick)
            if choice is not None and (found is None or choice.key < found.key):
                found, fill = choice, counts
        return found

    def _best_of(self, branch: Branch, pick: int) -> Choice | None:
        choice = self._ranking.best(branch, pick, self._but, self._spent)
        if self._own is None or (choice is not None and choice.key < self._floor):
            return choice
        for node in self._unseen:
            self._own.look_at(node)
        self._unseen.clear()
        own = self._own.best_of(branch)
        if own is None or (choice is not None and choice.key <= own.key):
            return choice
        return own

    def placed(self, node: str) -> None:
        """Note that one of the batch went to a node."""
        self._branches.add(self._branches.of(node))
        if self._holds_port:
            self._but.add(node)
        self._note(node, self._board.copies(self._request.key)[node])

    def _note(self, node: str, copies: int) -> None:
        if self._own is not None:  # how many copies it has decides its rank: it stands for itself
            self._but.add(node)
            self._unseen[node] = None
        elif self._request.max_per_node and copies >= self._request.max_per_node:
            self._but.add(node)


def _busy(board: Board, request: Request) -> set[str]:
    busy: set[str] = set()
    policy = board.policy
    for port, is_host in wanted_ports(request):
        for protocol in protocols(port, policy):
            busy.update(
                node
                for node in board.holders(protocol, port.number)
                if port_holder(port, board.standings[node], policy, is_host=is_host)
            )
    return busy


class AllNodes:
    """Searches node by node."""

    def __init__(self, board: Board, request: Request, nodes: Iterable[str] | None = None) -> None:
        """Ask the filters about ``nodes``, by default all of them."""
        self._board = board
        self._request = request
        self._branches = _Branches(board, request)
        self._heaps: dict[Branch, list[tuple[Key, int, str]]] = {}
        self._keys: dict[str, Key] = {}
        self._stem = f"{board.policy.seed}/{request.stack}/{request.service}/{request.slot}/"
        self._home = home_of(board, request)
        for node in board.standings if nodes is None else nodes:
            self.look_at(node)

    def best(self, pick: int) -> Choice | None:  # noqa: ARG002 - ties are told apart beforehand
        """Return the best node, None when there is none."""
        found: Choice | None = None
        fill: tuple[int, ...] | None = None
        for counts, branch in self._branches.in_order(list(self._heaps)):
            if found is not None and counts != fill:
                break
            choice = self.best_of(branch)
            if choice is not None and (found is None or choice.key < found.key):
                found, fill = choice, counts
        return found

    def best_of(self, branch: Branch) -> Choice | None:
        """Return the best node of a branch, None when there is none."""
        heap = self._heaps.get(branch, [])
        if not self._top(heap):
            return None
        best = heappop(heap)
        second = heap[0][2] if self._top(heap) else ""
        heappush(heap, best)
        return Choice(best[0], best[2], second)

    def _top(self, heap: list[tuple[Key, int, str]]) -> bool:
        """Drop what was overtaken from the top; say whether anything is left."""
        while heap and self._keys.get(heap[0][2]) != heap[0][0]:
            heappop(heap)
        return bool(heap)

    def placed(self, node: str) -> None:
        """Note that one of the batch went to a node."""
        self._branches.add(self._branches.of(node))
        self.look_at(node)

    def look_at(self, node: str) -> None:
        """Ask the filters about a node again."""
        standing, request = self._board.standings[node], self._request
        self._keys.pop(node, None)
        if self._home and node not in self._home:
            return
        if refusal_of(request, standing, self._board.policy) is not None:
            return
        bucket = Bucket(0, standing.cpu, standing.memory, standing.count)
        copies = standing.copies.get(request.key, 0)
        key = rank_of(request, standing.view, bucket, worth_of(request, standing), copies)
        self._keys[node] = key
        tie = crc32(f"{self._stem}{node}".encode())
        heappush(self._heaps.setdefault(self._branches.of(node), []), (key, tie, node))


def worth_of(request: Request, standing: Standing) -> int:
    """Return the sum of the wishes that a node fulfils."""
    worth = 0
    for wish in request.soft:
        rule = wish.expression
        if wish.is_affinity and isinstance(rule, Expression):
            worth += wish.weight * is_affine(rule, standing)
        else:
            worth += wish.weight * is_met(rule, standing.view)
    return worth


def home_of(board: Board, request: Request) -> Mapping[str, str]:
    """Return the only node that has the named volumes, with the volume; empty: any will do."""
    for volume in request.volumes:
        nodes = board.volume(volume)
        if len(nodes) == 1:
            return dict.fromkeys(nodes, volume)
    return {}
