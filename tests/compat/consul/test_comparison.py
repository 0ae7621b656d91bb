"""The comparison itself: what it must see, what it must not."""

import json
from typing import Any

import pytest

from tests.compat.consul.differences import Allowed, Difference, differences
from tests.compat.consul.normalise import Normal, normalised
from tests.compat.consul.recording import Answer, Exchange, Recording
from tests.compat.consul.scenario import generate
from tests.compat.consul.steps import get

ONE = "11111111-2222-4333-8444-555555555555"
TWO = "22222222-2222-4333-8444-555555555555"
PATH = "/v1/kv/a"


def recorded(*bodies: Any, indexes: tuple[int, ...] = (), node: str = "n", path: str = PATH) -> Any:
    """Return the normal form of JSON answers to one path, each with its index header."""
    indexes = indexes or (9,) * len(bodies)
    exchanges = (
        Exchange(
            get(path),
            Answer(
                200,
                {"Content-Type": "application/json", "X-Consul-Index": str(index)},
                json.dumps(body).encode(),
            ),
        )
        for body, index in zip(bodies, indexes, strict=True)
    )
    return normalised(Recording(node, tuple(exchanges)))


def fields(one: list[Normal], other: list[Normal]) -> list[str]:
    return [difference.field for difference in differences(one, other)]


def test_other_ids_ports_names_and_indexes_are_no_difference() -> None:
    one = {"ID": ONE, "Again": ONE, "Node": "left", "CreateIndex": 5, "ModifyIndex": 9}
    other = {"ID": TWO, "Again": TWO, "Node": "right", "CreateIndex": 105, "ModifyIndex": 200}
    left = recorded([one, "127.0.0.1:8300"], indexes=(9,), node="left")
    right = recorded([other, "127.0.0.1:1234"], indexes=(200,), node="right")
    assert fields(left, right) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (None, {}),
        ([], None),
        ({"Port": 1}, {"Port": True}),
        ({"Port": 1}, {}),
        ([1, 2], [2, 1]),
        ({"A": ONE, "B": ONE}, {"A": ONE, "B": TWO}),
        ({"CreateIndex": 5, "ModifyIndex": 5}, {"CreateIndex": 5, "ModifyIndex": 6}),
        ([{"ModifyIndex": 5}, {"ModifyIndex": 6}], [{"ModifyIndex": 6}, {"ModifyIndex": 5}]),
        ({"CreateIndex": 0}, {"CreateIndex": 5}),
    ],
)
def test_null_types_order_equality_and_order_of_indexes_count(one: Any, other: Any) -> None:
    assert fields(recorded(one), recorded(other))


def test_an_index_that_moves_on_one_side_only_is_a_difference() -> None:
    still, moved = recorded(1, 1, indexes=(5, 5)), recorded(1, 1, indexes=(7, 8))
    assert fields(still, moved) == ["index"]


def test_an_index_that_falls_is_a_difference() -> None:
    assert fields(recorded(1, 1, indexes=(5, 6)), recorded(1, 1, indexes=(5, 4))) == ["index"]


def test_the_table_explains_only_the_request_and_field_it_names() -> None:
    allowed = Allowed("why", "PUT /v1/agent/*", "status", ours=400)
    assert allowed.covers(Difference(0, "PUT /v1/agent/x", "status", 200, 400))
    assert not allowed.covers(Difference(0, "PUT /v1/agent/x", "status", 200, 500))
    assert not allowed.covers(Difference(0, "PUT /v1/kv/x", "status", 200, 400))
    assert not allowed.covers(Difference(0, "PUT /v1/agent/x", "text", 200, 400))


def test_a_seed_always_gives_the_same_requests_and_enough_of_them() -> None:
    assert generate(1) == generate(1) != generate(2)
    assert all(len(generate(seed)) >= 300 for seed in range(5))
