"""How many replicas are recommended."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.scheduler.scale import (
    Direction,
    History,
    Measured,
    Metric,
    Recommendation,
    ScalePolicy,
    recommend,
)

CPU = Metric("cpu", 50.0)
POLICY = ScalePolicy(1, 10, (CPU,))
QUICK = ScalePolicy(1, 10, (CPU,), down=Direction(0))


def _now(
    policy: ScalePolicy, measured: Measured, replicas: int, history: History | None = None,
    at: float = 1000.0,
) -> Recommendation:  # fmt: skip
    return recommend(policy, {"cpu": measured}, history or History(), replicas=replicas, now=at)


@pytest.mark.parametrize(
    ("samples", "replicas", "wanted"),
    [
        ([100, 100], 2, 4), ([50, 50], 2, 2), ([54, 54], 2, 2), ([56, 56], 2, 3),
        ([10, 10, 10, 10], 4, 1), ([0, 0], 2, 1), ([500], 1, 5), ([25, 25], 2, 1),
    ],
)  # fmt: skip
def test_the_formula(samples: list[float], replicas: int, wanted: int) -> None:
    assert _now(QUICK, Measured(samples), replicas).replicas == wanted


def test_at_most_four_or_as_many_again_come_within_a_period() -> None:
    found = _now(POLICY, Measured([500]), 1)
    assert found.replicas == 5
    again = _now(POLICY, Measured([500] * 5), 5, found.history, 1010.0)
    assert again.replicas == 5, "the four of this period have come already"
    later = _now(POLICY, Measured([500] * 5), 5, again.history, 1016.0)
    assert later.replicas == 10


def test_down_waits_for_the_highest_of_five_minutes() -> None:
    history, replicas = History(), 8
    for step in range(20):
        found = _now(
            POLICY, Measured([50 if step == 0 else 10] * replicas), replicas, history, step * 15.0
        )
        history, replicas = found.history, found.replicas
        assert replicas == 8
    found = _now(POLICY, Measured([10] * 8), 8, history, 301.0)
    assert found.replicas == 2


def test_what_is_missing_holds_back() -> None:
    assert _now(QUICK, Measured([100, 100], missing=2), 4).replicas == 4
    assert _now(QUICK, Measured([100, 100, 100], missing=1), 4).replicas == 6
    assert _now(QUICK, Measured([10, 10], missing=2), 4).replicas == 3
    assert _now(QUICK, Measured([100, 100], not_ready=2), 4).replicas == 4
    assert _now(QUICK, Measured([10, 10], not_ready=2), 4).replicas == 1, (
        "no matter on the way down"
    )
    assert _now(QUICK, Measured([], missing=3), 3).replicas == 3


def test_the_largest_metric_decides_and_one_that_failed_never_scales_down() -> None:
    policy = ScalePolicy(1, 10, (CPU, Metric("rate", 10.0)), down=Direction(0))

    def run(rate: Measured) -> Recommendation:
        both = {"cpu": Measured([25, 25, 25, 25]), "rate": rate}
        return recommend(policy, both, History(), replicas=4, now=0.0)

    assert run(Measured([15] * 4)).replicas == 6
    assert run(Measured([5] * 4)).replicas == 2
    found = run(Measured(failed=True))
    assert found.replicas == 4
    assert found.why == "cpu asks for 2, but nothing is known of rate"
    nothing = recommend(policy, {}, History(), replicas=4, now=0.0)
    assert (nothing.replicas, nothing.why) == (4, "nothing is known of cpu, rate")


def test_a_total_can_wake_a_service_from_nothing() -> None:
    policy = ScalePolicy(0, 5, (Metric("cpu", 10.0, is_total=True),), down=Direction(0))
    assert _now(policy, Measured([3]), 0).replicas == 1
    assert _now(policy, Measured([0]), 0).replicas == 0
    assert _now(policy, Measured([0], ready=2), 2).replicas == 0
    assert _now(policy, Measured([0]), 2).replicas == 0, "nothing is to be done, ready or not"
    assert _now(policy, Measured([20], ready=2), 2).replicas == 4
    assert _now(policy, Measured([]), 2).replicas == 2


@pytest.mark.parametrize(
    ("total", "ready", "wanted"),
    [
        (20, 4, 8), (20, 3, 6), (20, 1, 4), (20, 0, 4),
        (5, 4, 2), (5, 2, 1), (5, 0, 4), (10.5, 2, 4), (9.5, 2, 4),
    ],
)  # fmt: skip
def test_a_total_is_shared_by_those_that_are_ready(total: float, ready: int, wanted: int) -> None:
    policy = ScalePolicy(1, 10, (Metric("cpu", 10.0, is_total=True),), down=Direction(0))
    found = _now(policy, Measured([total], ready=ready, not_ready=4 - ready), 4)
    assert found.replicas == wanted


def test_cooldown_and_rollout() -> None:
    policy = ScalePolicy(
        1, 10, (CPU,), up=Direction(4, cooldown=60), down=Direction(0, cooldown=60)
    )
    first = _now(policy, Measured([100]), 1)
    assert first.replicas == 2
    second = _now(policy, Measured([100] * 2), 2, first.history, 1030.0)
    assert (second.replicas, second.why) == (2, "cpu asks for 4; cooling down")
    assert _now(policy, Measured([10] * 4), 4, first.history, 1030.0).replicas == 1
    rolling = recommend(
        policy, {"cpu": Measured([10] * 4)}, History(), replicas=4, now=0.0, is_rolling=True
    )
    assert rolling.replicas == 4


def test_a_number_outside_its_bounds_is_brought_in_at_once() -> None:
    assert _now(POLICY, Measured([50] * 12), 12).replicas == 10
    assert _now(ScalePolicy(3, 5, (CPU,)), Measured([50]), 1).replicas == 3


@pytest.mark.parametrize(
    ("least", "most", "metric"), [(2, 1, CPU), (0, 0, CPU), (0, 3, CPU), (1, 2, Metric("x", 0))]
)
def test_what_cannot_be_meant_is_refused(least: int, most: int, metric: Metric) -> None:
    with pytest.raises(ValueError, match=r"bounds|metric"):
        ScalePolicy(least, most, (metric,))


@given(
    st.lists(st.floats(0, 1e6), max_size=8), st.integers(0, 4), st.integers(0, 4),
    st.integers(1, 12), st.lists(st.tuples(st.floats(0, 500), st.integers(-5, 12)), max_size=6),
)  # fmt: skip
def test_it_never_leaves_the_bounds_nor_goes_against_the_measure(
    samples: list[float], missing: int, not_ready: int, replicas: int,
    past: list[tuple[float, int]],
) -> None:  # fmt: skip
    measured = Measured(samples, missing, not_ready)
    moments = _now(POLICY, Measured([50]), 1).history.recommended
    history = History(tuple(moments[0]._replace(at=at, number=abs(n)) for at, n in past))
    found = _now(POLICY, measured, replicas, history, 600.0).replicas
    assert 1 <= found <= 10
    if samples and 1 <= replicas <= 10:
        mean = sum(samples) / len(samples)
        assert found <= replicas or mean > 50 or len(samples) > replicas
        assert found >= replicas or mean < 50 or len(samples) < replicas
