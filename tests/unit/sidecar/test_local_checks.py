"""The runner's words become commits, and the API's checks are run."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from sidecar.catalog import Check, Put
from sidecar.catalog.changes import Drop
from sidecar.catalog.model import InstanceId, Status
from sidecar.checks.policy import CheckPolicy
from sidecar.errors import StoreUnavailable
from sidecar.local_checks import LocalChecks
from sidecar.runtime.clock import SystemClock
from tests.support.catalog import instance
from tests.support.served import World, served

REGISTER = "/v1/agent/service/register"


@asynccontextmanager
async def running(world: World) -> AsyncIterator[LocalChecks]:
    checks = LocalChecks(world.api.commands, SystemClock(), CheckPolicy())
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(checks.run(ready.set))
        await asyncio.wait_for(ready.wait(), 5)
        yield checks
        task.cancel()


async def until(world: World, id_: str, status: str) -> Check:
    """Wait until a check of the local agent has this status."""
    async with asyncio.timeout(5):
        while True:
            found = world.api.commands.agent.find_check(id_)
            if found is not None and found[1].status == status:
                return found[1]
            await world.catalog.changed()


async def test_a_ttl_that_runs_out_is_critical_and_a_pass_brings_it_back() -> None:
    world = World()
    async with running(world), served(world) as client:
        await client.put(REGISTER, {"Name": "web", "Check": {"TTL": "50ms", "Status": "passing"}})
        expired = await until(world, "service:web", "critical")
        assert expired.output.startswith("TTL expired")
        await client.put("/v1/agent/check/pass/service:web")
        await until(world, "service:web", "passing")
        await until(world, "service:web", "critical")


async def test_a_tcp_check_of_a_closed_port_turns_critical() -> None:
    world = World()
    async with running(world), served(world) as client:
        check = {"TCP": "127.0.0.1:1", "Interval": "1s", "Timeout": "1s", "Status": "passing"}
        await client.put(REGISTER, {"Name": "web", "Check": check})
        await until(world, "service:web", "critical")


async def test_an_alias_follows_its_service() -> None:
    world = World()
    async with running(world), served(world) as client:
        await client.put(REGISTER, {"Name": "web", "Check": {"TTL": "1h", "Status": "passing"}})
        await client.put(REGISTER, {"Name": "front", "Check": {"AliasService": "web"}})
        await until(world, "service:front", "passing")
        await client.put("/v1/agent/check/fail/service:web")
        await until(world, "service:front", "critical")
        for alias in ({"AliasService": "none"}, {"AliasNode": "none"}):
            await client.put(REGISTER, {"Name": "lost", "Check": alias})


async def test_checks_left_in_the_store_are_run_again_unless_nobody_knows_how() -> None:
    world = World()
    left = Check(id="t", name="t", type="ttl", definition='{"TTL":50000000}')
    odd = Check(id="odd", name="odd", definition='{"Bogus":1}')
    world.catalog.commit([Put(instance(checks=(left, odd)))])
    async with running(world) as checks:
        assert checks.runner.result("t") is not None
        assert checks.runner.result("odd") is None
        checks.renew("odd", left.status, "")  # told to the log only
        checks.stop("t")
        assert checks.runner.result("t") is None


def containers_check(definition: str, type_: str) -> Check:
    return Check(id="service:c", name="c", type=type_, definition=definition)


async def test_a_check_that_a_container_came_with_runs_until_the_container_goes() -> None:
    world = World()
    check = containers_check('{"TCP": "127.0.0.1:1", "Interval": "1s", "Status": "passing"}', "tcp")
    put = Put(
        instance(id="c", owner="registrar:e", checks=(replace(check, status=Status.PASSING),))
    )
    async with running(world) as checks:
        world.catalog.commit([put])
        await until(world, "service:c", "critical")
        world.catalog.commit([Drop("web", InstanceId("c"), put.instance.node)])
        async with asyncio.timeout(5):
            while checks.runner.result("service:c") is not None:
                await asyncio.sleep(0)


async def test_a_containers_check_starts_again_when_its_definition_changes() -> None:
    world = World()
    first, second = (containers_check(f'{{"TTL": "{n}h"}}', "other") for n in (1, 2))
    world.catalog.commit([Put(instance(id="c", owner="registrar:e", checks=(first,)))])
    async with running(world) as checks:
        assert checks._containers == {"service:c": first.definition}
        changed = instance(id="c", port=81, owner="registrar:e", checks=(second,))
        world.catalog.commit([Put(changed)])
        async with asyncio.timeout(5):
            while checks._containers != {"service:c": second.definition}:
                await asyncio.sleep(0)


async def test_a_ttl_check_of_a_container_is_fed_while_the_container_runs() -> None:
    world = World()
    check = containers_check('{"TTL": "50ms"}', "ttl")
    async with running(world) as checks:
        world.catalog.commit([Put(instance(id="c", owner="registrar:e", checks=(check,)))])
        passing = await until(world, "service:c", "passing")
        assert passing.output == "the container runs"
        assert checks.runner.result("service:c") is None


async def test_a_service_critical_for_too_long_is_deregistered_even_if_unwritten() -> None:
    world = World()
    async with running(world) as checks, served(world) as client:
        await client.put(REGISTER, {"Name": "web", "Check": {"TTL": "1h"}})
        checks._on_deregister("nope")
        checks._on_deregister("service:web")
        async with asyncio.timeout(5):
            while world.catalog.snapshot.services:
                await world.catalog.changed()


async def test_a_store_in_trouble_does_not_end_the_checks() -> None:
    world = World()
    tried = asyncio.Event()

    async def full(_: object) -> None:
        tried.set()
        raise StoreUnavailable("disk full")

    async with running(world) as checks, served(world) as client:
        await client.put(REGISTER, {"Name": "web", "Check": {"TTL": "50ms", "Status": "passing"}})
        world.store.commit = full  # type: ignore[method-assign,assignment]
        await asyncio.wait_for(tried.wait(), 5)
        tried.clear()
        checks._on_deregister("service:web")
        await asyncio.wait_for(tried.wait(), 5)
