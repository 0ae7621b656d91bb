"""Notices that an agent may not hold what an edge wrote: one blocking query, and a look.

A change of what is watched wakes us, our own writes included; so we look whether anything of ours
is really missing before anybody is troubled. After the agent was away we assume the worst.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from sidecar.errors import StoreDenied, StoreUnavailable
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from sidecar.stores.consul.client import following

__all__ = ["Disturbance", "Watch", "Watched"]

_log = get_logger("consul")

_PAUSE: Final = 0.1  # seconds between two looks, so that a burst of writes is one
_LONGEST: Final = 1.0  # between two tries while the agent is away: its return is seen within


class Disturbance:
    """Somebody waits for trouble with entries; several causes until then are one."""

    def __init__(self) -> None:
        """Start undisturbed."""
        self._event = asyncio.Event()

    def tell(self) -> None:
        """Say that entries may be gone."""
        self._event.set()

    async def wait(self) -> None:
        """Return at the next telling, or the last that nobody waited for."""
        await self._event.wait()
        self._event.clear()


class Watched(Protocol):
    """What is watched."""

    async def begin(self) -> None:
        """Find out what to ask for; called whenever the agent is new."""

    async def wait(self, index: int) -> int:
        """Return the new index when what is watched may have changed."""

    async def is_off(self) -> bool:
        """Look whether entries are missing or changed."""


class Watch:
    """Watches for ever; ``trouble`` says what keeps it."""

    def __init__(
        self,
        watched: Watched,
        doubt: Callable[[], None],
        disturb: Callable[[], None],
        clock: Clock,
        url: str,
    ) -> None:
        """Call ``doubt`` when nothing is sure any more, ``disturb`` when a look found harm."""
        self._watched = watched
        self._doubt = doubt
        self._disturb = disturb
        self._clock = clock
        self._url = url
        self.trouble: str | None = None

    async def run(self, ready: Callable[[], None]) -> None:
        """Watch until cancelled; ready when it is known whether the agent answers."""
        backoff = Backoff(0.1, _LONGEST)
        while True:
            try:
                await self._follow(ready, backoff)
            except (StoreUnavailable, StoreDenied) as error:
                if self.trouble is None:
                    _log.warning("store is away", store=self._url, reason=error)
                self.trouble = str(error)
                ready()
            await self._clock.sleep(backoff.next())

    async def _follow(self, ready: Callable[[], None], backoff: Backoff) -> None:
        await self._watched.begin()
        index = following(0, await self._watched.wait(0))
        if self.trouble is not None:
            _log.info("store is back", store=self._url)
            self._doubt()
        self.trouble = None
        backoff.reset()
        ready()
        while True:
            index = following(index, await self._watched.wait(index))
            if index == 0:
                self._doubt()  # the store was reset
            elif await self._watched.is_off():
                self._disturb()
            await self._clock.sleep(_PAUSE)
