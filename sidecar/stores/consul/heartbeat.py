"""Feeds TTL checks: tells the agent their status at a third of their TTL. Knows no edge."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from sidecar.errors import StoreDenied, StoreUnavailable
from sidecar.runtime.clock import Clock
from sidecar.stores.consul.client import side_by_side
from sidecar.stores.consul.registration import Feed

__all__ = ["Heartbeat"]

_PARTS: Final = 3
_RETRY: Final = 1.0  # seconds; the agent is away, or just restarted


class Heartbeat:
    """Tells what is due, side by side."""

    def __init__(
        self,
        tell: Callable[[Feed], Awaitable[bool]],
        clock: Clock,
        feeds: Callable[[], Iterable[Feed]],
        lost: Callable[[], None],
    ) -> None:
        """``tell`` says whether the agent has the check; when not, ``lost`` is called.

        ``feeds`` are those of now.
        """
        self._tell = tell
        self._clock = clock
        self._feeds = feeds
        self._lost = lost
        self._due: dict[str, float] = {}
        self._changed = asyncio.Event()

    def told(self, feeds: Iterable[Feed]) -> None:
        """Take notice that these were told just now."""
        now = self._clock.monotonic()
        for feed in feeds:
            self._due[feed.id] = now + feed.ttl / _PARTS
        self._changed.set()

    async def run(self) -> None:
        """Feed until cancelled."""
        while True:
            await self._wait(self._until_next())
            now = self._clock.monotonic()
            due = [feed for feed in self._feeds() if self._due.get(feed.id, now) <= now]
            await side_by_side(due, self._beat)

    async def _wait(self, seconds: float | None) -> None:
        """Wait that long, or until told of another feed."""
        waits: list[Awaitable[object]] = [self._changed.wait()]
        if seconds is not None:
            waits.append(self._clock.sleep(seconds))
        await _first_of(*waits)
        self._changed.clear()

    def _until_next(self) -> float | None:
        """Return how long nothing is due; forget what is fed no more."""
        now = self._clock.monotonic()
        ids = {feed.id for feed in self._feeds()}
        self._due = {id_: at for id_, at in self._due.items() if id_ in ids}
        if not ids:
            return None
        return max(0.0, min(self._due.get(id_, now) for id_ in ids) - now)

    async def _beat(self, feed: Feed) -> None:
        delay = feed.ttl / _PARTS
        try:
            if not await self._tell(feed):
                self._lost()
        except (StoreUnavailable, StoreDenied):
            delay = min(delay, _RETRY)
        self._due[feed.id] = self._clock.monotonic() + delay


async def _first_of(*waits: Awaitable[object]) -> None:
    """Return when the first of these does; the others are cancelled."""

    async def until(wait: Awaitable[object]) -> None:
        await wait
        done.set()

    done = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(until(wait), name="wait") for wait in waits]
        await done.wait()
        for task in tasks:
            task.cancel()
