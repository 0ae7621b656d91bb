"""Decide where requests go. Pure: nodes, requests and a seed in, placements and refusals out.

Hard filters come first; among what is left the wishes that are fulfilled, then the strategy; equals
are told apart by a hash of seed, service and slot, which is the same for every leader. What was
placed counts for the next request at once. What only single nodes can answer (containers, names) is
asked of each node; everything else goes through a ``Ranking``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import blake2b
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from sidecar.scheduler.board import Board
from sidecar.scheduler.calm import Calm
from sidecar.scheduler.explaining import explain
from sidecar.scheduler.expressions import Expression
from sidecar.scheduler.model import NodeView, Placement, Policy, Refusal, Request
from sidecar.scheduler.ranking import Choice, Ranking, is_by_share, labels_of, shape_of
from sidecar.scheduler.searching import AllNodes, Buckets, Search, home_of
from sidecar.scheduler.shelves import Shelves
from sidecar.scheduler.standing import container_of

if TYPE_CHECKING:
    from sidecar.scheduler.constraints import Constraint

__all__ = ["Decision", "Kept", "Placer", "place"]

Decision = Placement | Refusal

_OF_ONE_NODE: Final = frozenset({"node", "node.id", "node.hostname", "node.ip"})
_MOST_RANKINGS: Final = 64
_TEMPLATE: Final = attrgetter(
    *(name for name in Request.__dataclass_fields__ if name not in {"slot", "name"})
)


def place(
    nodes: Iterable[NodeView], requests: Sequence[Request], policy: Policy | None = None
) -> list[Decision]:
    """Decide all requests in their order, each with what was placed before it in place."""
    return Placer(Board(nodes, policy)).place(requests)


class Placer:
    """Decides on one board, and keeps what it learned about it."""

    def __init__(self, board: Board) -> None:
        """What is placed is added to ``board``; another one is due when that was renewed."""
        self.board = board
        self._rankings: dict[tuple[object, ...], Ranking] = {}
        self._shelves: dict[tuple[tuple[str, ...], bool, bool], Shelves] = {}
        self._refused: dict[tuple[str, str], _Batch] = {}
        """What had no place on the board as it is."""
        self._version = board.version
        self.renewed = board.renewed

    def place(self, requests: Iterable[Request]) -> list[Decision]:
        """Decide requests in their order."""
        decisions: list[Decision] = []
        batch: _Batch | None = None
        for request in requests:
            if batch is None or not batch.is_for(request):
                batch = self._batch(request)
            decisions.append(batch.decide(request))
            if batch.is_refused:
                self._refused[request.key] = batch
        return decisions

    def _batch(self, request: Request) -> "_Batch":
        """Return who decides on a request; on one that was refused on this very board, the same."""
        if self._version != self.board.version:
            self._version = self.board.version
            self._refused.clear()
        known = self._refused.get(request.key)
        if known is not None and known.is_for(request):
            return known
        return _Batch(self.board, request, self._searches(request))

    def _searches(self, request: Request) -> list[Search]:
        """Return what is asked in turn: classic takes all wishes as rules, then none of them."""
        if not (self.board.policy.is_classic and request.soft):
            return [self._search(request)]
        return [self._search(_strict(request)), self._search(replace(request, soft=()))]

    def _search(self, request: Request) -> Search:
        if request.only:
            return AllNodes(self.board, request, {request.only} & self.board.standings.keys())
        if not _is_about_kinds(request):
            return AllNodes(self.board, request)
        shape = shape_of(request)
        ranking = self._rankings.pop(shape, None) or self._ranking(request)
        self._rankings[shape] = ranking  # the last used is the last
        if len(self._rankings) > _MOST_RANKINGS:
            del self._rankings[next(iter(self._rankings))]
        return Buckets(self.board, request, ranking)

    def _ranking(self, request: Request) -> Ranking:
        if not is_by_share(request):
            return Ranking(self.board, request)
        labels, wanted = labels_of(request, self.board.policy), request.resources
        key = labels, wanted.cpu > 0, wanted.memory > 0
        if key not in self._shelves:
            self._shelves[key] = Shelves(self.board, labels, by_cpu=key[1], by_memory=key[2])
        return Ranking(self.board, request, self._shelves[key])


class Kept:
    """What spares work at the next look: most nodes and services do not change."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.calm = Calm()
        self._placer: Placer | None = None

    def placer(self, nodes: Sequence[NodeView], policy: Policy) -> Placer:
        """Return who decides on the nodes as they are seen now."""
        kept = self._placer
        if kept is None or kept.board.policy != policy or not kept.board.follow(nodes):
            kept = self._placer = Placer(Board(nodes, policy))
        elif kept.renewed != kept.board.renewed:
            kept = self._placer = Placer(kept.board)
        return kept


class _Batch:
    """Requests that differ by slot only, one after the other."""

    def __init__(self, board: Board, request: Request, searches: Sequence[Search]) -> None:
        self._board = board
        self._template = _TEMPLATE(request)
        self._searches = searches
        self._refusal: Refusal | None = None
        self._stem = f"{board.policy.seed}/{request.stack}/{request.service}/"

    @property
    def is_refused(self) -> bool:
        """Whether there was no place left."""
        return self._refusal is not None

    def is_for(self, request: Request) -> bool:
        """Return whether a request is another one of these."""
        return bool(_TEMPLATE(request) == self._template)

    def decide(self, request: Request) -> Decision:
        """Place a request on the board, or say why it has no place."""
        if self._refusal is not None:  # nothing has changed since
            return replace(self._refusal, request=request)
        found = self._best(self._pick(request.slot))
        if found is None:
            self._refusal = explain(self._board, request, home_of(self._board, request))
            return self._refusal
        self._board.add(container_of(request), found.node)
        for search in self._searches:
            search.placed(found.node)
        return Placement(request, found.node, found.key, found.runner_up)

    def _best(self, pick: int) -> Choice | None:
        for search in self._searches:
            found = search.best(pick)
            if found is not None:
                return found
        return None

    def _pick(self, slot: str) -> int:
        digest = blake2b(f"{self._stem}{slot}".encode(), digest_size=8).digest()
        return int.from_bytes(digest)


def _strict(request: Request) -> Request:
    constraints, affinities = list(request.constraints), list(request.affinities)
    for wish in request.soft:
        if wish.is_affinity and isinstance(wish.expression, Expression):
            affinities.append(wish.expression)
        else:
            constraints.append(wish.expression)
    return replace(request, soft=(), constraints=tuple(constraints), affinities=tuple(affinities))


def _is_about_kinds(request: Request) -> bool:
    """Return whether no rule asks for what differs within a kind: a name, an id, a container."""
    if request.affinities or request.whitelists or request.beside or request.volumes:
        return False
    if request.near:
        return False
    rules: list[Expression | Constraint] = [*request.constraints]
    for wish in request.soft:
        if wish.is_affinity:
            return False
        rules.append(wish.expression)
    return not any(rule.key in _OF_ONE_NODE for rule in rules)
