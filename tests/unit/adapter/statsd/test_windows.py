import random
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from math import isnan

import pytest

from adapter.statsd.mapping import Summary
from adapter.statsd.windows import Window

DEFAULT = Summary()
N = 12_000


def uniform(rng: random.Random, _: int) -> float:
    return rng.random()


def exponential(rng: random.Random, _: int) -> float:
    return rng.expovariate(1.0)


def few(rng: random.Random, _: int) -> float:
    return float(rng.randrange(5))


def rising(_: random.Random, n: int) -> float:
    return float(n)


def falling(_: random.Random, n: int) -> float:
    return -float(n)


def sawtooth(_: random.Random, n: int) -> float:
    return float(n % 997)


def drifting(rng: random.Random, n: int) -> float:
    return rng.gauss(n / N * 10, 1)


def error_of(values: list[float], quantile: float, answer: float) -> float:
    """Return how far the answer's rank is from the one asked for, as a share."""
    ordered = sorted(values)
    low, high = bisect_left(ordered, answer), bisect_right(ordered, answer)
    rank = quantile * len(ordered)
    return max(low - rank, rank - high, 0.0) / len(ordered)


@pytest.mark.parametrize(
    "draw", [uniform, exponential, few, rising, falling, sawtooth, drifting],
    ids=lambda draw: draw.__name__,
)  # fmt: skip
@pytest.mark.parametrize("slices", [1, 5])
def test_quantiles_are_within_the_error_asked_for(
    draw: Callable[[random.Random, int], float], slices: int
) -> None:
    rng = random.Random(7)
    window, values = Window(), [draw(rng, n) for n in range(N)]
    for n, value in enumerate(values):
        window.add(value, 1, n * slices // N, DEFAULT)
    answers = window.quantiles(slices - 1, DEFAULT)
    for (quantile, error), answer in zip(DEFAULT.quantiles, answers, strict=True):
        assert error_of(values, quantile, answer) <= error


def test_a_weight_is_that_many_observations() -> None:
    window = Window()
    for n in range(3000):
        window.add(float(n % 100), 7, 0, DEFAULT)
    window.add(1000.0, 200, 0, DEFAULT)
    median, ninety, last = window.quantiles(0, DEFAULT)
    assert abs(median - 50) <= 5
    assert abs(ninety - 90) <= 2
    assert last == 99.0


def test_few_observations_are_exact() -> None:
    window = Window()
    for value in (5.0, 1.0, 3.0):
        window.add(value, 1, 0, DEFAULT)
    assert list(window.quantiles(0, DEFAULT)) == [3.0, 5.0, 5.0]


def test_an_idle_window_has_no_number() -> None:
    window = Window()
    assert all(map(isnan, window.quantiles(0, DEFAULT)))
    window.add(1.0, 1, 0, DEFAULT)
    assert list(window.quantiles(4, DEFAULT)) == [1.0] * 3
    assert all(map(isnan, window.quantiles(5, DEFAULT)))


def test_old_slices_leave_one_by_one() -> None:
    window = Window()
    for slice_ in range(8):
        window.add(float(slice_), 1, slice_, DEFAULT)
    assert window.quantiles(7, DEFAULT)[0] == 5.0


def test_memory_depends_on_the_error_and_not_on_traffic() -> None:
    window = Window()
    for n in range(50_000):
        window.add(float(n * 7919 % 100_003), 1, 0, Summary(((0.5, 0.05),)))
    runs = window._runs
    assert runs is not None
    assert len(runs[0][0]) < 200


def test_without_quantiles_hardly_anything_is_kept() -> None:
    window, none = Window(), Summary(())
    for n in range(5000):
        window.add(float(n), 1, 0, none)
    assert list(window.quantiles(0, none)) == []
