"""Decide a whole stack on given nodes, and say it. Pure.

Slots that a running container of ours holds already stay where they are; the others are placed in
the order in which services must start.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sidecar.scheduler.board import Board
from sidecar.scheduler.explaining import lines_of
from sidecar.scheduler.model import NodeView, Placement, Policy, Request
from sidecar.scheduler.placing import Decision, Placer
from sidecar.scheduler.sizing import has_place, pinned
from sidecar.scheduler.spec import Mode, ServiceSpec, StackSpec, requests_of

__all__ = ["beside", "decide", "document_of", "shown"]


def decide(stack: StackSpec, nodes: Sequence[NodeView], policy: Policy) -> list[Decision]:
    """Return where each slot that is missing goes, or why nowhere."""
    board = Board(nodes, policy)
    placer = Placer(board)
    decisions: list[Decision] = []
    homes: dict[tuple[str, str], str] = {}
    for service in stack.services:
        wanted = list(_wanted(stack.name, service, nodes, policy))
        if service.pod:
            found = [
                each
                for request in wanted
                for each in placer.place([beside(request, service.pod, homes)])
            ]
        else:
            found = placer.place(wanted)
        for each in found:
            if isinstance(each, Placement):
                homes[service.name, each.request.slot] = each.node
        decisions += found
    return decisions


def _wanted(
    stack: str, service: ServiceSpec, nodes: Sequence[NodeView], policy: Policy
) -> Iterable[Request]:
    held = {
        (each.slot, node.name)
        for node in nodes
        for each in node.containers
        if each.running and (each.stack, each.service) == (stack, service.name)
    }
    if service.mode is Mode.GLOBAL:
        (request,) = requests_of(stack, replace(service, replicas=1), classic=policy.is_classic)
        has = {name for _, name in held}
        yield from (
            pinned(request, node.name)
            for node in sorted(nodes, key=lambda each: each.name)
            if node.name not in has and has_place(request, node)
        )
        return
    slots = {slot for slot, _ in held}
    for request in requests_of(stack, service, classic=policy.is_classic):
        if request.slot not in slots:
            yield request


def beside(request: Request, owner: str, homes: Mapping[tuple[str, str], str]) -> Request:
    """Return the request bound to the node of the slot whose network it shares."""
    node = homes.get((owner, request.slot))
    if node is None:
        name = "_".join(filter(None, (request.stack, owner.rpartition("/")[2], request.slot)))
        return replace(request, beside=(*request.beside, name))
    return replace(request, only=node)


def document_of(decisions: Iterable[Decision]) -> dict[str, Any]:
    """Return what ``pinnace stack plan --json`` prints."""
    placements, refusals = [], []
    for each in decisions:
        slot = {"service": each.request.service, "slot": shown(each.request.slot)}
        if isinstance(each, Placement):
            placements.append({**slot, "node": each.node})
        else:
            reasons = lines_of(each) or ["there is no node"]
            refusals.append({**slot, "reasons": reasons})
    return {"placements": placements, "refusals": refusals}


def shown(text: str) -> int | str:
    """Return the number of a slot; a global service's slots are nodes."""
    return int(text) if text.isdigit() else text
