"""The values of a backend, each distinct key watched once and shared by all who ask for it.

A feed holds the newest values of one key and tells its listeners which keys changed. While the
backend is away the values stay; that it is away and that it is back is one log line each, however
many keys are watched. When most keys would go at once, a second look must see the same before it
is believed (reliability F14).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Final

from sidecar.errors import PermanentError, ProtocolError, TransientError
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from templater.absence import Absence
from templater.backends.base import Backend, Values
from templater.counters import HELD, READS
from templater.guard import most_gone

__all__ = ["Feed", "Feeds", "Listener"]

_SECOND_LOOK: Final = 1.0
_PROBE: Final = 2.0
_ERRORS: Final = (TransientError, PermanentError, ProtocolError, TimeoutError)
_log = get_logger("confd")

Helper = Callable[[], Awaitable[None]]
Listener = Callable[[frozenset[str]], None]
"""Is told which keys changed."""


class Feed:
    """The newest values of one key; None until they are known."""

    def __init__(self, key: str) -> None:
        """Start without values."""
        self.key = key
        self.values: Values | None = None
        self.listeners: set[Listener] = set()
        self.task: asyncio.Task[None] | None = None

    def take(self, values: Values) -> None:
        """Take newer values and tell who listens."""
        before, self.values = self.values, values
        old = before if before is not None else {}
        changed = frozenset(key for key, _ in old.items() ^ values.items())
        if changed or before is None:
            for listener in tuple(self.listeners):
                listener(changed)


class Feeds:
    """All feeds of one backend. ``poll`` None: it is watched; else read every so many seconds."""

    def __init__(
        self, backend: Backend, clock: Clock, *, poll: float | None = None, slowest: float = 2.0
    ) -> None:
        """``slowest`` is the longest pause after a failure."""
        self.backend = backend
        self._clock = clock
        self._poll = poll
        self._slowest = slowest
        self._feeds: dict[str, Feed] = {}
        self._failing: dict[str, str] = {}
        self._helpers: list[asyncio.Task[None]] = []
        self._absence = Absence(clock)

    def trouble(self) -> str | None:
        """Return what keeps the backend from being read, or None."""
        if not self._failing:
            return None
        return f"backend {self.backend.address}: {next(iter(self._failing.values()))}"

    def values_of(self, keys: Sequence[str]) -> Values | None:
        """Return the values of these keys together, None while one of them is not known."""
        found: dict[str, str] = {}
        for key in keys:
            values = self._feeds[key].values
            if values is None:
                return None
            if len(keys) == 1:
                return values
            found.update(values)
        return found

    def listen(self, keys: Iterable[str], listener: Listener, group: asyncio.TaskGroup) -> None:
        """Have a listener told of changes; starts what is not watched yet."""
        for key in keys:
            feed = self._feeds.setdefault(key, Feed(key))
            feed.listeners.add(listener)
            if feed.task is None:
                feed.task = group.create_task(self._follow(feed), name=f"feed {key}")

    def leave(self, keys: Iterable[str], listener: Listener) -> None:
        """Tell a listener no more; what nobody listens to is watched no more."""
        for key in keys:
            feed = self._feeds.get(key)
            if feed is None:
                continue
            feed.listeners.discard(listener)
            if not feed.listeners:
                del self._feeds[key]
                self._recovered(key)
                if feed.task is not None:
                    feed.task.cancel()

    def start(self, group: asyncio.TaskGroup) -> None:
        """Run what the backend needs beside reads, and look after one whose watches do not tell
        when it is away.
        """
        run, probe = getattr(self.backend, "run", None), getattr(self.backend, "probe", None)
        if run is not None:
            self._helpers.append(group.create_task(self._run(run), name="backend"))
        if probe is not None and self._poll is None:
            self._helpers.append(group.create_task(self._ask(probe), name="probe"))

    def close(self) -> None:
        """End all that runs here."""
        tasks = [feed.task for feed in self._feeds.values() if feed.task is not None]
        for task in (*tasks, *self._helpers):
            task.cancel()
        self._absence.end()

    async def _ask(self, probe: Helper) -> None:
        """Ask, until cancelled, whether a backend answers."""
        while True:
            try:
                await probe()
            except _ERRORS as error:
                self._failed("", str(error) or type(error).__name__)
            else:
                self._recovered("")
            await self._clock.sleep(_PROBE)

    async def _run(self, run: Helper) -> None:
        """Run it until cancelled, again when it fails."""
        backoff = Backoff(0.1, self._slowest)
        while True:
            try:
                await run()
            except _ERRORS as error:
                _log.warning(f"backend {self.backend.address}: {error}")
            await self._clock.sleep(backoff.next())

    async def _follow(self, feed: Feed) -> None:
        backoff = Backoff(0.1, self._slowest)
        while True:
            try:
                if self._poll is None:
                    await self._watch(feed, backoff)
                else:
                    await self._take(feed, await self.backend.read([feed.key]))
                    backoff.reset()
                    await self._clock.sleep(self._poll)
            except _ERRORS as error:
                self._failed(feed.key, str(error) or type(error).__name__)
                await self._clock.sleep(backoff.next())

    async def _watch(self, feed: Feed, backoff: Backoff) -> None:
        async with aclosing(self.backend.watch(feed.key)) as states:
            async for values in states:
                await self._take(feed, values)
                backoff.reset()
        raise TransientError("the watch ended")

    async def _take(self, feed: Feed, values: Values) -> None:
        if feed.values is not None and most_gone(feed.values.keys(), values.keys()):
            HELD.inc()
            _log.warning(
                f"most keys below {feed.key} are gone: looking again before it is believed"
            )
            await self._clock.sleep(_SECOND_LOOK)
            values = await self.backend.read([feed.key])
        READS.inc()
        self._recovered(feed.key)
        feed.take(values)

    def _failed(self, key: str, why: str) -> None:
        if not self._failing:
            self._absence.begin()
            _log.error(
                f"backend {self.backend.address} cannot be read: {why}; files stay as they are"
            )
        self._failing[key] = why

    def _recovered(self, key: str) -> None:
        if self._failing.pop(key, None) is not None and not self._failing:
            self._absence.end()
            _log.info(f"backend {self.backend.address} is read again")
