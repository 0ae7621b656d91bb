"""What is made of what was read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.scheduler.scale import History, Measured, Metric, ScalePolicy, recommend
from sidecar.scheduler.sources.samples import (
    Sample,
    Usage,
    measured_of,
    number_of,
    series_of,
    stub_of,
    usage_of,
)
from sidecar.scheduler.sources.wanted import Kind, Wanted

TEXT = """\
# HELP jobs_waiting Jobs.
# TYPE jobs_waiting gauge
jobs_waiting{queue="a",kind="x"} 3
jobs_waiting{queue="b",kind="x"} 4 1700000000000
jobs_waiting{queue="c",kind="say \\"}\\""} 5
jobs_waiting_total 99
up 1
broken{a="b"} NaN
"""


@pytest.mark.parametrize(
    ("series", "value"),
    [
        ("jobs_waiting", 12.0),
        ('jobs_waiting{queue="b"}', 4.0),
        ('jobs_waiting{kind="x"}', 7.0),
        ('jobs_waiting{kind="say \\"}\\""}', 5.0),
        ("up", 1.0),
        ("jobs", None),
        ('up{a="b"}', None),
        ("broken", None),
        ("{}", None),
    ],
)
def test_the_series_of_a_name_with_these_labels_are_summed(
    series: str, value: float | None
) -> None:
    assert series_of(TEXT, series) == value


@given(st.text(max_size=200), st.text(max_size=30))
def test_any_text_is_an_exposition_without_that_series_or_with_it(text: str, name: str) -> None:
    assert isinstance(series_of(text, name), float | None)
    assert isinstance(stub_of(text), float | None)


def test_nginx_tells_of_open_connections() -> None:
    page = "Active connections: 291 \nserver accepts handled requests\n 16 16 31\n"
    assert stub_of(page) == 291.0
    assert stub_of("<html>404</html>") is None


@pytest.mark.parametrize(("text", "number"), [("1.5", 1.5), ("inf", None), ("x", None)])
def test_a_number_is_finite(text: str, number: float | None) -> None:
    assert number_of(text) == number


def test_memory_is_without_the_cache_that_can_be_given_back() -> None:
    usage = usage_of(
        {
            "cpu_stats": {
                "cpu_usage": {"total_usage": 5}, "system_cpu_usage": 9, "online_cpus": 2,
            },
            "memory_stats": {"usage": 100, "limit": 200, "stats": {"inactive_file": 30}},
        }
    )  # fmt: skip
    assert usage == Usage(cpu=5, system=9, cpus=2, memory=70, limit=200)
    assert usage.memory_share == 0.35
    assert Usage(1, 1, 1, 1, 0).memory_share is None


@pytest.mark.parametrize("document", [{}, {"cpu_stats": None}, {"cpu_stats": {"cpu_usage": {}}}])
def test_a_container_that_does_not_run_has_no_usage(document: dict[str, object]) -> None:
    assert usage_of(document) is None


def test_cpu_is_a_part_of_the_limit_or_of_one_core() -> None:
    before, after = Usage(10**9, 0, 4, 0, 0), Usage(3 * 10**9, 0, 4, 0, 0)
    assert after.cpu_share(before, 2.0, 0.0) == 1.0
    assert after.cpu_share(before, 2.0, 0.5) == 2.0
    assert before.cpu_share(after, 2.0, 0.5) is None
    assert after.cpu_share(before, 0.0, 0.5) is None


def wanted(kind: Kind, *, is_total: bool = False) -> Wanted:
    return Wanted(kind=kind, metric=Metric(kind, 1.0, is_total))


def test_old_samples_are_missing() -> None:
    samples = {"a": Sample(5.0, 100.0), "b": Sample(7.0, 60.0)}
    cpu = wanted(Kind.CPU)
    found = measured_of(cpu, samples, ["a", "b", "c"], not_ready=1, now=110.0, oldest=30.0)
    assert found == Measured((5.0,), missing=2, not_ready=1)
    late = measured_of(cpu, samples, ["a"], not_ready=0, now=999.0, oldest=30.0)
    assert (late.failed, late.missing) == (True, 1)


@pytest.mark.parametrize("kind", [Kind.PROMETHEUS, Kind.KEY])
def test_a_total_is_one_sample(kind: Kind) -> None:
    samples = {"": Sample(5.0, 100.0)}
    total = wanted(kind, is_total=True)
    assert measured_of(total, samples, ["a", "b"], not_ready=1, now=110.0, oldest=30.0) == Measured(
        (5.0,), not_ready=1, ready=2
    )
    assert measured_of(total, samples, ["a"], not_ready=0, now=131.0, oldest=30.0).failed
    assert measured_of(total, {}, ["a"], not_ready=0, now=0.0, oldest=30.0).failed


def test_what_each_has_in_the_mean_counts_for_each() -> None:
    samples, mean = {"": Sample(5.0, 100.0)}, wanted(Kind.PROMETHEUS)
    found = measured_of(mean, samples, ["a", "b"], not_ready=1, now=110.0, oldest=30.0)
    assert found == Measured((5.0, 5.0), not_ready=1)
    policy = ScalePolicy(1, 20, (Metric(Kind.PROMETHEUS, 2.0),))
    got = recommend(policy, {Kind.PROMETHEUS: found}, History(), replicas=3, now=0.0)
    assert got.replicas == 5, "2 ready and 1 that has nothing: 3 x 5/2 x 2/3"
    assert measured_of(mean, samples, [], not_ready=2, now=110.0, oldest=30.0).failed
