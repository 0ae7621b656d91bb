"""Leading by a lease, on a clock turned by hand and a lock that does as it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from math import inf

import pytest

from sidecar.errors import StoreCorrupt, StoreDenied, StoreUnavailable
from sidecar.runtime.clock import FakeClock
from sidecar.scheduler.election.contest import Contest
from sidecar.scheduler.election.lock import Grip, Lost


class HandLock:
    """A lock that is free from the start; ``fault`` is raised by every renewal."""

    url = "hand:"

    def __init__(self, clock: FakeClock, lasts: float = 5.0) -> None:
        self.clock = clock
        self.lasts = lasts
        self.epoch = 0
        self.refusal: Exception | None = None
        self.fault: Exception | None = None
        self.answers = asyncio.Event()
        self.answers.set()
        self.said: list[str] = []

    async def take(self) -> Grip:
        if self.refusal:
            raise self.refusal
        self.epoch += 1
        return Grip(self.epoch, self.clock.monotonic(), self.lasts)

    async def renew(self) -> float:
        self.said.append("renew")
        await self.answers.wait()
        if self.fault:
            raise self.fault
        return self.lasts

    async def release(self) -> None:
        self.said.append("release")

    async def close(self) -> None:
        self.said.append("close")


@asynccontextmanager
async def running(contest: Contest, clock: FakeClock) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(contest.run())
        await clock.advance(0)
        yield
        task.cancel()


def number(contest: Contest) -> int | None:
    """Return its number; a property that a checker does not take for constant."""
    return contest.epoch


def contest_of(lock: HandLock) -> Contest:
    return Contest(lock, ttl=5.0, margin=1.0, clock=lock.clock)


async def test_a_lease_is_renewed_for_as_long_as_the_store_answers() -> None:
    lock = HandLock(FakeClock())
    contest = contest_of(lock)
    async with running(contest, lock.clock):
        assert number(contest) == 1
        for _ in range(60):
            await lock.clock.advance(1.0)
            assert (number(contest), contest.left()) == (1, 5.0)
        assert contest.trouble() is None
    assert number(contest) is None
    assert lock.said[-2:] == ["release", "close"]


async def test_the_wall_clock_plays_no_part() -> None:
    lock = HandLock(FakeClock())
    contest = contest_of(lock)
    async with running(contest, lock.clock):
        lock.clock._wall += 1e9
        await lock.clock.advance(0.5)
        assert (number(contest), contest.left()) == (1, 4.5)


async def test_who_cannot_renew_leads_no_more_before_the_lease_ends() -> None:
    lock = HandLock(FakeClock())
    contest = contest_of(lock)
    async with running(contest, lock.clock):
        contest.changed.clear()
        lock.fault = StoreUnavailable("gone")
        await lock.clock.advance(3.9)
        assert (number(contest), contest.trouble()) == (1, "gone")
        lock.refusal = StoreUnavailable("gone")
        await lock.clock.advance(0.2)
        assert (number(contest), contest.left()) == (None, 0.0)
        await asyncio.wait_for(contest.changed.wait(), 1)


async def test_an_answer_that_never_comes_does_not_keep_a_leader_in_office() -> None:
    lock = HandLock(FakeClock())
    contest = contest_of(lock)
    async with running(contest, lock.clock):
        lock.answers.clear()
        await lock.clock.advance(3.9)
        assert number(contest) == 1
        lock.refusal = StoreUnavailable("gone")
        await lock.clock.advance(0.2)
        assert number(contest) is None
        assert lock.said[:2] == ["renew", "release"]


async def test_a_lease_counts_from_before_the_request_however_late_the_answer() -> None:
    lock = HandLock(FakeClock())
    contest = contest_of(lock)
    async with running(contest, lock.clock):
        lock.answers.clear()
        await lock.clock.advance(3.0)  # asked after 1 s, answered after 3 s
        lock.answers.set()
        await lock.clock.advance(0)
        assert contest.left() == 3.0


async def test_who_was_stopped_for_longer_than_a_lease_does_not_renew_it() -> None:
    lock = HandLock(FakeClock())
    contest = contest_of(lock)
    async with running(contest, lock.clock):
        lock.refusal = StoreUnavailable("gone")
        lock.clock._now += 60.0
        assert number(contest) is None  # before any task ran
        await lock.clock.advance(0.1)
        assert "renew" not in lock.said


@pytest.mark.parametrize("fault", [Lost("taken"), StoreDenied("no")], ids=["lost", "denied"])
async def test_a_lost_grip_is_followed_by_one_of_a_higher_number(fault: Exception) -> None:
    lock = HandLock(FakeClock())
    contest = contest_of(lock)
    async with running(contest, lock.clock):
        lock.fault = fault
        await lock.clock.advance(1.0)
        assert not contest.left()
        lock.fault = None
        await lock.clock.advance(1.0)
        assert number(contest) == 2


@pytest.mark.parametrize("fault", [StoreUnavailable, StoreDenied, StoreCorrupt, Lost])
async def test_a_store_that_is_away_is_asked_again(fault: Callable[[str], Exception]) -> None:
    lock = HandLock(FakeClock())
    lock.refusal = fault("not now")
    contest = contest_of(lock)
    async with running(contest, lock.clock):
        await lock.clock.advance(10.0)
        assert (number(contest), contest.trouble()) == (None, "not now")
        lock.refusal = None
        await lock.clock.advance(1.0)
        assert (number(contest), contest.trouble()) == (1, None)


async def test_what_cannot_be_lost_has_endless_time() -> None:
    lock = HandLock(FakeClock(), inf)
    contest = contest_of(lock)
    async with running(contest, lock.clock):
        await lock.clock.advance(10_000.0)
        assert (number(contest), contest.left()) == (1, inf)
