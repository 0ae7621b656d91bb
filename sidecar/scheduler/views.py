"""What is shown of stacks, nodes and decisions, as plain documents. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sidecar.scheduler.canary import Phase
from sidecar.scheduler.cluster import Copy, Goal, Stage
from sidecar.scheduler.explaining import lines_of
from sidecar.scheduler.goals import Told
from sidecar.scheduler.model import NANO, NodeView, Refusal
from sidecar.scheduler.recipe import key_of
from sidecar.scheduler.rollout import Rollout, rollout_of
from sidecar.scheduler.scene import Scene
from sidecar.scheduler.sight import UNREACHABLE, Sight
from sidecar.scheduler.sizing import sized

__all__ = ["node_view", "service_view", "stack_head", "stack_view"]


def stack_head(told: Told) -> dict[str, Any]:
    """Return a stack without its services."""
    newest = told.stack.newest
    return {
        "name": told.stack.name,
        "revision": newest.number,
        "deployed": newest.at,
        "source": newest.source,
        "up": told.is_up,
    }


def stack_view(
    told: Told,
    goals: Iterable[Goal],
    scene: Scene,
    errors: Mapping[tuple[str, str], str],
) -> dict[str, Any]:
    """Return a stack with its services as they are; the rest may be of other stacks too."""
    refused: dict[str, list[Refusal]] = {}
    for service, refusal in scene.refusals:
        refused.setdefault(service, []).append(refusal)
    by_service = {goal.service: goal for goal in goals}
    services, sight = [], Sight(scene.cluster, scene.now)
    away = _away(scene)
    for spec in told.newest.services:
        key = key_of(told.stack.name, spec.name)
        if key in by_service:
            goal = sized(by_service[key], scene.cluster)
            found = service_view(spec.name, goal, scene, (sight, away), refused.get(key, ()))
            said = told.stack.override(spec.name)
            found |= {"image": spec.image, "revision": told.stack.revision_of(spec.name).number}
            found |= {"scaled": said.replicas is not None, "paused": said.is_paused}
            found["errors"] = [
                {"slot": slot, "reason": text}
                for (service, slot), text in sorted(errors.items())
                if service == key and slot in goal.slots
            ]
            services.append(found)
    left = [
        {"service": key, **_copy(each, away)}
        for key, copies in sorted(scene.cluster.copies.items())
        if key.startswith(key_of(told.stack.name, "")) and key not in by_service
        for each in copies
    ]
    return {**stack_head(told), "services": services, "leaving": left}


def service_view(
    name: str,
    goal: Goal,
    scene: Scene,
    nodes: tuple[Sight, Collection[str]],
    refusals: Sequence[Refusal],
) -> dict[str, Any]:
    """Return one service; ``goal`` has its slots. ``nodes``: how they are, and which are away."""
    sight, away = nodes
    rollout = rollout_of(goal, scene.cluster, scene.memory, scene.now, sight)
    copies = scene.cluster.copies.get(goal.service, ())
    return {
        "service": name,
        "rollout": _rollout(rollout),
        "trial": _trial(goal, scene),
        "replicas": {
            "wanted": rollout.wanted, "current": rollout.current, "ready": rollout.ready,
        },
        "restarts": scene.memory.times_failed(goal.service, goal.spec),
        "containers": [_copy(each, away) for each in sorted(copies, key=_order)],
        "refusals": [
            {
                "slot": each.request.slot,
                "reasons": lines_of(each),
                "relaxation": each.relaxation,
            }
            for each in refusals
        ],
    }  # fmt: skip


def _away(scene: Scene) -> frozenset[str]:
    return frozenset(node.name for node in scene.cluster.nodes if node.state in UNREACHABLE)


def _rollout(rollout: Rollout) -> dict[str, Any]:
    return {
        "phase": rollout.phase.value,
        "spec": rollout.spec,
        "settled": rollout.is_settled,
        "failed": list(rollout.failed),
        "why": rollout.why,
    }


def _trial(goal: Goal, scene: Scene) -> dict[str, Any] | None:
    """Return how far the canaries of a service have got; None: nothing is tried."""
    trial = scene.memory.trials.get(goal.service)
    if trial is None or goal.canary is None:
        return None
    return {
        "phase": trial.phase.value,
        "spec": trial.spec,
        "step": min(trial.number, len(goal.canary.steps) - 1) + 1,
        "steps": list(goal.canary.steps),
        "share": trial.share(goal.canary),
        "held": round(scene.now - trial.since, 3) if trial.phase is Phase.TRYING else None,
        "why": trial.why,
    }


def _order(copy: Copy) -> tuple[int, str, tuple[int, int]]:
    return len(copy.slot), copy.slot, copy.age


def _copy(copy: Copy, away: Collection[str]) -> dict[str, Any]:
    if copy.node in away:
        state = f"unreachable, was {copy.stage.value}"
    elif copy.stage is Stage.EXITED:
        state = f"exited ({copy.exit_code})"
    elif copy.is_draining:
        state = "draining"
    else:
        state = copy.stage.value
    return {
        "name": copy.name,
        "id": copy.id,
        "slot": copy.slot,
        "node": copy.node,
        "spec": copy.spec,
        "incarnation": copy.incarnation,
        "state": state,
        "health": copy.health.value,
    }


def node_view(node: NodeView, since: Mapping[str, float], now: float) -> dict[str, Any]:
    """Return one node."""
    running = [each for each in node.containers if each.running]
    return {
        "name": node.name,
        "state": node.state.value,
        "availability": node.availability.value,
        "since": round(now - since[node.name], 3) if node.name in since else None,
        "address": node.address,
        "labels": dict(node.labels),
        "capacity": {"cpus": node.capacity.cpu / NANO, "memory": node.capacity.memory},
        "used": {
            "cpus": sum(each.resources.cpu for each in node.containers) / NANO,
            "memory": sum(each.resources.memory for each in node.containers),
        },
        "containers": {"running": len(running), "all": len(node.containers)},
        "strain": node.strain,
    }
