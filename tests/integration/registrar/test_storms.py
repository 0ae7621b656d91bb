"""A real Consul, and an engine that is quicker than Docker or lists what is not so."""

import asyncio
import random
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.tools.consul import Consul
from sidecar.config.model import RegistrarSettings
from tests.support.alone import Alone
from tests.support.busy_engine import BusyEngine
from tests.support.keeping import held, keeping, url_of
from tests.support.pace import allowed
from tests.support.stub_engine import answer
from tests.support.tap import Tap

LIES = {
    "empty": answer(b"[]"),
    "failed": answer(b'{"message":"no"}', 500),
    "nonsense": answer(b"nonsense"),
}


@pytest.fixture
async def busy(tmp_path: Path) -> AsyncIterator[BusyEngine]:
    engine = BusyEngine(tmp_path / "engine")
    async with engine.running():
        yield engine


@pytest.fixture
async def tap(consul: Consul) -> AsyncIterator[Tap]:
    async with Tap(consul.ports["http"]).running() as running:
        yield running


def rss(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1])


async def test_a_storm_of_two_hundred_events_a_second_ends_in_what_runs(
    busy: BusyEngine, consul: Consul
) -> None:
    lot = random.Random(4)
    running: dict[str, str] = {}

    async def storm(seconds: float) -> None:
        begun = asyncio.get_running_loop().time()
        for number in range(int(200 * seconds)):
            name = f"box{lot.randrange(40)}"
            if name in running:
                busy.end(running.pop(name))
            else:
                running[name] = busy.begin(name, 20_000 + number)
            late = begun + number / 200 - asyncio.get_running_loop().time()
            await asyncio.sleep(max(0.0, late))

    async def settled() -> dict[str, int]:
        found = await asyncio.to_thread(held, consul)
        return {id_.split(":")[1]: each["Port"] for id_, each in found.items()}

    def wanted() -> dict[str, int]:
        ports = {
            name: busy.documents[id_]["NetworkSettings"]["Ports"] for name, id_ in running.items()
        }
        return {name: int(each["80/tcp"][0]["HostPort"]) for name, each in ports.items()}

    with Alone(busy.url, url_of(consul)) as process:
        await asyncio.to_thread(process.until_ready)
        await storm(1.0)
        before = await asyncio.to_thread(rss, process.pid)
        await storm(4.0)
        async with asyncio.timeout(allowed(3)):
            while await settled() != wanted():
                await asyncio.sleep(0.02)
        assert await asyncio.to_thread(rss, process.pid) - before < 8_000, "memory is bounded"
        metrics = (await asyncio.to_thread(process.get, "/metrics"))[1].decode()
        assert re.search(r"store_queue\{[^}]*\} 0\.0", metrics)


async def test_a_name_used_again_fifty_times_in_200_ms_outlives_the_late_deaths(
    busy: BusyEngine, consul: Consul, tap: Tap
) -> None:
    async with keeping(busy.url, consul, url=url_of(consul, tap.port)) as world:
        last = busy.begin("box", 20_000)
        await world.until_ids("box")
        dead: list[str] = []
        for number in range(1, 51):
            busy.end(last, tell=False)
            dead.append(last)
            last = busy.begin("box", 20_000 + number)
            if number % 3 == 0:  # the others are told of at the very end
                busy.say("die", dead.pop(0))
            await asyncio.sleep(0.004)
        await asyncio.sleep(0.05)
        for id_ in dead:
            busy.say("die", id_)
        await world.until(lambda found: found["vm:box:80"]["Port"] == 20_050, 3.0)
        await asyncio.sleep(0.5)
        assert {i: each["Port"] for i, each in (await world.services()).items()} == {
            "vm:box:80": 20_050
        }
        assert [path for path in tap.writes() if "/deregister/" in path] == []


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
async def test_a_list_that_fails_or_is_empty_once_deletes_nothing(
    busy: BusyEngine, consul: Consul, tap: Tap, lie: bytes
) -> None:
    settings = RegistrarSettings(cleanup=True, resync=0.4)
    url = url_of(consul, tap.port)
    for number in range(3):
        busy.begin(f"box{number}", 20_000 + number)
    names = [f"box{number}" for number in range(3)]
    async with keeping(busy.url, consul, url=url, settings=settings) as world:
        await world.until_ids(*names)
        for _ in range(2):
            busy.lists = [lie]
            await asyncio.sleep(1.2)
            assert busy.lists == []
        assert tap.writes() == ["/v1/agent/service/register"] * 3
    busy.lists = [lie]  # and at the start, when all of it is left by another run
    async with keeping(busy.url, consul, url=url, settings=settings) as world:
        await asyncio.sleep(1.5)
        await world.until_ids(*names)
        assert busy.lists == []
    assert [path for path in tap.writes() if "/deregister/" in path] == []
