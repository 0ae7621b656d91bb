"""Shares of traffic as whole numbers."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sidecar.catalog.shares import Percent, Wish, weights_of

SHARES = st.integers(0, 10_000).map(lambda n: Percent(f"{n / 100:.2f}"))


def canary(share: str, weight: int = 1, *, counts: bool = True) -> Wish:
    return Wish(weight, Percent(share), counts)


@pytest.mark.parametrize(
    ("wishes", "weights"),
    [
        ([], []),
        ([Wish(3), Wish(0), Wish(1)], [3, 0, 1]),
        ([Wish(1000), Wish(500), Wish(1)], [256, 128, 1]),
        ([Wish(-4)], [0]),
        ([Wish(1), canary("5")], [19, 1]),
        ([Wish(1)] * 10 + [canary("5%")], [19] * 10 + [10]),
        ([Wish(1), canary("50"), canary("50")], [2, 1, 1]),
        ([Wish(2), Wish(1), canary("25")], [2, 1, 1]),
        ([Wish(1), canary("0")], [1, 0]),
        ([Wish(1), canary("100")], [0, 1]),
        ([canary("0")], [0]),
        ([canary("5"), canary("5", 3)], [1, 3]),
        ([Wish(1, counts=False), canary("5")], [1, 1]),
        ([Wish(0), canary("5")], [0, 1]),
        ([Wish(1), canary("5", counts=False)], [1, 1]),
        ([Wish(1), canary("50"), canary("0")], [1, 0, 0]),
    ],
)
def test_weights_make_the_shares_true(wishes: list[Wish], weights: list[int]) -> None:
    assert list(weights_of(wishes)) == weights


@given(
    stable=st.lists(st.integers(1, 300), min_size=1, max_size=12),
    canaries=st.lists(st.integers(1, 300), min_size=1, max_size=12),
    share=SHARES,
)
@example(stable=[129], canaries=[1], share=Percent("0.01"))
def test_canaries_get_their_share_within_half_a_point(
    stable: list[int], canaries: list[int], share: Percent
) -> None:
    weights = weights_of([*map(Wish, stable), *(Wish(one, share) for one in canaries)])
    assert all(0 <= weight <= 256 for weight in weights)
    got = sum(weights[len(stable) :]) / sum(weights)
    assert abs(got * 100 - share) <= 0.5


@given(st.lists(st.integers(1, 65535), min_size=1, max_size=20))
def test_who_has_a_weight_keeps_one(given_: list[int]) -> None:
    weights = weights_of(list(map(Wish, given_)))
    assert all(1 <= weight <= 256 for weight in weights)
    assert [weight for _, weight in sorted(zip(given_, weights, strict=True))] == sorted(weights)


def test_more_canaries_than_their_share_has_steps_still_get_it_together() -> None:
    weights = weights_of([Wish(1), *[canary("1")] * 200])
    assert abs(sum(weights[1:]) / sum(weights) - 0.01) < 0.002


@pytest.mark.parametrize("text", ["", "-1", "101", "1e1", "5 %%", "٣", "nan", "5.123", "1000"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a share from 0 to 100"):
        Percent(text)


@pytest.mark.parametrize(("text", "share"), [("5", 5), ("0.25%", 0.25), ("100 %", 100)])
def test_shares_are_percentages(text: str, share: float) -> None:
    assert Percent(text) == share
