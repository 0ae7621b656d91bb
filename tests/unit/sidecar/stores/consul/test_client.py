import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sidecar.errors import StoreDenied, StoreUnavailable
from sidecar.stores.consul.address import address_of
from sidecar.stores.consul.client import IN_FLIGHT, Client, following, quoted, side_by_side
from tests.support.pace import allowed
from tests.support.stub_agent import Asked, Reply, StubAgent

INDEX = {"X-Consul-Index": "7"}


@pytest.fixture
async def agent() -> AsyncIterator[StubAgent]:
    async with StubAgent().running() as running:
        yield running


@pytest.fixture
async def client(agent: StubAgent) -> AsyncIterator[Client]:
    client = Client(address_of(f"consul://{agent.host}", {}))
    yield client
    await client.close()


@pytest.mark.parametrize(
    ("asked", "got", "next_"), [(0, 7, 7), (7, 8, 8), (7, 7, 7), (7, 6, 0), (0, 0, 1), (7, 0, 0)]
)
def test_an_index_that_falls_starts_again(asked: int, got: int, next_: int) -> None:
    assert following(asked, got) == next_


def test_a_name_is_one_segment_of_a_path() -> None:
    assert quoted("vm:web:80") == "vm:web:80"
    assert quoted("a/b c%?#ü") == "a%2Fb%20c%25%3F%23%C3%BC"


async def test_a_request_says_who_asks_and_no_type_of_content(agent: StubAgent) -> None:
    environ = {"CONSUL_HTTP_TOKEN": "t0ken", "CONSUL_HTTP_AUTH": "me:secret"}
    client = Client(address_of(f"consul://{agent.host}", environ))
    await client.call("PUT", "agent/service/register", None, b"{}")
    await client.close()
    (asked,) = agent.asked
    assert (asked.method, asked.target) == ("PUT", "/v1/agent/service/register")
    assert asked.headers["x-consul-token"] == "t0ken"
    assert asked.headers["authorization"] == "Basic bWU6c2VjcmV0"
    assert "content-type" not in asked.headers
    assert asked.body == b"{}"


async def test_without_a_token_none_is_sent(agent: StubAgent, client: Client) -> None:
    await client.get("status/leader")
    assert not {"x-consul-token", "authorization"} & agent.asked[0].headers.keys()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (500, StoreUnavailable),
        (503, StoreUnavailable),
        (403, StoreDenied),
        (429, StoreUnavailable),
        (301, StoreDenied),
        (413, StoreDenied),
    ],
)
async def test_a_refusal_becomes_an_error_of_ours(
    agent: StubAgent, client: Client, status: int, error: type[Exception]
) -> None:
    agent.answers["/v1/kv"] = Reply(status, b"No cluster\n  leader")
    with pytest.raises(error, match="No cluster leader"):
        await client.get("kv/a")


async def test_what_is_not_there_is_an_answer(agent: StubAgent, client: Client) -> None:
    agent.answers["/v1/kv"] = Reply(404, headers=INDEX)
    answer = await client.get("kv/a")
    assert (answer.status, answer.index) == (404, 7)


async def test_an_answer_that_is_no_json_of_consul_is_told(
    agent: StubAgent, client: Client
) -> None:
    agent.answers["/v1/"] = Reply(body=b"<html>")
    answer = await client.get("agent/services")
    with pytest.raises(StoreUnavailable, match="does not answer as Consul does"):
        client.decoded(answer, dict[str, int])


async def test_nobody_there_is_unavailable() -> None:
    client = Client(address_of("consul://127.0.0.1:1", {}))
    with pytest.raises(StoreUnavailable, match=r"consul://127\.0\.0\.1:1: "):
        await client.get("status/leader")
    await client.close()


async def test_silence_is_unavailable_after_a_time(agent: StubAgent, client: Client) -> None:
    async def never(_: Asked) -> Reply:
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    agent.answers["/v1/"] = never
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="does not answer status/leader"):
        await client.call("GET", "status/leader", timeout=0.05)
    assert time.monotonic() - began < allowed(2)


async def test_requests_share_connections_and_at_most_so_many_are_under_way(
    agent: StubAgent, client: Client
) -> None:
    async def slow(_: Asked) -> Reply:
        await asyncio.sleep(0.005)
        return Reply()

    agent.answers["/v1/"] = slow

    async def ask(number: int) -> None:
        await client.get(f"kv/{number}")

    await asyncio.gather(*(side_by_side(range(100), ask) for _ in range(2)))
    assert len(agent.asked) == 200
    assert agent.most_at_once <= IN_FLIGHT
    assert agent.connections <= IN_FLIGHT


async def test_a_blocking_query_keeps_no_request_waiting(agent: StubAgent, client: Client) -> None:
    opened = asyncio.Event()

    async def waits(asked: Asked) -> Reply:
        if "index=7" in asked.target:
            await opened.wait()
        return Reply(headers=INDEX)

    agent.answers["/v1/health"] = waits
    async with asyncio.TaskGroup() as group:
        assert (await client.wait("health/state/any", 0)).index == 7
        for _ in range(IN_FLIGHT + 1):
            group.create_task(client.wait("health/state/any", 7))
        async with asyncio.timeout(2):
            await client.get("status/leader")
        opened.set()


async def test_an_index_is_not_used_on_a_connection_that_another_query_opened(
    agent: StubAgent, client: Client
) -> None:
    """Who was late to notice a restart would else take the new agent for the old one."""
    agent.answers["/v1/"] = Reply(200, b"[]", INDEX)
    await client.wait("catalog/nodes", 0)
    await client.wait("health/state/any", 0)
    agent.cut()
    await asyncio.sleep(0.05)  # the end has been told
    await client.wait("health/state/any", 7)
    assert "index" not in agent.asked[-1].target
    await client.wait("catalog/nodes", 7)
    assert "index" not in agent.asked[-1].target
    await client.wait("catalog/nodes", 7)
    await client.wait("health/state/any", 7)
    assert ["index=7" in asked.target for asked in agent.asked[-2:]] == [True, True]


async def test_an_index_is_used_on_the_connection_that_told_it_only(
    agent: StubAgent, client: Client
) -> None:
    """A server that was restarted in between would wait for an index it never reaches."""
    agent.answers["/v1/catalog"] = Reply(headers=INDEX)
    await client.wait("catalog/nodes", 0)
    await client.wait("catalog/nodes", 7)
    assert "index=7" in agent.asked[-1].target
    agent.cut()
    async with asyncio.timeout(2):
        await client.wait("catalog/nodes", 7)
    assert "index" not in agent.asked[-1].target


async def test_a_connection_that_breaks_while_waiting_reads_at_once(
    agent: StubAgent, client: Client
) -> None:
    async def waits(asked: Asked) -> Reply:
        if "index=7" in asked.target:
            agent.cut()
            await asyncio.get_running_loop().create_future()
        return Reply(headers=INDEX)

    agent.answers["/v1/catalog"] = waits
    await client.wait("catalog/nodes", 0)
    async with asyncio.timeout(2):
        assert (await client.wait("catalog/nodes", 7)).index == 7


async def test_a_token_that_changed_in_its_file_is_tried(agent: StubAgent, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old\n")

    async def judge(asked: Asked) -> Reply:
        is_new = asked.headers["x-consul-token"] == "new"
        return Reply() if is_new else Reply(403, b"ACL not found")

    agent.answers["/v1/"] = judge
    client = Client(address_of(f"consul://{agent.host}", {"CONSUL_HTTP_TOKEN_FILE": str(file)}))
    with pytest.raises(StoreDenied, match="ACL not found"):
        await client.get("kv/a")
    file.write_text("new\n")
    assert (await client.get("kv/a")).status == 200
    assert [each.headers["x-consul-token"] for each in agent.asked] == ["old", "old", "new"]
    await client.close()


async def test_a_token_file_that_is_missing_is_named(agent: StubAgent, tmp_path: Path) -> None:
    environ = {"CONSUL_HTTP_TOKEN_FILE": str(tmp_path / "none")}
    client = Client(address_of(f"consul://{agent.host}", environ))
    with pytest.raises(StoreUnavailable, match=r"CONSUL_HTTP_TOKEN_FILE .*none: No such file"):
        await client.get("kv/a")
    await client.close()


async def test_certificates_that_cannot_be_read_are_named() -> None:
    client = Client(address_of("consul-tls://127.0.0.1:1", {"CONSUL_CACERT": "/nonexistent"}))
    with pytest.raises(StoreUnavailable, match="certificates for consul-tls://"):
        await client.get("kv/a")
    await client.close()


async def test_the_first_error_of_many_ends_the_rest() -> None:
    begun: list[int] = []

    async def act(number: int) -> None:
        begun.append(number)
        await asyncio.sleep(0)
        if number == 1:
            raise StoreUnavailable(json.dumps(number))
        await asyncio.get_running_loop().create_future()

    async with asyncio.timeout(2):
        with pytest.raises(StoreUnavailable, match="1"):
            await side_by_side(range(10), act, limit=3)
    assert begun == [0, 1, 2]
