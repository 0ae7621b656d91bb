"""Which copies move to nodes that joined (``x-pinnace.rebalance: on-join``). Pure.

A copy moves where its branch or its node has two copies of the service more than another one: at
the first level where the ways to both differ, so that no level above gets worse. Between nodes of
one branch its strategy must rank it better there than where it is, too, so that what placing
decides is never undone. Each move makes the difference smaller; they come to an end.

Which moves are under way is in ``Memory``: such a copy counts as outdated, and the rollout does the
rest (another one is started elsewhere, must be ready, then this one is drained and stopped). Losing
the memory leaves two copies of a slot, of which one goes.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from sidecar.scheduler.board import Board, Bucket
from sidecar.scheduler.cluster import Cluster, Copy, Goal, Stage
from sidecar.scheduler.filters import refusal_of
from sidecar.scheduler.memory import Memory, Move
from sidecar.scheduler.model import Request
from sidecar.scheduler.ranking import branch_of, labels_of, rank_of
from sidecar.scheduler.searching import worth_of
from sidecar.scheduler.shelves import values_of
from sidecar.scheduler.sight import Sight
from sidecar.scheduler.standing import Standing
from sidecar.scheduler.strategies import Key

__all__ = ["most_moves", "rebalanced", "remembered"]

_SHARE: Final = 10
"""One of so many containers may move in a minute."""
_MINUTE: Final = 60.0
_REST: Final = 600.0
"""A service of which a moved copy failed stays as it is for so long."""

_Counts = tuple[int, ...]


def most_moves(cluster: Cluster) -> int:
    """Return how many copies of all may move within a minute."""
    running = sum(
        copy.stage is Stage.RUNNING for copies in cluster.copies.values() for copy in copies
    )
    return max(running // _SHARE, 1)


def remembered(memory: Memory, cluster: Cluster, now: float) -> Memory:
    """Return the memory without the moves that are over."""
    if not memory.moves and not memory.moved and not memory.unmoved:
        return memory
    alive = {
        (service, copy.slot, copy.incarnation)
        for service, copies in cluster.copies.items()
        for copy in copies
        if copy.stage is not Stage.EXITED
    }
    return replace(
        memory,
        moves={key: move for key, move in memory.moves.items() if key in alive},
        moved=tuple(at for at in memory.moved if now - at < _MINUTE),
        unmoved={name: at for name, at in memory.unmoved.items() if now - at < _REST},
    )


def rebalanced(  # noqa: PLR0917 - one look's worth of what is known
    goal: Goal, copies: Iterable[Copy], memory: Memory, sight: Sight, board: Board, now: float,
    most: int,
) -> Memory:  # fmt: skip
    """Return the memory with another move of a service begun, if it is time for one."""
    if not goal.rebalances or goal.is_everywhere or goal.pod or not goal.slots:
        return memory
    alive = [copy for copy in copies if copy.stage is not Stage.EXITED and copy.slot in goal.slots]
    memory = _given_up(goal, alive, memory, now)
    own = [move.node for key, move in memory.moves.items() if key[0] == goal.service]
    if not _is_calm(goal, alive, memory, sight) or len(own) >= (goal.update.parallelism or most):
        return memory
    stay = [each for each in alive if not _moves(goal, each, memory)]
    found = _candidate(goal, stay, Counter(own), board)
    if found is None:
        return memory
    for due in (_due(memory.moved, most), memory.unmoved.get(goal.service, now - _REST) + _REST):
        if due > now:
            sight.wait(due)
            return memory
    move = Move(found.node, now)
    key = goal.service, found.slot, found.incarnation
    return replace(memory, moves={**memory.moves, key: move}, moved=(*memory.moved, now))


def _due(moved: Sequence[float], most: int) -> float:
    return moved[-most] + _MINUTE if len(moved) >= most else float("-inf")


def _moves(goal: Goal, copy: Copy, memory: Memory) -> bool:
    return (goal.service, copy.slot, copy.incarnation) in memory.moves


def _given_up(goal: Goal, alive: Sequence[Copy], memory: Memory, now: float) -> Memory:
    """Return the memory without the moves that did not work: the copy stays where it is."""
    lost = []
    for key, move in memory.moves.items():
        service, slot, incarnation = key
        if service != goal.service:
            continue
        held = [copy for copy in alive if copy.slot == slot]
        if any(copy.is_draining for copy in held if copy.incarnation == incarnation):
            continue
        failed = any(at >= move.at for at in memory.failures_of(service, slot, goal.spec))
        if failed or (len(held) < 2 and now - move.at >= _MINUTE):
            lost.append(key)
    if not lost:
        return memory
    kept = {key: move for key, move in memory.moves.items() if key not in lost}
    return replace(memory, moves=kept, unmoved={**memory.unmoved, goal.service: now})


def _is_calm(goal: Goal, alive: Sequence[Copy], memory: Memory, sight: Sight) -> bool:
    """Return whether each slot that does not move has one copy, current, ready and not new."""
    if goal.is_paused or (goal.service, goal.spec) in memory.paused:
        return False
    moving = {copy.slot for copy in alive if _moves(goal, copy, memory)}
    rest = [copy for copy in alive if copy.slot not in moving]
    if sorted(copy.slot for copy in rest) != sorted(goal.slots.keys() - moving):
        return False
    return all(
        sight.is_current(copy, goal)
        and sight.is_ready(copy, goal)
        and not sight.is_watched(copy, goal)
        for copy in rest
    )


def _candidate(
    goal: Goal, copies: Sequence[Copy], leaving: Mapping[str, int], board: Board
) -> Copy | None:
    """Return the copy that gains most by moving, None when none gains.

    ``leaving``: how many copies are about to leave each node.
    """
    pattern = next(iter(goal.slots.values()))
    if not _is_worth_a_look(pattern, leaving, board):
        return None
    paths = {
        name: (*branch_of(pattern, board.policy, standing.view), name)
        for name, standing in board.standings.items()
    }
    counts: dict[tuple[str, ...], int] = {}
    for name, number in board.copies(pattern.key).items():
        for level in range(1, len(paths[name]) + 1):
            way = paths[name][:level]
            counts[way] = counts.get(way, 0) + number - leaving.get(name, 0)
    ways = {name: _ways(path) for name, path in paths.items()}
    full = {name: tuple(counts.get(way, 0) for way in found) for name, found in ways.items()}
    sources: dict[tuple[str, ...], tuple[_Counts, int, Copy]] = {}
    for copy in copies:
        if copy.node in paths:
            source = full[copy.node], copy.incarnation, copy
            known = sources.get(paths[copy.node][:-1])
            if known is None or source[:2] > known[:2]:
                sources[paths[copy.node][:-1]] = source
    if not sources or not _is_uneven(full.values()):
        return None
    targets = _targets(pattern, board, paths, full)
    for _, _, copy in sorted(sources.values(), key=lambda each: each[0], reverse=True):
        for name in targets:
            if _gains(pattern, copy.node, name, board, ways, counts):
                return copy
    return None


def _is_worth_a_look(request: Request, leaving: Mapping[str, int], board: Board) -> bool:
    """Return whether anywhere two numbers that are compared may differ by two.

    It asks nodes that have copies only: most services are even, and there may be many nodes.
    """
    own = {
        name: number - leaving.get(name, 0) for name, number in board.copies(request.key).items()
    }
    if _range_of(own.values(), len(board.standings)) >= 2:
        return True
    labels = labels_of(request, board.policy)
    branches = board.branches(labels)
    for level in range(1, len(labels) + 1):
        counts = Counter[tuple[str, ...]]()
        for name, number in own.items():
            counts[values_of(labels, board.standings[name].view)[:level]] += number
        if _range_of(counts.values(), len({branch[:level] for branch in branches})) >= 2:
            return True
    return False


def _range_of(numbers: Collection[int], size: int) -> int:
    """Return how far numbers are apart; of ``size`` in all, those that are missing are 0."""
    least = 0 if len(numbers) < size else min(numbers, default=0)
    return max(numbers, default=0) - least


def _is_uneven(full: Iterable[_Counts]) -> bool:
    own = [each[-1] for each in full]
    return max(own) > min(own)


def _ways(path: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(path[:level] for level in range(1, len(path) + 1))


def _targets(
    request: Request,
    board: Board,
    paths: Mapping[str, tuple[str, ...]],
    full: Mapping[str, _Counts],
) -> list[str]:
    """Return the emptiest node of each branch, the emptiest branch first."""
    best: dict[tuple[str, ...], tuple[_Counts, Key, str]] = {}
    for name, standing in board.standings.items():
        if refusal_of(request, standing, board.policy) is None:
            found = full[name], _rank(request, standing, 0), name
            branch = paths[name][:-1]
            best[branch] = min(best.get(branch, found), found)
    return [name for _, _, name in sorted(best.values())]


def _rank(request: Request, standing: Standing, without: int) -> Key:
    """Return how a node ranks for a copy, ``without`` so many of those that it has."""
    wanted = request.resources
    bucket = Bucket(
        0,
        standing.cpu - without * wanted.cpu,
        standing.memory - without * wanted.memory,
        standing.count - without,
    )
    copies = standing.copies.get(request.key, 0) - without
    return rank_of(request, standing.view, bucket, worth_of(request, standing), copies)


def _gains(  # noqa: PLR0917 - both nodes, and what is known of all
    request: Request, here: str, there: str, board: Board,
    ways: Mapping[str, tuple[tuple[str, ...], ...]], counts: Mapping[tuple[str, ...], int],
) -> bool:  # fmt: skip
    """Return whether a copy is better off there, by numbers and by its strategy."""
    pairs = zip(ways[here], ways[there], strict=True)
    one, other = next(((a, b) for a, b in pairs if a != b), ((), ()))
    if counts.get(one, 0) - counts.get(other, 0) < 2:
        return False
    if one != ways[here][-1]:  # another branch: for placing that comes before the strategy
        return True
    better = _rank(request, board.standings[there], 0)
    return better < _rank(request, board.standings[here], 1)
