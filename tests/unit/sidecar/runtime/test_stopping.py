import asyncio
import os
import signal

import pytest

from sidecar.runtime.clock import SystemClock
from sidecar.runtime.log import get_logger
from sidecar.runtime.stopping import stop_on_signals
from sidecar.runtime.supervisor import Supervisor


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
async def test_the_first_signal_stops_in_order_and_the_second_at_once(first: int) -> None:
    supervisor = Supervisor([], clock=SystemClock())

    async def body() -> None:
        stop_on_signals(supervisor, get_logger("test"))
        os.kill(os.getpid(), first)
        await asyncio.sleep(0.05)
        assert supervisor.stopping
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(5)

    async with asyncio.timeout(3), asyncio.TaskGroup() as group:
        task = group.create_task(body())
        await asyncio.wait([task])
    assert task.cancelled()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().remove_signal_handler(number)
