"""Why no node takes a request: every node's first reason, and what would help most. Pure."""

import json
from collections.abc import Mapping
from typing import Any, Final

from sidecar.scheduler.board import Board
from sidecar.scheduler.filters import FILTERS, refusal_of
from sidecar.scheduler.model import Placement, Reason, Refusal, Request
from sidecar.scheduler.standing import Standing

__all__ = ["explain", "lines_of", "told_why", "why_of"]

_LONGEST: Final = 4096
_WHY: Final = frozenset({"at", "strategy", "rank", "runner_up"})
_CHEAPEST_FIRST: Final = (
    "max_replicas_per_node",
    "port",
    "affinity",
    "constraint",
    "whitelist",
    "resources",
    "volume",
    "dependency",
    "containerslots",
    "platform",
    "avoid",
    "only",
    "availability",
    "health",
)


def explain(board: Board, request: Request, home: Mapping[str, str] | None = None) -> Refusal:
    """Return the reasons of all nodes; each node is counted once."""
    found: dict[tuple[str, str], tuple[Reason, list[str]]] = {}
    for name, standing in sorted(board.standings.items()):
        reason = refusal_of(request, standing, board.policy) or _elsewhere(home, name)
        if reason is None:
            continue
        known = found.setdefault((reason.filter, reason.text), (reason, []))
        known[1].append(name)
        if 0 < reason.short_by < known[0].short_by:
            found[reason.filter, reason.text] = reason, known[1]
    reasons = sorted(found.values(), key=lambda each: (-len(each[1]), each[0].text))
    return Refusal(
        request,
        tuple((reason, tuple(sorted(nodes))) for reason, nodes in reasons),
        _relaxation(board, request),
    )


def _elsewhere(home: Mapping[str, str] | None, node: str) -> Reason | None:
    if not home or node in home:
        return None
    ((other, volume),) = home.items()
    return Reason("volume", f"volume {volume} is on {other}")


def _relaxation(board: Board, request: Request) -> str:
    """Return the one rule without which some node would do, the cheapest to give up."""
    best: tuple[int, int, str, str] | None = None
    for name, standing in sorted(board.standings.items()):
        reasons = _all_reasons(board, request, standing)
        if len(reasons) == 1:
            reason = reasons[0]
            rank = _CHEAPEST_FIRST.index(reason.filter)
            text = f"{reason.text} {reason.detail}".strip()
            candidate = (rank, reason.short_by, name, text)
            best = min(best, candidate) if best else candidate
    return f"{best[2]} would take it but for: {best[3]}" if best else ""


def _all_reasons(board: Board, request: Request, standing: Standing) -> list[Reason]:
    policy = board.policy
    return [reason for check in FILTERS if (reason := check(request, standing, policy))]


def lines_of(refusal: Refusal) -> list[str]:
    """Return the reasons as a user reads them, the most frequent first."""
    lines = []
    for reason, nodes in refusal.reasons:
        where = f" ({reason.detail} on {nodes[0]})" if reason.filter == "port" else ""
        least = f" {reason.detail.replace('by', 'by >=', 1)}" if reason.short_by else ""
        lines.append(f"{reason.text}{least}: {len(nodes)}{where}")
    return lines


def why_of(placement: Placement, at: float) -> str:
    """Return why a container is where it is, as the text of a label; ``at``: seconds since 1970."""
    found = {
        "at": round(at, 3),
        "strategy": placement.request.strategy.value,
        "rank": list(placement.key),
        "runner_up": placement.runner_up,
    }
    return json.dumps(found)


def told_why(text: str) -> Mapping[str, Any]:
    """Return what such a label tells; nothing for any other text."""
    try:
        found = json.loads(text) if len(text) <= _LONGEST else None
    except ValueError:
        return {}
    return found if isinstance(found, dict) and found.keys() == _WHY else {}
