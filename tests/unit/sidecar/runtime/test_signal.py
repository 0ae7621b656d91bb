import asyncio

import pytest

from sidecar.runtime.signal import Signal


async def test_fire_wakes_all_who_wait_and_nobody_who_comes_later() -> None:
    signal = Signal()
    async with asyncio.TaskGroup() as group:
        early = [group.create_task(signal.wait()) for _ in range(3)]
        await asyncio.sleep(0)
        signal.fire()
        late = group.create_task(signal.wait())
        await asyncio.wait(early, timeout=5)
        assert signal.has_waiters
        assert not late.done()
        signal.fire()


async def test_a_waiter_that_leaves_is_forgotten() -> None:
    signal = Signal()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await signal.wait()
    assert not signal.has_waiters
