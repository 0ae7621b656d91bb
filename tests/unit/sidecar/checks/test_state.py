import pytest

from sidecar.catalog.model import Check, Status
from sidecar.checks.definition import CheckDefinition, Kind
from sidecar.checks.state import (
    Result,
    after_expiry,
    after_pause,
    after_result,
    alias_result,
    captured,
    deregister_is_due,
    initial,
)

P, W, C = Status.PASSING, Status.WARNING, Status.CRITICAL


def web(success: int = 0, failures: int = 0, **more: float) -> CheckDefinition:
    return CheckDefinition(
        name="n",
        kind=Kind.HTTP,
        interval=1.0,
        success_before_passing=success,
        failures_before_critical=failures,
        **more,  # type: ignore[arg-type]
    )


TTL = CheckDefinition(name="n", kind=Kind.TTL, ttl=10.0, deregister_after=60.0, output_most=5)


# Sequences recorded from Consul 1.8.7.
@pytest.mark.parametrize(
    ("definition", "results", "wanted"),
    [
        (web(3, 3), [P, P], [P, P]),
        (web(3, 3), [C, C], [C, C]),
        (web(2, 3), [P, C, P, C, C, C], [P, P, P, P, P, C]),
        (web(3, 3), [W, W, W, P, P, P, C, C, C], [W, W, W, P, P, P, P, P, C]),
        (web(0, 2), [P, P, W, W, W, C, C], [P, P, W, W, W, W, C]),
        (web(), [P, C, W], [P, C, W]),
    ],
)
def test_thresholds_count_results_in_a_row(
    definition: CheckDefinition, results: list[Status], wanted: list[Status]
) -> None:
    state = initial(definition, 0.0)
    said = []
    for at, status in enumerate(results):
        state = after_result(state, definition, Result(status, str(at)), float(at))
        said.append(state.result.status)
    assert said == wanted


def test_a_result_below_the_threshold_keeps_the_output_too() -> None:
    state = after_result(initial(web(0, 2), 0.0), web(0, 2), Result(P, "good"), 1.0)
    assert after_result(state, web(0, 2), Result(C, "bad"), 2.0).result == Result(P, "good")


def test_a_heartbeat_counts_at_once_and_sets_the_deadline_on() -> None:
    definition = CheckDefinition(
        name="n", kind=Kind.TTL, ttl=10.0, success_before_passing=3, failures_before_critical=3
    )
    state = after_result(initial(definition, 0.0), definition, Result(P, "1"), 4.0)
    assert (state.result, state.expires) == (Result(P, "1"), 14.0)
    assert after_result(state, definition, Result(C, "2"), 5.0).result == Result(C, "2")


@pytest.mark.parametrize(
    ("output", "wanted"),
    [
        ("", "TTL expired"),
        ("fine", "TTL expired (last output before timeout follows): fine"),
    ],
)
def test_expiry_says_what_was_said_last(output: str, wanted: str) -> None:
    state = after_result(initial(TTL, 0.0), TTL, Result(P, output), 1.0)
    state = after_expiry(state, 11.0)
    assert (state.result, state.expires) == (Result(C, wanted), None)


def test_output_is_cut_to_its_bound_in_bytes() -> None:
    assert captured("0123456789", 5) == "01234 ... (captured 5 of 10 bytes)"
    assert captured("01234", 5) == "01234"
    assert captured("éééé", 5) == "éé ... (captured 5 of 8 bytes)"


def test_a_service_goes_when_its_check_was_critical_for_long() -> None:
    state = initial(TTL, 0.0)
    assert not deregister_is_due(state, TTL, 59.0)
    assert deregister_is_due(state, TTL, 60.0)
    again = after_result(state, TTL, Result(C), 30.0)
    assert deregister_is_due(again, TTL, 60.0)
    passed = after_result(state, TTL, Result(P), 59.0)
    assert not deregister_is_due(passed, TTL, 1000.0)
    assert not deregister_is_due(initial(web(), 0.0), web(), 1000.0)


def test_a_pause_moves_all_deadlines() -> None:
    state = after_pause(initial(TTL, 0.0), 30.0)
    assert (state.expires, state.critical_since) == (40.0, 30.0)
    good = after_pause(after_result(initial(web(), 0.0), web(), Result(P), 1.0), 30.0)
    assert (good.expires, good.critical_since) == (None, None)


def test_an_alias_takes_results_as_they_are() -> None:
    definition = CheckDefinition(name="n", kind=Kind.ALIAS, failures_before_critical=9)
    state = after_result(initial(definition, 0.0), definition, Result(P, "a"), 1.0)
    assert after_result(state, definition, Result(C, "b"), 2.0).result == Result(C, "b")


def check(name: str, status: Status, output: str = "") -> Check:
    return Check(id=name, name=name, status=status, output=output)


@pytest.mark.parametrize(
    ("checks", "wanted"),
    [
        ([], Result(P, "No checks found.")),
        ([check("p", P), check("w", P)], Result(P, "All checks passing.")),
        ([check("p", P), check("w", W, "o")], Result(W, 'Aliased check "w" failing: o')),
        ([check("w", W, "o"), check("p", P)], Result(W, 'Aliased check "w" failing: o')),
        (
            [check("w", W), check("c", C, "x"), check("d", C)],
            Result(C, 'Aliased check "c" failing: x'),
        ),
    ],
)
def test_an_alias_says_the_worst_of_what_it_stands_for(checks: list[Check], wanted: Result) -> None:
    assert alias_result(checks) == wanted


def test_an_alias_of_nothing_is_critical() -> None:
    found = alias_result([], found=False, service="zz", node="ext")
    assert found == Result(C, "Service zz could not be found on node ext")
