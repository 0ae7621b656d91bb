"""The v3 gateway's JSON: requests as it wants them, answers whatever they are."""

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.errors import StoreUnavailable
from sidecar.stores.etcd import gateway_json as wire
from sidecar.stores.etcd.gateway_json import Failure
from sidecar.stores.etcd.keyspace import Event, Held, Reading


def b64(value: bytes) -> str:
    return b64encode(value).decode()


def kv(key: bytes = b"/a/x", value: bytes = b"1", **more: str) -> dict[str, str]:
    return {"key": b64(key), "value": b64(value), **more}


def line(**result: Any) -> bytes:
    return json.dumps({"result": {"header": {"revision": "7"}, **result}}).encode()


@pytest.mark.parametrize(
    ("prefix", "begin", "end"),
    [
        ("/a/", b"/a/", b"/a0"),
        ("a", b"a", b"b"),
        ("", b"\0", b"\0"),
        ("ÿ", "ÿ".encode(), "ÿ".encode()[:-1] + b"\xc0"),
        ("a\udcff", b"a\xff", b"b"),
        ("\udcff", b"\xff", b"\0"),
    ],
)
def test_a_prefix_is_a_range_to_the_first_key_behind_it(
    prefix: str, begin: bytes, end: bytes
) -> None:
    assert wire.prefix_range(prefix) == {"key": b64(begin), "range_end": b64(end)}


def test_operations_have_the_names_and_text_numbers_of_the_gateway() -> None:
    assert wire.put("k", b"v") == {"request_put": {"key": b64(b"k"), "value": b64(b"v")}}
    leased = wire.put("k", b"v", 7)["request_put"]
    assert leased == {"key": b64(b"k"), "value": b64(b"v"), "lease": "7"}
    assert wire.deletion("k") == {"request_delete_range": {"key": b64(b"k")}}
    assert wire.compared("k", "MOD", 3) == {"key": b64(b"k"), "target": "MOD", "mod_revision": "3"}
    value = wire.compared("k", "VALUE", b"v")
    assert value == {"key": b64(b"k"), "target": "VALUE", "value": b64(b"v")}
    assert wire.compared("k", "LEASE", 9)["lease"] == "9"
    nested = wire.nested([value], [], [wire.deletion("k")])
    assert nested["request_txn"] == {
        "compare": [value],
        "success": [],
        "failure": [wire.deletion("k")],
    }
    watch = wire.watch_request("/a/", 5)["create_request"]
    assert watch == {"key": b64(b"/a/"), "range_end": b64(b"/a0"), "start_revision": "5"}


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        (b'{"error":"e","message":"m\\n m","code":5}', Failure(5, "m m")),
        (b'{"error":"e"}', Failure(0, "e")),
        (b"404 page not found\n", Failure(0, "404 page not found")),
        (b"[]", Failure(0, "[]")),
        (b'{"code":"x"}', Failure(0, '{"code":"x"}')),
        (b"", Failure(0, "")),
    ],
)
def test_an_error_answer_is_read_whatever_it_is(body: bytes, failure: Failure) -> None:
    assert wire.failure_of(body) == failure


def test_a_reading_is_sorted_and_numbers_left_out_are_zero() -> None:
    found = wire.reading_of(
        [{"kvs": [kv(b"/b"), kv(b"/a", mod_revision="3", create_revision="2", lease="9")]}, {}], 7
    )
    assert found == Reading(7, {"/a": Held(b"1", 3, 2, 9), "/b": Held(b"1")})
    assert list(found.entries) == ["/a", "/b"]
    assert wire.held_of({}) is None
    assert wire.held_of({"kvs": [kv()]}) == Held(b"1")
    assert wire.held_of({"kvs": [{"key": b64(b"k")}]}) == Held(b"")


def test_a_lease_that_is_gone_has_no_ttl() -> None:
    assert wire.lease_of({"result": {"ID": "7", "TTL": "2"}}) == (7, 2)
    assert wire.lease_of({"ID": "7", "TTL": "2"}) == (7, 2)
    assert wire.lease_of({"result": {"ID": "7"}}) == (7, 0)


def test_a_watch_tells_its_beginning_events_and_ends() -> None:
    assert wire.message_of(line(created=True)) == wire.Message(7, is_created=True)
    events = [
        {"kv": kv(mod_revision="5")},
        {"type": "DELETE", "kv": {"key": b64(b"/a/y"), "mod_revision": "6"}},
    ]
    assert wire.message_of(line(events=events)).events == (
        Event("/a/x", Held(b"1", 5), 5),
        Event("/a/y", None, 6),
    )
    compacted = wire.message_of(line(canceled=True, compact_revision="4"))
    assert compacted.is_compacted
    assert compacted.refusal is None


@pytest.mark.parametrize(
    ("reason", "failure"),
    [
        (
            "rpc error: code = PermissionDenied desc = etcdserver: permission denied",
            Failure(7, "etcdserver: permission denied"),
        ),
        (
            "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token",
            Failure(16, "etcdserver: invalid auth token"),
        ),
        ("etcdserver: no leader", Failure(14, "etcdserver: no leader")),
        ("", Failure(14, "")),
    ],
)
def test_a_watch_that_is_refused_says_why(reason: str, failure: Failure) -> None:
    message = wire.message_of(line(created=True, canceled=True, cancel_reason=reason))
    assert message.refusal == failure
    assert not message.is_created


def test_an_error_in_a_watch_is_a_refusal() -> None:
    assert wire.message_of(b'{"error":{"message":"gone","code":14}}').refusal is not None


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"[]",
        b"{}",
        b'{"result":1}',
        b'{"result":{"header":1}}',
        b'{"result":{"header":{"revision":"x"}}}',
        b'{"result":{"events":1}}',
        b'{"result":{"events":[1]}}',
        b'{"result":{"events":[{"kv":{"key":"%"}}]}}',
        b'{"result":{"events":[{"kv":{"key":1}}]}}',
    ],
)
def test_a_watch_that_sends_nonsense_is_not_believed(bad: bytes) -> None:
    with pytest.raises(StoreUnavailable):
        wire.message_of(bad)


@pytest.mark.parametrize("bad", [[1], {"kvs": 1}, {"kvs": [{}]}, {"kvs": [{"key": "&"}]}])
def test_a_range_of_nonsense_is_not_believed(bad: Any) -> None:
    with pytest.raises(StoreUnavailable):
        wire.reading_of([bad], 1)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["result", "header", "revision", "events", "kv", "key", "type", "error"]
            ),
            children,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values | st.binary().map(lambda data: data.decode("latin-1")))
def test_any_line_is_a_message_or_unavailable(value: Any) -> None:
    for data in (json.dumps(value).encode(), json.dumps({"result": value}).encode()):
        try:
            wire.message_of(data)
        except StoreUnavailable:
            continue
    wire.failure_of(json.dumps(value).encode())


@given(st.binary())
def test_any_bytes_are_a_message_or_unavailable(data: bytes) -> None:
    wire.failure_of(data)
    for read in (wire.message_of, wire.object_of):
        try:
            read(data)
        except StoreUnavailable:
            continue


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"]))
    | st.binary().map(lambda b: b.decode(errors="surrogateescape"))
)
def test_any_key_comes_back_as_it_went(key: str) -> None:
    sent = wire.put(key, b"v")["request_put"]
    assert wire.reading_of([{"kvs": [sent]}], 1).entries == {key: Held(b"v")}
