"""Hooks: tried until they succeed, the newest commit only."""

import asyncio

from sidecar.gitsync.hooks import HookFailed, News, Notifier
from sidecar.runtime.clock import FakeClock


class Teller:
    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.told: list[str] = []

    async def __call__(self, news: News) -> None:
        self.told.append(news.commit)
        if len(self.told) <= self.failures:
            raise HookFailed("no")


async def _run(teller: Teller, steps: list[str | float], *, is_once: bool = False) -> Notifier:
    clock = FakeClock()
    notifier = Notifier("hook", teller, backoff=2.0, clock=clock, is_once=is_once)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(notifier.run())
        for step in steps:
            if isinstance(step, str):
                notifier.send(News(step, "/"))
                await clock.advance(0.0)
            else:
                await clock.advance(step)
        task.cancel()
    return notifier


async def test_it_is_tried_again_after_a_while_and_then_later_still() -> None:
    teller = Teller(2)
    notifier = await _run(teller, ["a", 0.9])
    assert (teller.told, notifier.is_told) == (["a"], False)
    teller = Teller(2)
    notifier = await _run(teller, ["a", 2.0, 4.0])
    assert (teller.told, notifier.is_told) == (["a"] * 3, True)


async def test_a_newer_commit_takes_the_place_of_one_that_is_waited_for() -> None:
    teller = Teller(1)
    notifier = await _run(teller, ["a", "b"])
    assert teller.told == ["a", "b"]
    assert notifier.is_told


async def test_once_it_is_tried_once() -> None:
    teller = Teller(1)
    notifier = await _run(teller, ["a", 100.0], is_once=True)
    assert teller.told == ["a"]
    assert not await notifier.tried()
