"""The verdict on what was ordered."""

from typing import Any

import pytest

from sidecar.scheduler.convergence import State, verdict_of


def _service(name: str = "web", **more: Any) -> dict[str, Any]:
    phase = more.pop("phase", "idle")
    ready = more.pop("ready", 1)
    settled = phase in {"idle", "completed"} and ready == 1
    return {
        "service": name,
        "rollout": {
            "phase": phase, "settled": settled, "why": more.pop("why", ""), "failed": ["1"],
        },
        "replicas": {"wanted": 1, "current": 1, "ready": ready},
        "containers": [
            {"slot": "1", "name": "c", "node": "n", "state": more.pop("state", "running")}
        ],
        "refusals": [], "errors": [], "paused": False, **more,
    }  # fmt: skip


def _trial(phase: str) -> dict[str, Any]:
    return {"phase": phase, "step": 2, "steps": [5, 50], "share": 50.0, "why": "so it is"}


REFUSAL = {"slot": "1", "reasons": ["memory short: 1"], "relaxation": "n1 would take it"}
NONE: dict[str, Any] = {"containers": [], "ready": 0, "phase": "updating"}


@pytest.mark.parametrize(
    ("services", "state"),
    [
        ([_service()], State.DONE),
        ([], State.DONE),
        ([_service(ready=0, phase="updating")], State.WAITING),
        ([_service(phase="failed")], State.FAILED),
        ([_service(phase="rollback_paused")], State.FAILED),
        ([_service(phase="rolling_back")], State.WAITING),
        ([_service(phase="paused")], State.FAILED),
        ([_service(phase="paused", paused=True)], State.PENDING),
        ([_service(**{**NONE, "refusals": [REFUSAL]})], State.PENDING),
        ([_service(phase="failed"), _service("b", ready=0, phase="updating")], State.WAITING),
        ([_service(phase="failed"), _service("b", **NONE)], State.FAILED),
        ([_service("b", **NONE)], State.WAITING),
        ([_service(phase="updating", trial=_trial("trying"))], State.WAITING),
        ([_service(phase="updating", trial=_trial("waiting"))], State.PENDING),
        ([_service(phase="paused", trial=_trial("aborted"))], State.FAILED),
    ],
)
def test_the_gravest_counts_when_nothing_moves_any_more(
    services: list[dict[str, Any]], state: State
) -> None:
    assert verdict_of({"name": "s", "services": services, "leaving": []}).state is state


def test_what_leaves_is_waited_for_unless_one_service_is_asked_about() -> None:
    stack = {"name": "s", "services": [_service(), _service("b", phase="failed")], "leaving": [1]}
    assert verdict_of(stack).state is State.WAITING
    assert "1 containers leave" in verdict_of(stack).lines[-1]
    assert verdict_of(stack, ["web"]).state is State.DONE


def test_reasons_are_told_of_what_is_not_settled() -> None:
    errors = [{"slot": "1", "reason": "no image"}]
    bad = _service(
        ready=0, phase="paused", why="too much", errors=errors, refusals=[REFUSAL],
        state="exited (3)",
    )  # fmt: skip
    good = _service("b", errors=errors, refusals=[REFUSAL])
    found = verdict_of({"name": "s", "services": [bad, good], "leaving": []})
    assert found.reasons == (
        "web: paused: too much", "web.1: no image", "web.1: c on n exited (3)",
        "web.1 has no place: memory short: 1; n1 would take it",
    )  # fmt: skip
    assert found.lines[0] == "s/web: 0 of 1 ready, 1 of the wanted spec, paused"


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        ("starting", "canary starts (step 2 of 2)"),
        ("trying", "canary at 50 % (step 2 of 2)"),
        ("waiting", "canary waits at 50 % (step 2 of 2)"),
        ("promoted", "canary promoted"),
        ("aborted", "canary aborted"),
    ],
)
def test_a_trial_is_told_with_its_step_and_why(phase: str, words: str) -> None:
    stack = {
        "name": "s", "services": [_service(phase="updating", trial=_trial(phase))], "leaving": []
    }  # fmt: skip
    found = verdict_of(stack)
    assert found.lines == (f"s/web: 1 of 1 ready, 1 of the wanted spec, updating, {words}",)
    assert found.reasons[0] == f"web: {words}: so it is"
