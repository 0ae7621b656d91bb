"""What the edge makes of an agent's rarer answers; the usual ones come from a real agent."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sidecar.catalog.model import Check, Instance, InstanceId, Key, key_of
from sidecar.errors import StoreDenied, StoreUnavailable
from sidecar.runtime.clock import FakeClock
from sidecar.stores.base import EdgeOptions, Holder
from sidecar.stores.consul.address import address_of
from sidecar.stores.consul.client import IN_FLIGHT, Client
from sidecar.stores.consul.edge import ConsulEdge
from tests.support.stub_agent import Asked, Reply, StubAgent

HOLDER = Holder("registrar:e", "vm")
NO_LEADER = Reply(500, b"No cluster leader")
REGISTER = "/v1/agent/service/register"
OTHERS = "/v1/kv/pinnace/owners/?recurse"


def entry(port: int = 80, **fields: Any) -> Instance:
    given: dict[str, Any] = {
        "id": InstanceId(f"vm:web:{port}"),
        "service": "web",
        "node": "vm",
        "address": "192.0.2.1",
        "port": port,
        "owner": HOLDER.owner,
    }
    return Instance(**(given | fields))


def wanted(*instances: Instance) -> dict[Key, Instance]:
    return {key_of(each): each for each in instances}


def shown(*instances: Instance) -> Reply:
    """Return what agent/services says of these."""
    return said(
        {
            each.id: {"Service": each.service, "Port": each.port, "Address": each.address}
            for each in instances
        }
    )


def said(value: object, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"X-Consul-Index": "7"})


def pair(owner: str, text: str, index: int = 5) -> dict[str, object]:
    value = base64.b64encode(text.encode()).decode()
    return {"Key": f"pinnace/owners/{owner}", "Value": value, "ModifyIndex": index}


@pytest.fixture
async def agent() -> AsyncIterator[StubAgent]:
    stub = StubAgent()
    stub.answers |= {
        "/v1/agent/services": said({}),
        "/v1/agent/checks": said({}),
        "/v1/agent/self": said({"Config": {"NodeName": "n"}}),
        "/v1/catalog/node/": said(None),
        "/v1/kv/": Reply(404),
        "/v1/txn": said({"Results": [{"KV": pair("registrar:e", "")}]}),
        "/v1/status/leader": said("127.0.0.1:8300"),
    }
    async with stub.running():
        yield stub


@pytest.fixture
async def edge(agent: StubAgent) -> AsyncIterator[ConsulEdge]:
    client = Client(address_of(f"consul://{agent.host}", {}))
    edge = ConsulEdge(client, EdgeOptions(), clock=FakeClock())
    yield edge
    await edge.close()


def asked(agent: StubAgent, begin: str) -> list[Asked]:
    return [each for each in agent.asked if each.target.startswith(begin)]


def marks(agent: StubAgent) -> list[list[str]]:
    """Return what was written as marks, write by write."""
    values = [json.loads(each.body)[0]["KV"]["Value"] for each in asked(agent, "/v1/txn")]
    return [json.loads(base64.b64decode(value))["ids"] for value in values]


async def test_an_agent_without_a_leader_does_not_answer(
    agent: StubAgent, edge: ConsulEdge
) -> None:
    await edge.ping()
    agent.answers["/v1/status/leader"] = said("")
    with pytest.raises(StoreUnavailable, match="no leader"):
        await edge.ping()


@pytest.mark.parametrize("reply", [NO_LEADER, Reply(503), Reply(429)], ids=["500", "503", "429"])
async def test_an_agent_that_cannot_is_tried_again(
    agent: StubAgent, edge: ConsulEdge, reply: Reply
) -> None:
    agent.answers[REGISTER] = reply
    with pytest.raises(StoreUnavailable):
        await edge.write(wanted(entry()))
    agent.answers[REGISTER] = Reply()
    assert await edge.write(wanted(entry())) == {}


async def test_a_token_that_nobody_knows_stops_all(agent: StubAgent, edge: ConsulEdge) -> None:
    agent.answers[REGISTER] = Reply(403, b"ACL not found")
    with pytest.raises(StoreDenied):
        await edge.write(wanted(entry()))


async def test_an_entry_that_is_refused_without_words_has_a_reason(
    agent: StubAgent, edge: ConsulEdge
) -> None:
    agent.answers[REGISTER] = Reply(400)
    assert list((await edge.write(wanted(entry()))).values()) == ["status 400"]


async def test_marks_are_written_before_the_entries_and_once(
    agent: StubAgent, edge: ConsulEdge
) -> None:
    await edge.write(wanted(entry(81), entry(82)))
    targets = [each.target for each in agent.asked if each.method == "PUT"]
    assert targets == ["/v1/txn", REGISTER, REGISTER]
    assert marks(agent) == [["vm:web:81", "vm:web:82"]]


async def test_a_cluster_without_a_leader_keeps_no_entry_from_its_agent(
    agent: StubAgent, edge: ConsulEdge
) -> None:
    agent.answers["/v1/txn"] = NO_LEADER
    assert await edge.write(wanted(entry())) == {}
    assert len(asked(agent, REGISTER)) == 1
    agent.answers["/v1/txn"] = said({"Results": [{"KV": pair("registrar:e", "")}]})
    await edge.write(wanted(entry(81)))
    assert marks(agent)[-1] == ["vm:web:80", "vm:web:81"]


async def test_marks_that_another_changed_are_added_to(agent: StubAgent, edge: ConsulEdge) -> None:
    replies = iter([said({}, 409), said({"Results": [{"KV": pair("registrar:e", "", 9)}]})])

    async def txn(_: Asked) -> Reply:
        return next(replies)

    agent.answers["/v1/txn"] = txn
    agent.answers["/v1/kv/pinnace/owners/registrar:e"] = said([pair("e", '{"ids":["other"]}')])
    await edge.write(wanted(entry()))
    assert marks(agent) == [["vm:web:80"], ["other", "vm:web:80"]]
    indexes = [json.loads(each.body)[0]["KV"]["Index"] for each in asked(agent, "/v1/txn")]
    assert indexes == [0, 5]


async def test_marks_that_nobody_can_read_are_none(agent: StubAgent, edge: ConsulEdge) -> None:
    agent.answers["/v1/agent/services"] = shown(entry())
    agent.answers[OTHERS] = said([pair("a", "no json"), pair("b", "[]")])
    assert await edge.audit({}, HOLDER) == wanted(entry()).keys()


async def test_the_marks_of_others_are_read_only_when_they_decide(
    agent: StubAgent, edge: ConsulEdge
) -> None:
    agent.answers["/v1/agent/services"] = shown(entry())
    await edge.audit(wanted(entry()), HOLDER)
    await edge.audit({}, HOLDER._replace(node=""))
    assert not asked(agent, OTHERS)


async def test_marks_of_removed_entries_go_later(agent: StubAgent, edge: ConsulEdge) -> None:
    agent.answers["/v1/catalog/node/"] = _once_then_never(said(None))
    await edge.write(wanted(entry(80), entry(81)))
    async with _running(edge) as clock:
        await edge.write(dict.fromkeys(wanted(entry(80))))
        assert len(marks(agent)) == 1
        await _until(lambda: len(marks(agent)) == 2, clock)
    assert marks(agent)[-1] == ["vm:web:81"]


async def test_an_entry_that_cannot_be_removed_keeps_its_mark(
    agent: StubAgent, edge: ConsulEdge
) -> None:
    agent.answers["/v1/agent/service/deregister"] = Reply(403, b"Permission denied")
    await edge.write(wanted(entry()))
    refused = await edge.write(dict.fromkeys(wanted(entry())))
    assert list(refused.values()) == ["Permission denied"]
    agent.answers["/v1/agent/services"] = shown(entry())
    kept = json.dumps({"ids": marks(agent)[-1]})
    agent.answers["/v1/kv/pinnace/owners/registrar:e"] = said([pair("e", kept)])
    assert await edge.audit({}, HOLDER) == wanted(entry()).keys()


async def test_many_changes_are_under_way_together_and_bounded(
    agent: StubAgent, edge: ConsulEdge
) -> None:
    async def slow(_: Asked) -> Reply:
        await asyncio.sleep(0.002)
        return Reply()

    agent.answers[REGISTER] = slow
    instances = [entry(port) for port in range(1000, 1200)]
    assert await edge.write(wanted(*instances)) == {}
    assert IN_FLIGHT // 2 < agent.most_at_once <= IN_FLIGHT


async def test_a_definition_that_is_no_json_harms_only_its_entry(
    agent: StubAgent, edge: ConsulEdge
) -> None:
    bad = entry(checks=(Check(id="c", name="c", definition="["),))
    assert (await edge.write(wanted(bad, entry(81)))).keys() == wanted(bad).keys()
    agent.answers["/v1/agent/services"] = shown(bad, entry(81))
    assert await edge.audit(wanted(bad, entry(81)), HOLDER) == wanted(bad).keys()


async def test_an_entry_that_another_changes_again_and_again_is_left_to_it(
    agent: StubAgent, edge: ConsulEdge
) -> None:
    """Two registrars that both insist would write without an end."""
    theirs = entry(address="192.0.2.99")
    written = 0
    for _ in range(10):
        written += len(await edge.write(wanted(entry())) or [1])
        agent.answers["/v1/agent/services"] = shown(theirs)
        found = await edge.audit(wanted(entry()), HOLDER)
        if not found:
            break
    assert len(asked(agent, REGISTER)) == 3
    agent.answers["/v1/agent/services"] = shown()
    assert (
        await edge.audit(wanted(entry()), HOLDER) == wanted(entry()).keys()
    )  # gone is another thing


async def test_a_check_that_the_agent_lost_is_registered_again(
    agent: StubAgent, edge: ConsulEdge
) -> None:
    sick = entry(checks=(Check(id="d", name="d", type="docker", output="sick"),))
    well = entry(checks=(Check(id="d", name="d", type="docker", output="well"),))
    await edge.write(wanted(sick))
    agent.answers["/v1/agent/check/update"] = Reply(500, b"does not have associated TTL")
    await edge.write(wanted(well))
    assert len(asked(agent, REGISTER)) == 2


async def test_an_answer_that_came_before_a_write_ended_does_not_count(
    agent: StubAgent, edge: ConsulEdge
) -> None:
    async def late(_: Asked) -> Reply:
        await edge.write(wanted(entry()))
        return said({})

    agent.answers["/v1/agent/services"] = late
    assert await edge.audit(wanted(entry()), HOLDER) == frozenset()


def _once_then_never(reply: Reply) -> Any:
    async def answer(asked: Asked) -> Reply:
        if "index=" in asked.target:
            await asyncio.get_running_loop().create_future()
        return reply

    return answer


@asynccontextmanager
async def _running(edge: ConsulEdge) -> AsyncIterator[FakeClock]:
    clock = edge._clock
    assert isinstance(clock, FakeClock)
    async with asyncio.TaskGroup() as group:
        (component,) = edge.components
        ready = asyncio.Event()
        task = group.create_task(component.run(ready.set))
        await ready.wait()
        yield clock
        task.cancel()


async def _until(condition: Any, clock: FakeClock) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await clock.advance(0.1)
            await asyncio.sleep(0.001)
