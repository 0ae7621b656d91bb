"""The registrar between a real engine and a real Consul, each of which fails in turn."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from deploy.tools.consul import Consul
from deploy.tools.engine import PrivateEngine
from deploy.tools.freezing import freeze, thaw
from sidecar.config.model import RegistrarSettings
from tests.support.alone import Alone
from tests.support.containers import Containers
from tests.support.keeping import held, keeping, url_of
from tests.support.pace import allowed
from tests.support.ports import free_port
from tests.support.relay import Relay
from tests.support.tap import Tap

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def other() -> Iterator[PrivateEngine]:
    """A second engine on this machine: another host, or one that may be restarted."""
    with PrivateEngine() as private:
        private.build_images("web")
        yield private


@pytest.fixture
async def tap(consul: Consul) -> AsyncIterator[Tap]:
    async with Tap(consul.ports["http"]).running() as running:
        yield running


async def until_held(consul: Consul, ids: set[str], within: float) -> None:
    async with asyncio.timeout(within):
        while set(await asyncio.to_thread(held, consul)) != ids:
            await asyncio.sleep(0.02)


async def docker(engine: PrivateEngine, *words: str) -> str:
    return await asyncio.to_thread(engine.docker, *words)


async def run(containers: Containers, short: str, *options: str, publish: bool = True) -> str:
    return await asyncio.to_thread(
        containers.run, short, "-e", "SERVICE_NAME=web", *options, publish=publish
    )


async def begin(containers: Containers, short: str, end: str, *options: str) -> str:
    """Start a container that ends in a way."""
    words = ("-e", "SERVICE_NAME=web", "--entrypoint", "sh", *options)
    command = ("-c", f"sleep 1; {end}")
    return await asyncio.to_thread(containers.run, short, *words, command=command)


async def test_containers_come_and_go_and_nothing_else_is_written(
    containers: Containers, consul: Consul, tap: Tap
) -> None:
    settings = RegistrarSettings(resync=0.2)
    url = url_of(consul, tap.port)
    async with keeping(containers.engine.url, consul, url=url, settings=settings) as world:
        one = await run(containers, "one")
        two = await run(containers, "two", "-e", "SERVICE_TAGS=a,b")
        await world.until_ids(one, two)
        found = (await world.services())[f"vm:{two}:80"]
        assert (found["Service"], found["Tags"]) == ("web", ["b", "a"])
        before = tap.requests.copy()
        await asyncio.sleep(1.0)  # five looks
        writes = [asked for asked in tap.requests[len(before) :] if asked[0] != "GET"]
        assert writes == [], "an unchanged look writes nothing"
        assert len(tap.requests) > len(before)
        await asyncio.to_thread(containers.remove, one)
        await world.until_ids(two)
        paths = tap.writes()
        assert paths.count("/v1/agent/service/register") == 2
        assert [p for p in paths if "/deregister/" in p] == [
            f"/v1/agent/service/deregister/vm:{one}:80"
        ]


async def test_a_consul_that_lost_everything_has_it_back_at_once(
    containers: Containers, consul: Consul
) -> None:
    names = [await run(containers, f"box{number}") for number in range(3)]
    async with keeping(containers.engine.url, consul) as world:
        await world.until_ids(*names)
        await asyncio.to_thread(consul.kill)
        await asyncio.sleep(0.5)
        gone, come = names[0], await run(containers, "late")
        await asyncio.to_thread(containers.remove, gone)
        await asyncio.to_thread(consul.start)
        await world.until_ids(*names[1:], come, within=2.0)
        async with asyncio.timeout(allowed(3)):
            while world.registrar.trouble() is not None:
                await asyncio.sleep(0.01)


async def test_a_consul_that_is_away_at_the_start_is_waited_for(
    containers: Containers, consul: Consul
) -> None:
    await asyncio.to_thread(consul.stop)
    name = await run(containers, "box")
    async with keeping(containers.engine.url, consul) as world:
        assert "store: " in str(world.registrar.trouble())
        assert world.registrar.outages()[url_of(consul)] > 0
        await asyncio.sleep(1.0)
        await asyncio.to_thread(consul.start)
        await world.until_ids(name, within=3.0)


async def test_ten_changes_while_consul_is_frozen_are_exact_afterwards_and_written_once(
    containers: Containers, consul: Consul, tap: Tap
) -> None:
    first = [await run(containers, f"old{number}") for number in range(3)]
    async with keeping(containers.engine.url, consul, url=url_of(consul, tap.port)) as world:
        await world.until_ids(*first)
        begun = len(tap.requests)
        await asyncio.to_thread(freeze, consul.pid)
        try:
            began = asyncio.get_running_loop().time()
            fresh = [await run(containers, f"new{number}") for number in range(7)]
            await asyncio.to_thread(containers.remove, *first)
            await asyncio.sleep(max(0.0, 5.0 - (asyncio.get_running_loop().time() - began)))
        finally:
            thaw(consul.pid)
        await world.until_ids(*fresh, within=3.0)
        await asyncio.sleep(0.5)
        asked = [path for method, path in tap.requests[begun:] if method != "GET"]
        services = [path for path in asked if path.startswith("/v1/agent/service/")]
        assert services.count("/v1/agent/service/register") == 7
        assert len([path for path in services if "/deregister/" in path]) == 3
        index = (await asyncio.to_thread(consul.get, "/v1/catalog/services"))[1]
        assert "web" in index


async def test_an_event_that_was_dropped_and_a_stream_that_was_cut(
    containers: Containers, consul: Consul, tmp_path: Path
) -> None:
    relay = Relay(tmp_path / "relay.sock", containers.engine.socket)
    async with relay.running(), keeping(relay.url, consul) as world:
        gone, stays = await run(containers, "gone"), await run(containers, "stays")
        await world.until_ids(gone, stays)
        relay.drop = lambda data: b"" if b'"Action":"' in data else data
        await asyncio.to_thread(containers.remove, gone)
        await asyncio.sleep(0.3)
        assert f"vm:{gone}:80" in await world.services(), "nobody told"
        relay.drop = lambda data: data
        relay.cut()
        await world.until_ids(stays, within=2.0)


async def test_a_restart_of_the_engine_takes_away_what_ended_with_it(
    other: PrivateEngine, consul: Consul
) -> None:
    containers = Containers(other)
    try:
        async with keeping(other.url, consul) as world:
            # Two engines know nothing of each other's published ports: none here.
            gone = await run(containers, "gone", publish=False)
            kept = await run(containers, "kept", "--restart", "always", publish=False)
            await world.until_ids(gone, kept)
            await asyncio.to_thread(other.kill)
            await asyncio.sleep(1.0)
            assert world.registrar.outages()["docker"] > 0.5
            await world.until_ids(gone, kept, within=0.5)
            await asyncio.to_thread(other.start_daemon)
            await world.until_ids(kept, within=2.0)
    finally:
        await asyncio.to_thread(containers.clean)


async def test_what_on_success_keeps_and_what_it_removes(
    containers: Containers, consul: Consul
) -> None:
    settings = RegistrarSettings(deregister="on-success")
    async with keeping(containers.engine.url, consul, settings=settings) as world:
        ends = {"zero": "exit 0", "one": "exit 1", "high": "exit 200"}
        names = {short: await begin(containers, short, end) for short, end in ends.items()}
        await begin(containers, "removed", "exit 3", "--rm")
        killed = await begin(containers, "killed", "sleep 100")
        await world.until(lambda found: f"vm:{killed}:80" in found, 2.0)
        await docker(containers.engine, "kill", killed)
        await world.until_ids(names["one"], within=5.0)
        await asyncio.sleep(0.3)
        await world.until_ids(names["one"])
    async with keeping(containers.engine.url, consul, settings=settings) as world:
        await asyncio.sleep(1.0)  # two looks of another run
        await world.until_ids(names["one"])
        await docker(containers.engine, "start", names["one"])
        await asyncio.sleep(0.2)
        await docker(containers.engine, "rm", "-f", names["one"])
        await world.until_ids()


@pytest.mark.mounts
async def test_a_store_whose_name_means_another_address_now_is_found_there(
    containers: Containers, consul: Consul, tmp_path: Path
) -> None:
    hosts, port = tmp_path / "hosts", free_port()
    hosts.write_text("127.0.0.1 localhost store.test\n")
    before = Tap(consul.ports["http"], listen=port)
    after = Tap(consul.ports["http"], host="127.0.0.2", listen=port)
    name = await run(containers, "box")
    async with after.running():
        with Alone(containers.engine.url, f"consul://store.test:{port}", hosts=hosts):
            async with before.running():
                await until_held(consul, {f"vm:{name}:80"}, 10.0)
                assert after.requests == []
                hosts.write_text("127.0.0.2 localhost store.test\n")
            late = await run(containers, "late")
            await until_held(consul, {f"vm:{name}:80", f"vm:{late}:80"}, 15.0)
            assert after.writes() != []
