"""Whatever is sent as a body or parameter is taken or refused in words, never a bug."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.errors import ApiError
from sidecar.web.consul.query import Wait, cleaned_path, unsigned
from sidecar.web.consul.session import parse_request
from sidecar.web.consul.txn import parse_operations

NAMES = st.sampled_from(
    [
        *("KV", "kv", "Verb", "Key", "Value", "Flags", "Index", "Session", "TTL", "LockDelay"),
        *("Name", "Checks", "NodeChecks", "ServiceChecks", "ID", "Behavior", "Node", "x"),
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
BODIES = (
    st.binary(max_size=40)
    | st.binary(max_size=9).map(lambda raw: b'["' + raw + b'"]')
    | VALUES.map(lambda value: json.dumps(value).encode())
)


def _only_refusals(parse: Callable[[], Any]) -> None:
    try:
        parse()
    except ApiError as refused:
        error = refused
    else:
        return
    assert error.status in {400, 413, 500, 501}
    assert str(error)


@given(body=BODIES)
def test_bodies_are_parsed_or_refused(body: bytes) -> None:
    _only_refusals(lambda: parse_request(body, "n"))
    _only_refusals(lambda: parse_operations(body))


@given(text=st.text(max_size=30), other=st.text(alphabet="0123456789.+-hms", max_size=30))
def test_parameters_are_parsed_or_refused(text: str, other: str) -> None:
    for each in (text, other):
        _only_refusals(lambda each=each: Wait.of({"index": each}))  # type: ignore[misc]
        _only_refusals(lambda each=each: Wait.of({"wait": each}))  # type: ignore[misc]
        _only_refusals(lambda each=each: unsigned(each))  # type: ignore[misc]


@given(path=st.lists(st.sampled_from(["/", "//", ".", "..", "a", ""])).map("".join))
def test_a_cleaned_path_is_clean(path: str) -> None:
    clean = cleaned_path("/" + path)
    assert clean.startswith("/")
    assert cleaned_path(clean) == clean
    assert "//" not in clean
    assert "/../" not in f"{clean}/"


@pytest.mark.parametrize("depth", [1_000, 100_000])
def test_deep_json_is_refused(depth: int) -> None:
    with pytest.raises(ApiError, match=r"."):
        parse_operations(b'[{"KV":' * depth)
    with pytest.raises(ApiError, match=r"."):
        parse_request(b'{"a":' * depth, "n")
