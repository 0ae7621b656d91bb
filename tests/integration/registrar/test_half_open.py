"""Event streams that nobody closed and that tell nothing more, with the settings as they are."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.tools.engine import PrivateEngine
from tests.support.containers import Containers
from tests.support.pace import allowed
from tests.support.registering import registering
from tests.support.relay import Relay

pytestmark = pytest.mark.engine


async def test_a_half_open_stream_is_noticed_within_fifteen_seconds(
    containers: Containers, engine: PrivateEngine, tmp_path: Path
) -> None:
    first = await asyncio.to_thread(containers.run, "first")
    started: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    async def world(relay: Relay, break_: Callable[[], None]) -> None:
        async with relay.running(), registering(relay.url, resync=0.0) as world:  # no look helps
            await world.until(lambda: world.boxes() == {first}, 2)
            again = await asyncio.to_thread(containers.run, f"told-{relay.path.name}")
            await world.until(lambda: again in world.boxes(), 2)
            break_()
            began = asyncio.get_running_loop().time()
            start = await started
            if break_ == relay.freeze:
                await world.until(lambda: world.registrar.trouble() is not None, 16)
                relay.thaw()
            else:
                await world.until(lambda: any("late" in name for name in world.boxes()), 16)
            # How long the engine took to start a container does not count.
            assert asyncio.get_running_loop().time() - began - start < allowed(15.0)
            await world.until(lambda: any("late" in name for name in world.boxes()), 5)

    silent = Relay(tmp_path / "silent", engine.socket)
    swallows = Relay(tmp_path / "swallows", engine.socket)
    async with asyncio.TaskGroup() as group:
        group.create_task(world(silent, silent.freeze))
        group.create_task(world(swallows, swallows.swallow))
        await asyncio.sleep(3)
        asked = asyncio.get_running_loop().time()
        await asyncio.to_thread(containers.run, "late")
        started.set_result(asyncio.get_running_loop().time() - asked)
