import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sidecar.catalog.model import Status
from sidecar.errors import StoreDenied, StoreUnavailable
from sidecar.runtime.clock import FakeClock
from sidecar.stores.consul.heartbeat import Heartbeat
from sidecar.stores.consul.registration import Feed

FAST = Feed("fast", 3.0, Status.PASSING, "")
SLOW = Feed("slow", 60.0, Status.CRITICAL, "sick")


class World:
    """An agent that remembers what it was told."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.feeds: list[Feed] = []
        self.told: list[tuple[float, str]] = []
        self.lost = 0
        self.answer: bool | Exception = True
        self.heartbeat = Heartbeat(self.tell, self.clock, lambda: self.feeds, self.lose)

    async def tell(self, feed: Feed) -> bool:
        self.told.append((self.clock.monotonic(), feed.id))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def lose(self) -> None:
        self.lost += 1

    def add(self, *feeds: Feed) -> None:
        self.feeds += feeds
        self.heartbeat.told(feeds)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.heartbeat.run())
            await self.clock.advance(0)
            yield
            task.cancel()


async def test_each_check_is_told_at_a_third_of_its_ttl() -> None:
    world = World()
    async with world.running():
        world.add(FAST, SLOW)
        await world.clock.advance(21)
    assert [at for at, id_ in world.told if id_ == "fast"] == [float(n) for n in range(1, 22)]
    assert [at for at, id_ in world.told if id_ == "slow"] == [20.0]


async def test_what_was_just_told_is_not_told_again_at_once() -> None:
    world = World()
    async with world.running():
        world.add(FAST)
        await world.clock.advance(0.9)
        world.heartbeat.told([FAST])
        await world.clock.advance(0.9)
        assert world.told == []
        await world.clock.advance(0.2)
    assert [id_ for _, id_ in world.told] == ["fast"]


async def test_what_an_earlier_process_left_is_told_at_once() -> None:
    world = World()
    world.feeds = [SLOW]
    async with world.running():
        assert [id_ for _, id_ in world.told] == ["slow"]


async def test_what_goes_is_told_no_more() -> None:
    world = World()
    async with world.running():
        world.add(FAST)
        await world.clock.advance(2)
        world.feeds.clear()
        await world.clock.advance(10)
    assert len(world.told) == 2


async def test_a_check_that_is_gone_is_a_loss() -> None:
    world = World()
    world.answer = False
    async with world.running():
        world.add(FAST)
        await world.clock.advance(1)
        assert world.lost == 1


@pytest.mark.parametrize("error", [StoreUnavailable("away"), StoreDenied("no")])
async def test_while_the_agent_is_away_it_is_tried_every_second(error: Any) -> None:
    world = World()
    world.answer = error
    async with world.running():
        world.add(SLOW)
        await world.clock.advance(23)
    assert [at for at, _ in world.told] == [20.0, 21.0, 22.0, 23.0]
    assert world.lost == 0
