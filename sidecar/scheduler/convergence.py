"""Whether what was ordered has come true: the verdict on a stack's document. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

__all__ = ["State", "Verdict", "trial_words", "verdict_of"]

_GONE: Final = ("exited", "unreachable")
_FAILED: Final = frozenset({"failed", "rollback_paused"})


class State(StrEnum):
    """What can be said of all services together; the gravest of them."""

    DONE = "done"
    WAITING = "waiting"
    PENDING = "pending"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state, and a line for each service."""

    state: State
    lines: tuple[str, ...]
    reasons: tuple[str, ...] = ()
    """Why it is pending or failed."""


def verdict_of(stack: Mapping[str, Any], services: Iterable[str] = ()) -> Verdict:
    """Return the verdict on a stack, or on some of its services.

    A failure is told when nothing else is under way: what can come true, comes true first. What
    has no container waits for the others.
    """
    wanted = {*services}
    found = [each for each in stack["services"] if not wanted or each["service"] in wanted]
    states = [_state(each) for each in found]
    leaving = stack["leaving"] if not wanted else []
    lines = [f"{stack['name']}/{each['service']}: {_line(each)}" for each in found]
    if leaving:
        lines.append(f"{stack['name']}: {len(leaving)} containers leave")
    reasons = [reason for each in found for reason in _reasons(each)]
    gravest = max(states, key=[*State].index, default=State.DONE)
    is_moving = any(
        state is State.WAITING and (gravest is State.WAITING or _alive(each))
        for state, each in zip(states, found, strict=True)
    )
    state = State.WAITING if is_moving or leaving else gravest
    return Verdict(state, tuple(lines), tuple(reasons))


def _state(service: Mapping[str, Any]) -> State:
    rollout = service["rollout"]
    if rollout["settled"] and len(_alive(service)) <= service["replicas"]["wanted"]:
        return State.DONE
    if rollout["phase"] in _FAILED or (rollout["phase"] == "paused" and not service["paused"]):
        return State.FAILED
    if service["paused"] and rollout["phase"] == "paused":
        return State.PENDING
    if _is_waiting(service):
        return State.PENDING
    refused = len(service["refusals"])
    if refused and service["replicas"]["ready"] + refused >= service["replicas"]["wanted"]:
        return State.PENDING
    return State.WAITING


def _is_waiting(service: Mapping[str, Any]) -> bool:
    trial = service.get("trial")
    return trial is not None and trial["phase"] == "waiting"


def trial_words(service: Mapping[str, Any]) -> str:
    """Return how far the canaries of a service have got, in a few words; empty: no trial."""
    trial = service.get("trial")
    if trial is None:
        return ""
    step = f"step {trial['step']} of {len(trial['steps'])}"
    share = f"{trial['share']:g} %"
    words = {
        "starting": f"canary starts ({step})",
        "trying": f"canary at {share} ({step})",
        "waiting": f"canary waits at {share} ({step})",
    }
    return words.get(trial["phase"], f"canary {trial['phase']}")


def _alive(service: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each for each in service["containers"] if not each["state"].startswith(_GONE)]


def _line(service: Mapping[str, Any]) -> str:
    number, phase = service["replicas"], service["rollout"]["phase"]
    text = f"{number['ready']} of {number['wanted']} ready"
    if phase not in {"idle", "completed"}:
        text += f", {number['current']} of the wanted spec, {phase.replace('_', ' ')}"
    return ", ".join(filter(None, (text, trial_words(service))))


def _reasons(service: Mapping[str, Any]) -> Iterable[str]:
    name, rollout = service["service"], service["rollout"]
    if rollout["why"]:
        yield f"{name}: {rollout['phase'].replace('_', ' ')}: {rollout['why']}"
    if (trial := service.get("trial")) is not None and trial["why"]:
        yield f"{name}: {trial_words(service)}: {trial['why']}"
    if rollout["settled"]:
        return
    for each in service["errors"]:
        yield f"{name}.{each['slot']}: {each['reason']}"
    for each in service["containers"]:
        if each["state"].startswith("exited") and each["slot"] in rollout["failed"]:
            yield f"{name}.{each['slot']}: {each['name']} on {each['node']} {each['state']}"
    for each in service["refusals"]:
        hint = f"; {each['relaxation']}" if each["relaxation"] else ""
        yield f"{name}.{each['slot']} has no place: {'; '.join(each['reasons'])}{hint}"
