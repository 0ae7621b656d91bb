"""What only the edge on a Consul agent does: checks, maintenance, marks, adoption."""

import asyncio
import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

import sidecar.metrics  # noqa: F401 - its import reads /proc, which no loop should wait for
from deploy.tools.consul import Consul
from sidecar.catalog.model import Check, InstanceId, Status
from sidecar.stores.base import EdgeOptions, Holder
from tests.integration.stores.consul.agents import (
    HOLDER,
    ask,
    edge_at,
    entry,
    eventually,
    service,
    url,
    wanted,
)
from tests.support.oracle import consul_program

SICK = Check(id="docker", name="health", type="docker", status=Status.CRITICAL, output="starting")
WELL = replace(SICK, status=Status.PASSING, output="healthy")
HEALTH = "service:vm:web:21001:docker"
OWN = "service:vm:web:21001"


@pytest.fixture(scope="module")
def kept() -> Iterator[Consul]:
    """One agent for all tests of this module."""
    with Consul(program=consul_program()) as running:
        yield running


@pytest.fixture
async def agent(kept: Consul) -> Consul:
    for id_ in await ask(kept, "GET", "agent/services"):
        await ask(kept, "PUT", f"agent/service/deregister/{id_}")
    await ask(kept, "DELETE", "kv/?recurse=")
    return kept


def ttl(text: str, **more: str) -> Check:
    return Check(id="c", name="c", type="ttl", definition=json.dumps({"TTL": text} | more))


async def test_a_containers_health_is_told_without_registering_anew(agent: Consul) -> None:
    async with edge_at(url(agent)) as edge:
        for check in (SICK, WELL, SICK, WELL, SICK):
            instance = entry(checks=(check,))
            assert await edge.write(wanted(instance)) == {}
            found = (await service(agent, "vm:web:21001"))["Checks"][HEALTH]
            assert (found["Status"], found["Output"] or check.output) == (
                check.status,
                check.output,
            )
            assert await edge.audit(wanted(instance), HOLDER) == frozenset()
        registered = agent.log_text().count("Synced service: service=vm:web:21001")
        assert registered <= 1


async def test_an_audit_sees_a_status_that_was_changed_by_hand(agent: Consul) -> None:
    instance = entry(checks=(WELL,))
    async with edge_at(url(agent)) as edge:
        await edge.write(wanted(instance))
        body = {"Status": "warning", "Output": "by hand"}
        await ask(agent, "PUT", f"agent/check/update/{HEALTH}", body)
        assert await edge.audit(wanted(instance), HOLDER) == wanted(instance).keys()
        await edge.write(wanted(instance))
        assert await edge.audit(wanted(instance), HOLDER) == frozenset()


async def test_a_ttl_check_passes_while_it_is_fed_and_no_longer(agent: Consul) -> None:
    instance = entry(checks=(ttl("1s"),))

    async def status() -> Any:
        return (await service(agent, "vm:web:21001"))["Checks"][OWN]["Status"]

    async with edge_at(url(agent)) as edge:
        await edge.write(wanted(instance))
        for _ in range(8):
            assert await status() == "passing"
            await asyncio.sleep(0.2)
        edge.let_go(wanted(instance))
        await eventually(lambda: _is(status, "critical"), 3.0)
    assert await service(agent, "vm:web:21001") is not None


async def test_checks_that_are_wanted_no_more_go(agent: Consul) -> None:
    http = Check(
        id="h",
        name="h",
        type="http",
        definition='{"HTTP":"http://127.0.0.1:1/","Interval":"10s","Status":"passing"}',
    )
    states = [(http, SICK, ttl("60s")), (http,), (SICK,), (), (http, WELL)]
    async with edge_at(url(agent)) as edge:
        for checks in states:
            instance = entry(checks=checks)
            await edge.write(wanted(instance))
            assert len((await service(agent, "vm:web:21001"))["Checks"]) == len(checks)
            assert await edge.audit(wanted(instance), HOLDER) == frozenset()


async def test_a_new_process_takes_up_what_the_last_one_left(agent: Consul) -> None:
    before = entry(checks=(SICK, ttl("60s")), draining=True)
    after = entry(checks=(WELL,))
    async with edge_at(url(agent)) as edge:
        await edge.write(wanted(before))
    async with edge_at(url(agent)) as edge:
        assert await edge.audit(wanted(after), HOLDER) == wanted(after).keys()
        await edge.write(wanted(after))
        assert (await service(agent, "vm:web:21001"))["Checks"].keys() == {HEALTH}
        assert await edge.audit(wanted(after), HOLDER) == frozenset()


async def test_an_operators_maintenance_stays(agent: Consul) -> None:
    path = "agent/service/maintenance/vm:web:21001?enable=true&reason=disk"
    async with edge_at(url(agent)) as edge:
        await edge.write(wanted(entry()))
        await ask(agent, "PUT", path)
        assert await edge.audit(wanted(entry()), HOLDER) == frozenset()
        await edge.write(wanted(entry(tags=("new",))))
        checks = (await service(agent, "vm:web:21001"))["Checks"]
        assert [check["Notes"] for check in checks.values()] == ["disk"]


async def test_two_services_with_one_id_do_not_fight(agent: Consul) -> None:
    one, two = entry("one", id=InstanceId("same")), entry("two", 21002, id=InstanceId("same"))
    async with edge_at(url(agent)) as edge:
        refused = await edge.write(wanted(one, two))
        assert list(refused.values()) == ["another service of this host has the same id"]
        assert await edge.audit(wanted(one, two), HOLDER) == frozenset()
        assert await edge.write(wanted(one, two)) == refused
        await edge.write(dict.fromkeys(wanted(one)) | wanted(two))
        assert (await service(agent, "same"))["Service"] == "two"
        await edge.write(dict.fromkeys(wanted(one)))  # late news of what was replaced
        assert (await service(agent, "same"))["Service"] == "two"


async def test_marks_lie_beside_the_entries_in_one_key(agent: Consul) -> None:
    instances = [entry(port=port) for port in range(21001, 21011)]
    async with edge_at(url(agent)) as edge:
        await edge.write(wanted(*instances))
        assert await _marked(agent) == sorted(each.id for each in instances)
        pair = (await ask(agent, "GET", "kv/pinnace/owners/registrar:engine-1"))[0]
        assert pair["CreateIndex"] == pair["ModifyIndex"]  # all at once
        await edge.write(dict.fromkeys(wanted(*instances[1:])))
        await eventually(lambda: _is(lambda: _marked(agent), [instances[0].id]))


async def test_marks_of_two_processes_of_one_owner_add_up(agent: Consul) -> None:
    async with edge_at(url(agent)) as one, edge_at(url(agent)) as two:
        await one.write(wanted(entry()))
        await two.write(wanted(entry(port=21002)))
        await one.write(wanted(entry(port=21003)))
        assert len(await _marked(agent)) == 3


async def test_what_registrator_left_is_adopted_unless_another_claims_it(agent: Consul) -> None:
    left, custom, elsewhere = (
        entry(),
        entry(id=InstanceId("custom")),
        entry(id=InstanceId("other:web:80")),
    )
    for each in (left, custom, elsewhere):
        await ask(agent, "PUT", "agent/service/register", {"ID": each.id, "Name": "web"})
    namesake = Holder("registrar:engine-2", "vm")
    async with edge_at(url(agent)) as edge, edge_at(url(agent)) as other:
        claimed = entry(port=21009, owner=namesake.owner)
        await other.write(wanted(claimed))
        assert {key.id for key in await edge.audit({}, HOLDER)} == {left.id}
        assert await edge.audit({}, HOLDER._replace(node="")) == frozenset()
        assert await other.audit(wanted(claimed), namesake) >= wanted(left).keys()


async def test_what_is_right_already_is_marked_without_being_written(agent: Consul) -> None:
    body = {"ID": "vm:web:21001", "Name": "web", "Port": 21001, "Address": "192.0.2.1"}
    await ask(agent, "PUT", "agent/service/register", body)
    async with edge_at(url(agent)) as edge:
        assert await edge.audit(wanted(entry()), HOLDER) == frozenset()
        await eventually(lambda: _is(lambda: _marked(agent), ["vm:web:21001"]))


async def test_without_marks_no_key_is_written(agent: Consul) -> None:
    async with edge_at(url(agent), options=EdgeOptions(is_marked=False)) as edge:
        await edge.write(wanted(entry()))
    assert not await ask(agent, "GET", "kv/?keys=")


async def test_a_script_that_the_agent_may_not_run_harms_only_its_service(agent: Consul) -> None:
    script = Check(id="s", name="s", definition='{"ScriptArgs":["/bin/true"],"Interval":"10s"}')
    bad, broken = (
        entry(checks=(script,)),
        entry(port=21003, checks=(replace(SICK, definition="["),)),
    )
    async with edge_at(url(agent)) as edge:
        refused = await edge.write(wanted(bad, entry(port=21002), broken))
        assert refused.keys() == wanted(bad, broken).keys()
        assert "Scripts are disabled" in refused[next(iter(wanted(bad)))]
        assert await service(agent, "vm:web:21002") is not None


async def test_keys_below_a_prefix_are_entries(agent: Consul) -> None:
    async with edge_at(url(agent, "consulkv", "/a/b")) as edge:
        ipv6 = entry("api", 21002, address="2001:db8::1")
        assert await edge.write(wanted(entry(), ipv6)) == {}
        keys = await ask(agent, "GET", "kv/a/?keys=")
        assert keys == ["a/b/api/vm:api:21002", "a/b/web/vm:web:21001"]
        pair = (await ask(agent, "GET", "kv/a/b/api/vm:api:21002"))[0]
        assert base64.b64decode(pair["Value"]) == b"[2001:db8::1]:21002"
        await ask(agent, "PUT", "kv/a/b/web/vm:left:80", "x")
        await ask(agent, "PUT", "kv/a/b/web/other:left:80", "x")
        found = await edge.audit(wanted(entry(), ipv6), HOLDER)
        assert {key.id for key in found} == {"vm:left:80"}


async def _marked(agent: Consul) -> list[str]:
    pairs = await ask(agent, "GET", "kv/pinnace/owners/registrar:engine-1")
    ids: list[str] = json.loads(base64.b64decode(pairs[0]["Value"]))["ids"] if pairs else []
    return ids


async def _is(question: Any, expected: object) -> bool:
    return bool(await question() == expected)
