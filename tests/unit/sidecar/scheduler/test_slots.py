"""Slots whose requests are made when they are asked for."""

import pytest

from sidecar.scheduler.model import Request
from sidecar.scheduler.slots import Slots, filled, like

PATTERN = Request(service="s", image="x")


def test_slots_differ_by_their_names_only() -> None:
    slots = like(PATTERN, ["1", "2"])
    assert slots == {
        "1": Request(service="s", image="x", slot="1"),
        "2": Request(service="s", image="x", slot="2"),
    }
    assert (list(slots), len(slots), "3" in slots) == (["1", "2"], 2, False)
    with pytest.raises(KeyError):
        slots["3"]


def test_nothing_is_made_that_is_not_asked_for() -> None:
    asked: list[str] = []

    def request(name: str) -> Request:
        asked.append(name)
        return PATTERN

    slots = Slots(["1", "2", "3"], request)
    assert "1" in slots
    assert [*slots.keys()] == ["1", "2", "3"]
    assert slots["2"] is PATTERN
    assert asked == ["2"]


def test_slots_that_are_not_known_are_like_the_first() -> None:
    known = {"1": PATTERN, "2": Request(service="s", image="y", slot="2")}
    found = filled(known, ["2", "3"])
    assert found == {"2": known["2"], "3": Request(service="s", image="x", slot="3")}
    assert filled({}, ["1"]) == {}
