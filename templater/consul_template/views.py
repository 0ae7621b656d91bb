"""One watch per distinct query, shared by all who use it, for as long as somebody does.

A watch delivers values, each newer than the last and different from it: the first at once, then
one per tenth of a second at most. While a source is away the last values stay, and it is asked
again for ever; that it is away and that it is back is one log line each. When most of a list would
go at once, a second look must see the same before it is believed (reliability F14).
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from sidecar.errors import PermanentError, ProtocolError, TransientError
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from sidecar.stores.consul.client import following
from templater.absence import Absence
from templater.consul_template.answers import members
from templater.consul_template.data import UNKNOWN
from templater.consul_template.queries import KeyQuery, Query
from templater.consul_template.sources import Fetched, Source
from templater.counters import HELD, READS
from templater.guard import most_gone

__all__ = ["Retry", "Views", "ViewsMaker"]

_PAUSE: Final = 0.1
_SECOND_LOOK: Final = 1.0
_MANY: Final = 128
_ERRORS: Final = (TransientError, PermanentError, ProtocolError, TimeoutError)
_log = get_logger("templater")

ViewsMaker = Callable[[Callable[[Query, object], None]], "Views"]
"""Makes the watches of a run, which call back with each new answer."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How to go on after a failure; ``attempts`` 0: for ever."""

    first: float = 0.25
    longest: float = 60.0
    attempts: int = 0


class Views:
    """All watches of a run."""

    def __init__(
        self,
        source_of: Callable[[Query], Source],
        deliver: Callable[[Query, object], None],
        clock: Clock,
        *,
        retry_of: Callable[[Query], Retry] = lambda _: Retry(),
        is_once: bool = False,
        needs_all: bool = False,
    ) -> None:
        """``deliver`` gets each new value; with ``is_once`` each query gets one.

        With ``needs_all`` an absent key that somebody waits for is given up at once.
        """
        self._source_of = source_of
        self._deliver = deliver
        self._clock = clock
        self._retry_of = retry_of
        self._is_once = is_once
        self._needs_all = needs_all
        self._tasks: dict[Query, asyncio.Task[None]] = {}
        self._failing: dict[Query, str] = {}
        self._has_warned = False
        self._absence = Absence(clock)
        self.given_up: str | None = None

    def trouble(self) -> str | None:
        """Return what keeps a query from being answered, or None."""
        return next(iter(self._failing.values()), None)

    def watch(self, queries: Iterable[Query], group: asyncio.TaskGroup) -> frozenset[Query]:
        """Watch exactly these; return those that are watched no more."""
        wanted = frozenset(queries)
        gone = self._tasks.keys() - wanted
        for query in gone:
            self._tasks.pop(query).cancel()
            self._recovered(query)
        for query in wanted - self._tasks.keys():
            task = group.create_task(self._follow(query), name=f"view {query}")
            self._tasks[query] = task
        if len(wanted) > _MANY and not self._has_warned:
            self._has_warned = True
            _log.warning("many watches: each keeps a connection to the agent", count=len(wanted))
        return frozenset(gone)

    def close(self) -> None:
        """End all."""
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()
        self._failing.clear()
        self._absence.end()

    async def _follow(self, query: Query) -> None:
        source = self._source_of(query)
        retry = self._retry_of(query)
        backoff = Backoff(retry.first, retry.longest)
        index = 0
        last: object = UNKNOWN
        known: object = UNKNOWN
        value: object = UNKNOWN
        while True:
            began = self._clock.monotonic()
            try:
                fetched = await source.fetch(query, index)
                index = following(index, fetched.index)
                if fetched.body != last:
                    last, value = fetched.body, source.read(query, fetched.body)
                    value = await self._believed(query, source, known, value)
                    is_news = self._is_news(query, known, value)
                else:
                    is_news = False
            except _ERRORS as error:
                self._failed(query, str(error) or type(error).__name__)
                if retry.attempts and backoff.attempts + 1 >= retry.attempts:
                    self._give_up(query, self._failing[query])
                    return
                await self._clock.sleep(backoff.next())
                continue
            backoff.reset()
            self._recovered(query)
            if self._needs_all and known is UNKNOWN and not is_news:
                self._give_up(query, f"{query} does not exist")
                return
            if is_news:
                known = value
                READS.inc()
                self._deliver(query, value)
                if self._is_once:
                    return
            await self._rest(began, is_news=is_news)

    def _give_up(self, query: Query, why: str) -> None:
        self.given_up = why
        self._deliver(query, UNKNOWN)

    def _is_news(self, query: Query, known: object, value: object) -> bool:
        """Say whether a value is delivered; an absent key is none to who waits for it."""
        if isinstance(query, KeyQuery) and query.blocks and value is None:
            return False
        return known is UNKNOWN or value != known

    async def _rest(self, began: float, *, is_news: bool) -> None:
        """Let a burst become one value; keep a server that does not wait from being hammered."""
        spent = 0.0 if is_news else self._clock.monotonic() - began
        if spent < _PAUSE:
            await self._clock.sleep(_PAUSE - spent)

    async def _believed(self, query: Query, source: Source, known: object, value: object) -> object:
        if known is UNKNOWN or not most_gone(members(known), members(value)):
            return value
        HELD.inc()
        _log.warning("most of an answer is gone: looking again before it is believed", query=query)
        await self._clock.sleep(_SECOND_LOOK)
        fetched: Fetched = await source.fetch(query, 0)
        return source.read(query, fetched.body)

    def _failed(self, query: Query, why: str) -> None:
        if not self._failing:
            self._absence.begin()
            _log.error("data cannot be read; files stay as they are", query=query, reason=why)
        self._failing[query] = why

    def _recovered(self, query: Query) -> None:
        if self._failing.pop(query, None) is not None and not self._failing:
            self._absence.end()
            _log.info("data is read again", query=query)
