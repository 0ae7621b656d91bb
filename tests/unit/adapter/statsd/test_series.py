from math import inf, isnan, nan

import pytest

from adapter.exposition import Spread
from adapter.statsd.mapping import Summary
from adapter.statsd.series import (
    Alias,
    CounterSeries,
    GaugeSeries,
    HistogramSeries,
    Observed,
    SetSeries,
    SummarySeries,
    Wheel,
)
from adapter.statsd.tally import Account


def account(weight: int = 1) -> Account:
    return Account("", "", weight, has_tags=False, renamed=0)


def test_a_histogram_counts_up_to_each_bound() -> None:
    series = HistogramSeries("h", (1.0, 2.0))
    for value, weight in ((0.5, 1), (1.0, 1), (1.5, 3), (9.0, 1)):
        series.observe(value, weight)
    assert series.spread("{}") == Spread("{}", [1.0, 2.0, inf], [2, 5, 6], 15.0, 6)


def test_what_is_no_number_falls_in_the_last_bucket() -> None:
    series = HistogramSeries("h", (1.0,))
    series.observe(nan, 2)
    assert list(series.spread("").values) == [0, 2]
    assert isnan(series.value)


def test_a_summary_has_sum_count_and_the_quantiles_of_its_window() -> None:
    wheel = Wheel(Summary(((0.5, 0.01),), 10.0, 5), 0.0)
    series = SummarySeries("s", wheel)
    series.observe(2.0, 3)
    series.observe(nan, 1)
    assert (series.count, list(series.spread("").values)) == (4, [2.0])
    wheel.turn(9.9)
    assert list(series.spread("").values) == [2.0]
    wheel.turn(10.0)
    assert isnan(series.spread("").values[0])
    assert (series.spread("").edges, series.count) == ([0.5], 4)


def test_a_set_shows_the_last_whole_window_and_in_the_first_what_came_so_far() -> None:
    series = SetSeries("s", 10.0, 0.0)
    for member in ("a", "b", "a"):
        series.add(member, 1.0)
    assert series.value == 2.0
    series.add("c", 11.0)
    assert series.value == 2.0
    series.turn(21.0)
    assert series.value == 1.0
    series.turn(100.0)
    assert series.value == 0.0


def test_a_set_keeps_only_so_many_members() -> None:
    series = SetSeries("s", 10.0, 0.0)
    for n in range(10_001):
        series.add(str(n), 1.0)
    assert series.value == 10_000


@pytest.mark.parametrize(
    ("series", "number", "is_relative", "value"),
    [
        (CounterSeries("c"), 4.0, False, 1.0),
        (GaugeSeries("g"), 4.0, False, 1.0),
        (GaugeSeries("g"), 4.0, True, 1.0),
        (HistogramSeries("h", ()), 4.0, False, 3.0),
    ],
    ids=["counter", "gauge", "relative gauge", "histogram"],
)
def test_an_alias_scales_and_weighs(
    series: CounterSeries | GaugeSeries | HistogramSeries,
    number: float,
    is_relative: bool,
    value: float,
) -> None:
    alias = Alias(series, account(3), 2.0, 0.5)
    assert alias.take(number, is_relative=is_relative)
    assert series.value == value


def test_no_alias_makes_a_counter_fall() -> None:
    series = CounterSeries("c")
    assert not Alias(series, account(), 1.0, -1.0).take(1.0, is_relative=False)
    assert series.value == 0


def test_what_is_observed_says_how() -> None:
    class Half(Observed):
        def observe(self, value: float, weight: int) -> None:
            pass

    with pytest.raises(TypeError, match="spread"):
        Half("x")  # type: ignore[abstract]
