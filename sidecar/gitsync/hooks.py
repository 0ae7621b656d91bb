"""Tell others of a new commit until they have heard of it, the newest one only."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from sidecar.errors import PinnaceError
from sidecar.metrics import counter
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger

__all__ = ["HookFailed", "News", "Notifier"]

_log = get_logger("git-sync")
_runs = counter("pinnace_gitsync_hook_runs_total", "Hooks that ran, by result", ["hook", "result"])
_LONGER = 20.0


class HookFailed(PinnaceError):
    """Somebody was not told; the text says why."""


class News(NamedTuple):
    """What was published."""

    commit: str
    folder: str


class Notifier:
    """One hook. A commit that comes while it is tried replaces the one before."""

    def __init__(
        self,
        name: str,
        tell: Callable[[News], Awaitable[None]],
        *,
        backoff: float,
        clock: Clock,
        is_once: bool,
    ) -> None:
        """``tell`` raises HookFailed; it is tried again after ``backoff`` seconds, then longer.

        ``is_once``: a single try, whatever comes of it.
        """
        self.name = name
        self._tell = tell
        self._backoff = Backoff(backoff, backoff * _LONGER)
        self._clock = clock
        self._is_once = is_once
        self._news: News | None = None
        self._changed = asyncio.Event()
        self._tried = asyncio.Event()
        self.is_told = False

    def send(self, news: News) -> None:
        """Tell this from now on."""
        self._news = news
        self.is_told = False
        self._changed.set()

    async def tried(self) -> bool:
        """Return after the first try whether it was a success."""
        await self._tried.wait()
        return self.is_told

    async def run(self) -> None:
        """Tell what is sent until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            self._backoff.reset()
            while not self._changed.is_set():
                if await self._try() or self._is_once:
                    break
                await self._pause(self._backoff.next())

    async def _try(self) -> bool:
        news = self._news
        if news is None:
            return True
        try:
            await self._tell(news)
        except HookFailed as error:
            _runs.labels(self.name, "error").inc()
            _log.error("hook failed", hook=self.name, commit=news.commit, error=error)
            self._tried.set()
            return False
        _runs.labels(self.name, "ok").inc()
        _log.info("hook done", hook=self.name, commit=news.commit)
        self.is_told = news is self._news
        self._tried.set()
        return True

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than until there is something newer."""
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._clock.sleep(seconds), name="back-off"),
                group.create_task(self._changed.wait(), name="newer"),
            ]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
