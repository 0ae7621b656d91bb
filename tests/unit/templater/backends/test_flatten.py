"""Nested values as keys, with the texts that were measured on confd."""

import pytest

from sidecar.errors import ProtocolError
from templater.backends.flatten import flattened, number_text


def test_mappings_join_and_lists_count() -> None:
    value = {"a": {"b": "x"}, "l": ["y", {"z": 1}], "n": None, "t": True, "f": False}
    assert flattened(value) == {
        "/a/b": "x",
        "/l/0": "y",
        "/l/1/z": "1",
        "/t": "true",
        "/f": "false",
    }


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (5, "5"), (-3, "-3"), (1.0, "1"), (0.5, "0.5"), (1e21, "1000000000000000000000"),
        (1e-8, "0.00000001"), (0.30000000000000004, "0.30000000000000004"), (True, "true"),
        (float("inf"), "+Inf"), (float("-inf"), "-Inf"), (float("nan"), "NaN"), (100.0, "100"),
    ],
)  # fmt: skip
def test_a_number_never_has_an_exponent(number: float, text: str) -> None:
    assert number_text(number) == text


def test_what_is_too_deep_or_too_much_is_refused() -> None:
    deep: object = "x"
    for _ in range(300):
        deep = [deep]
    with pytest.raises(ProtocolError, match="deep"):
        flattened(deep)
    wide: object = ["x"] * 100
    for _ in range(3):
        wide = [wide] * 100
    with pytest.raises(ProtocolError, match="more than 1000000 values"):
        flattened(wide)


def test_keys_that_are_no_text_become_text() -> None:
    assert flattened({1: "a", None: "c"}) == {"/1": "a", "/null": "c"}
