import asyncio

from sidecar.runtime.clock import FakeClock, SystemClock


async def test_fake_clock_wakes_sleepers_in_order_of_time() -> None:
    clock = FakeClock()
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic()))

    async with asyncio.TaskGroup() as group:
        group.create_task(sleeper("late", 3))
        group.create_task(sleeper("early", 1))
        await clock.advance(2)
        assert woken == [("early", 1.0)]
        await clock.advance(2)
    assert woken == [("early", 1.0), ("late", 3.0)]
    assert clock.monotonic() == 4.0


async def test_fake_wall_time_moves_with_monotonic_time() -> None:
    clock = FakeClock(wall=1000.0)
    await clock.advance(5)
    assert clock.wall() == 1005.0


async def test_system_clock_goes_forward() -> None:
    clock = SystemClock()
    before, wall = clock.monotonic(), clock.wall()
    await clock.sleep(0.001)
    assert clock.monotonic() > before
    assert clock.wall() >= wall
