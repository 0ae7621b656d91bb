"""The v2 keys API's JSON: trees, events, errors, whatever they are."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.errors import StoreUnavailable
from sidecar.stores.etcd import keys_json as wire
from sidecar.stores.etcd.keys_json import Refusal
from sidecar.stores.etcd.keyspace import Event, Held


def leaf(key: str, value: str = "1", index: int = 4, **more: Any) -> dict[str, Any]:
    return {"key": key, "value": value, "modifiedIndex": index, "createdIndex": 3, **more}


def directory(key: str, *nodes: dict[str, Any]) -> dict[str, Any]:
    return {"key": key, "dir": True, "nodes": list(nodes), "modifiedIndex": 2, "createdIndex": 2}


def event(action: str, node: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"action": action, "node": node, **more}).encode()


def test_the_path_of_a_key_keeps_its_slashes_and_quotes_the_rest() -> None:
    assert wire.path_of("/a/vm:web:80") == "/v2/keys/a/vm:web:80"
    assert wire.path_of("a/x y?z#") == "/v2/keys/a/x%20y%3Fz%23"
    assert wire.path_of("") == "/v2/keys/"


def test_the_directory_of_a_prefix_holds_all_keys_that_begin_so() -> None:
    assert wire.directory_of("/a/b/") == "/a/b"
    assert wire.directory_of("/a/b") == "/a"
    assert wire.directory_of("/") == wire.directory_of("a") == ""


def test_a_tree_is_its_leaves_sorted() -> None:
    tree = directory(
        "/a", leaf("/a/z"), directory("/a/b", leaf("/a/b/c", ttl=5)), directory("/a/e")
    )
    leaves = wire.leaves_of(event("get", tree))
    assert list(leaves.items()) == [("/a/b/c", Held(b"1", 4, 3, 1)), ("/a/z", Held(b"1", 4, 3))]
    assert wire.leaves_of(b'{"action":"get","node":{"dir":true}}') == {}


def test_a_directory_holds_no_value() -> None:
    assert wire.held_of(event("get", directory("/a"))) is None
    assert wire.held_of(event("get", leaf("/a", "x"))) == Held(b"x", 4, 3)


@pytest.mark.parametrize("action", ["set", "create", "update", "compareAndSwap"])
def test_a_write_is_told_with_what_stands_there(action: str) -> None:
    told = wire.events_of(event(action, leaf("/a/x", index=9)))
    assert told == (9, (Event("/a/x", Held(b"1", 9, 3), 9),))


@pytest.mark.parametrize("action", ["delete", "expire", "compareAndDelete"])
def test_a_removal_is_told(action: str) -> None:
    gone = {"key": "/a/x", "modifiedIndex": 9, "createdIndex": 3}
    assert wire.events_of(event(action, gone)) == (9, (Event("/a/x", None, 9),))


def test_a_directory_that_goes_means_reading_again_and_one_that_comes_nothing() -> None:
    gone = {"key": "/a", "dir": True, "modifiedIndex": 9, "createdIndex": 3}
    assert wire.events_of(event("delete", gone)) == (9, None)
    assert wire.events_of(event("set", gone)) == (9, ())


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (
            b'{"errorCode":100,"message":"Key not found","cause":"/a","index":5}',
            Refusal(100, "Key not found /a"),
        ),
        (b"404 page not found\n", Refusal(0, "404 page not found")),
        (b'{"errorCode":"x"}', Refusal(0, '{"errorCode":"x"}')),
        (b"[]", Refusal(0, "[]")),
    ],
)
def test_an_error_answer_is_read_whatever_it_is(body: bytes, refusal: Refusal) -> None:
    assert wire.refusal_of(body) == refusal


@pytest.mark.parametrize("bad", [b"", b"[]", b"{}", b'{"node":1}', b'{"node":{"key":"/a"}}'])
def test_nonsense_is_not_believed(bad: bytes) -> None:
    for read in (wire.leaves_of, wire.events_of):
        with pytest.raises(StoreUnavailable):
            read(bad)


node_values = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.booleans(),
    lambda children: st.dictionaries(
        st.sampled_from(
            [
                "node",
                "key",
                "value",
                "dir",
                "nodes",
                "action",
                "modifiedIndex",
                "createdIndex",
                "ttl",
            ]
        ),
        children | st.lists(children, max_size=3),
        max_size=6,
    ),
    max_leaves=12,
)


@given(node_values)
def test_any_answer_is_read_or_unavailable(value: Any) -> None:
    body = json.dumps(value).encode()
    wire.refusal_of(body)
    for read in (wire.leaves_of, wire.events_of, wire.held_of):
        try:
            read(body)
        except StoreUnavailable:
            continue
