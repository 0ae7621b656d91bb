from typing import Any

import pytest

from sidecar.errors import ApiError
from sidecar.web.consul.txn import parse_operations
from tests.support.api import served


def _kv(verb: str, key: str, **fields: Any) -> dict[str, Any]:
    return {"KV": {"Verb": verb, "Key": key, **fields}}


async def test_a_transaction_writes_and_shows_entries_without_values() -> None:
    async with served() as api:
        answer = await api.put(
            "/v1/txn",
            [_kv("set", "a", Value="aGVsbG8=", Flags=7), _kv("get", "a"), _kv("delete", "x")],
        )
        assert answer.status == 200
        entry = {"LockIndex": 0, "Key": "a", "Flags": 7, "CreateIndex": 1, "ModifyIndex": 1}
        assert answer.json == {
            "Results": [{"KV": entry | {"Value": None}}, {"KV": entry | {"Value": "aGVsbG8="}}],
            "Errors": None,
        }
        assert (await api.get("/v1/kv/a?raw")).body == b"hello"


async def test_reads_alone_tell_of_the_leader() -> None:
    async with served() as api:
        await api.put("/v1/kv/a", b"1")
        answer = await api.put("/v1/txn", [_kv("get-tree", "a")])
        body = answer.json
        assert [each["KV"]["Key"] for each in body.pop("Results")] == ["a"]
        assert body == {
            "Errors": None,
            "Index": 0,
            "LastContact": 0,
            "KnownLeader": True,
            "ConsistencyLevel": "",
        }
        assert answer.headers["X-Consul-Knownleader"] == "true"
        both = await api.put("/v1/txn?stale&consistent", [_kv("get", "a")])
        assert both.status == 400


async def test_a_failure_is_409_and_undoes_all() -> None:
    async with served() as api:
        answer = await api.put("/v1/txn", [_kv("set", "a"), _kv("get", "none")])
        assert answer.status == 409
        assert answer.json == {
            "Results": None,
            "Errors": [{"OpIndex": 1, "What": 'key "none" doesn\'t exist'}],
        }
        assert (await api.get("/v1/kv/a")).status == 404


async def test_more_than_64_operations_and_too_large_a_body_are_413() -> None:
    async with served() as api:
        assert (await api.put("/v1/txn", [_kv("set", "a")] * 64)).status == 200
        answer = await api.put("/v1/txn", [_kv("set", "a")] * 65)
        assert answer.status == 413
        assert answer.text == "Transaction contains too many operations (65 > 64)"
        answer = await api.put("/v1/txn", b" " * 524289)
        assert answer.status == 413
        assert answer.text == "Request body too large, max size: 524288 bytes"


async def test_operations_on_the_catalogue_are_refused() -> None:
    async with served() as api:
        answer = await api.put("/v1/txn", [{"Node": {"Verb": "get", "Node": {"Node": "n"}}}])
        assert answer.status == 501


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{}",
        b"[1]",
        b'[{"Bogus": {}}]',
        b'[{"KV": 1}]',
        b'[{"KV": {"Bogus": 1}}]',
        b'[{"KV": {"Flags": -1}}]',
        b'[{"KV": {"Flags": true}}]',
        b'[{"KV": {"Index": 18446744073709551616}}]',
        b'[{"KV": {"Key": 1}}]',
        b'[{"KV": {"Value": "?"}}]',
        '[{"KV": {"Value": "é"}}]'.encode(),
        b"[" * 100_000,
        b'"\xed\xa0\x80"',
    ],
)
def test_what_is_no_transaction_cannot_be_parsed(body: bytes) -> None:
    with pytest.raises(ApiError, match=r"^Failed to parse body: ") as caught:
        parse_operations(body)
    assert caught.value.status == 400


def test_keys_of_operations_match_in_any_case_and_null_is_absent() -> None:
    (operation,) = parse_operations(
        b'[{"kv": {"verb": "set", "KEY": "a", "Value": null, "Namespace": ""}, "Node": null}]'
    )
    assert (operation.verb, operation.key, operation.value) == ("set", "a", b"")
    assert parse_operations(b"null") == parse_operations(b"[]") == ()
