"""Time as an argument: the real clock and one that tests turn by hand."""

import asyncio
import heapq
import itertools
import time
from typing import Protocol

__all__ = ["Clock", "FakeClock", "LeaseClock", "SystemClock"]


class Clock(Protocol):
    """Monotonic seconds, wall seconds, and waiting."""

    def monotonic(self) -> float:
        """Return seconds that never go back; the origin means nothing."""

    def wall(self) -> float:
        """Return seconds since 1970; only for people and files, never for deadlines."""

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds of monotonic time."""


class SystemClock:
    """The machine's clock."""

    def monotonic(self) -> float:
        """Return ``time.monotonic()``."""
        return time.monotonic()

    def wall(self) -> float:
        """Return ``time.time()``."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait on the loop."""
        await asyncio.sleep(seconds)


class LeaseClock(SystemClock):
    """The machine's clock for leases: it goes on while the machine sleeps, as a store's does."""

    def monotonic(self) -> float:
        """Return seconds since the machine's start, those asleep included."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)


class FakeClock:
    """A clock that stands still until ``advance`` is called (tests, simulation)."""

    def __init__(self, wall: float = 1_700_000_000.0) -> None:
        """Start at monotonic 0 and the given wall time."""
        self._now = 0.0
        self._wall = wall
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        """Return the seconds advanced so far."""
        return self._now

    def wall(self) -> float:
        """Return the start's wall time plus what was advanced."""
        return self._wall + self._now

    async def sleep(self, seconds: float) -> None:
        """Wait until ``advance`` has passed that far."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), waiter))
        await waiter

    async def advance(self, seconds: float) -> None:
        """Move time on, waking sleepers in order and letting them run in between."""
        end = self._now + seconds
        await self._settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            at, _, waiter = heapq.heappop(self._sleepers)
            self._now = max(self._now, at)
            if not waiter.done():
                waiter.set_result(None)
            await self._settle()
        self._now = end

    @staticmethod
    async def _settle() -> None:
        for _ in range(10):
            await asyncio.sleep(0)
