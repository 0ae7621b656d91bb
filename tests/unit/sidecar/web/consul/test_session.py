import asyncio
from typing import Any

import pytest

from sidecar.errors import ApiError
from sidecar.runtime.clock import FakeClock
from sidecar.web.consul.session import parse_request
from tests.support.api import served
from tests.support.keys import NOBODY


async def test_a_session_is_shown_as_consul_does() -> None:
    async with served() as api:
        id_ = await api.session(Name="lock", TTL="10s", LockDelay="2s", Behavior="delete")
        answer = await api.get(f"/v1/session/info/{id_}")
        assert answer.json == [
            {
                "ID": id_,
                "Name": "lock",
                "Node": "node-1",
                "LockDelay": 2_000_000_000,
                "Behavior": "delete",
                "TTL": "10s",
                "NodeChecks": ["serfHealth"],
                "ServiceChecks": None,
                "CreateIndex": 1,
                "ModifyIndex": 1,
            }
        ]
        assert (answer.index, answer.headers["X-Consul-Knownleader"]) == (1, "true")


async def test_a_session_without_a_body_has_the_defaults() -> None:
    async with served() as api:
        id_ = (await api.put("/v1/session/create")).json["ID"]
        (session,) = (await api.get("/v1/session/list")).json
        assert session["ID"] == id_
        assert (session["LockDelay"], session["TTL"]) == (15_000_000_000, "")
        assert (await api.get("/v1/session/node/node-1")).json == [session]
        assert (await api.get("/v1/session/node/other")).json == []
        assert (await api.get(f"/v1/session/info/{NOBODY}")).json == []
        assert (await api.put(f"/v1/session/renew/{id_}")).json == [session]
        assert (await api.put(f"/v1/session/destroy/{id_}")).text == "true"
        assert (await api.put(f"/v1/session/destroy/{id_}")).text == "true"
        assert (await api.get("/v1/session/list")).json == []


async def test_an_id_may_be_written_in_capitals_and_holds_the_same_locks() -> None:
    async with served() as api:
        id_ = await api.session(LockDelay="0s")
        (session,) = (await api.get(f"/v1/session/info/{id_.upper()}")).json
        assert session["ID"] == id_
        assert (await api.put(f"/v1/kv/k?acquire={id_.upper()}", b"x")).text == "true"
        assert (await api.put(f"/v1/session/destroy/{id_.upper()}")).text == "true"
        assert "Session" not in (await api.get("/v1/kv/k")).json[0]
        assert (await api.get("/v1/session/list")).json == []


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "info/" + "1" * 36, 200, "[]"),
        ("PUT", "renew/" + "1" * 36, 404, f"Session id '{'1' * 36}' not found"),
        ("PUT", "destroy/" + "1" * 36, 200, "true"),
        (
            "PUT",
            "destroy/x",
            500,
            "failed session lookup: index error: UUID must be 36 characters",
        ),
        ("PUT", f"renew/{NOBODY}", 404, f"Session id '{NOBODY}' not found"),
        ("PUT", "renew/", 400, "Missing session"),
        ("PUT", "destroy/", 400, "Missing session"),
        ("GET", "info/", 400, "Missing session"),
        ("GET", "node/", 400, "Missing node name"),
        (
            "GET",
            "info/x",
            500,
            "failed session lookup: index error: UUID must be 36 characters",
        ),
        ("GET", "list?index=x", 400, "Invalid index"),
        ("PUT", "create?dc=dc2", 500, "No path to datacenter"),
    ],
)
async def test_refusals_have_consuls_words(method: str, path: str, status: int, text: str) -> None:
    async with served() as api:
        answer = await api.ask(method, f"/v1/session/{path}")
        assert (answer.status, answer.text) == (status, text)


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (
            {"TTL": "5s"},
            500,
            "Invalid Session TTL '5000000000', must be between [10s=24h0m0s]",
        ),
        ({"ttl": "x"}, 500, "Session TTL 'x' invalid: time: invalid duration \"x\""),
        ({"Behavior": "boo"}, 500, "Invalid Behavior setting 'boo'"),
        ({"Node": "elsewhere"}, 500, "Missing node registration"),
        ({"Checks": ["nope"]}, 500, "Missing check 'nope' registration"),
        ({"NodeChecks": ["serfHealth", "nope"]}, 500, "Missing check 'nope' registration"),
    ],
)
async def test_wrong_sessions_are_refused(body: Any, status: int, text: str) -> None:
    async with served() as api:
        answer = await api.put("/v1/session/create", body)
        assert (answer.status, answer.text) == (status, text)
        assert api.store.sessions.list() == ()


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"1",
        b'{"Name": 1}',
        b'{"LockDelay": "soon"}',
        b'{"Checks": "serfHealth"}',
        b'{"Checks": [1]}',
        b'{"ServiceChecks": 1}',
        b'{"ServiceChecks": [{"ID": 1}]}',
        b"[" * 100_000,
        b'"\xed\xa0\x80"',
    ],
)
def test_what_is_no_session_cannot_be_decoded(body: bytes) -> None:
    with pytest.raises(ApiError, match=r"^Request decode failed: ") as caught:
        parse_request(body, "n")
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [
        (b'"2s"', 2.0),
        (b"5", 5.0),
        (b"2000000000", 2.0),
        (b'"0s"', 0.0),
        (b'"-1s"', 0.0),
        (b"null", 15.0),
    ],
)
def test_a_lock_delay_is_text_seconds_or_nanoseconds(delay: bytes, seconds: float) -> None:
    assert parse_request(b'{"lockdelay": %s}' % delay, "n").lock_delay == seconds


def test_given_checks_replace_the_default_and_none_means_none() -> None:
    assert parse_request(b'{"Checks": []}', "n").checks == ()
    body = b'{"NodeChecks": ["a"], "ServiceChecks": [{"ID": "b", "Namespace": ""}]}'
    assert parse_request(body, "n").checks == ("a", "b")
    assert parse_request(b"", "n").checks == ("serfHealth",)


async def test_a_reader_of_sessions_wakes_when_one_goes_and_its_keys_are_free() -> None:
    clock = FakeClock()
    async with served(clock) as api, asyncio.TaskGroup() as group:
        one = await api.session()
        two = await api.session(LockDelay="0s")
        await api.put(f"/v1/kv/k?acquire={one}")
        index = (await api.get("/v1/session/list")).index
        reader = group.create_task(api.get(f"/v1/session/list?index={index}&wait=30s"))
        key = (await api.get("/v1/kv/k")).index
        keys = group.create_task(api.get(f"/v1/kv/k?index={key}&wait=30s"))
        await asyncio.sleep(0.05)
        await api.put(f"/v1/session/destroy/{one}")
        answer = await asyncio.wait_for(reader, 5)
        assert [each["ID"] for each in answer.json] == [two]
        assert "Session" not in (await asyncio.wait_for(keys, 5)).json[0]
        assert (await api.put(f"/v1/kv/k?acquire={two}")).text == "false"
        await clock.advance(15.0)
        assert (await api.put(f"/v1/kv/k?acquire={two}")).text == "true"
