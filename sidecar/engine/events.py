"""The engine's events as one endless stream that survives the engine.

Theory. A stream that broke is discarded with its connection and never asked again; a new one asks
for what happened since the last event it saw. The engine's memory of events is bounded and empty
after its restart, so whoever listens must look at everything again after each ``Connected``.
A stream whose peer vanished without a word looks like a quiet one: after ``ping`` seconds of
silence the engine is asked over a second connection, and no answer means the stream is dead. So
does an answer that tells of an event the stream did not: something on the way swallows it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from sidecar.engine.connection import Connection, decode
from sidecar.engine.facts import Event, event_of
from sidecar.errors import EngineDenied, EngineUnavailable, ProtocolError
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import Clock
from sidecar.runtime.lines import LineSplitter
from sidecar.runtime.log import get_logger

__all__ = ["Connected", "EventStream", "Lost", "Missed", "Signal"]

_FILTERS: Final = json.dumps({"type": ["container", "network"]})
_CHUNK: Final = 1 << 16
_NANO: Final = 1_000_000_000
_FRESH: Final = 1.0  # seconds; such an event may still be on its way
_REPLAY: Final = 4.0
_log = get_logger("engine")


@dataclass(frozen=True, slots=True)
class Connected:
    """A stream is open: what happens from now on is told, what happened before may not be."""


@dataclass(frozen=True, slots=True)
class Lost:
    """No stream is open."""

    reason: str


@dataclass(frozen=True, slots=True)
class Missed:
    """An event came that nobody can read."""

    reason: str


Signal = Event | Connected | Lost | Missed


class EventStream:
    """Opens streams one after the other and delivers what they say."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        url: str,
        *,
        clock: Clock,
        ping: float,
        discard: Callable[[], Awaitable[None]],
        backoff: Backoff | None = None,
    ) -> None:
        """``connect`` makes a fresh connection per stream; ``url`` is for the log.

        ``discard`` closes all other connections, and is awaited when a stream is lost.

        A local socket is tried at least once a second, as that costs nothing and an engine that
        comes back should be known within two; a remote one at least every five.
        """
        self._connect = connect
        self._url = url
        self._clock = clock
        self._ping = ping
        self._discard = discard
        cap = 1.0 if url.startswith("unix:") else 5.0
        self._backoff = backoff if backoff is not None else Backoff(0.1, cap)
        self._last: Event | None = None
        self._is_up: bool | None = None

    async def run(self, deliver: Callable[[Signal], None]) -> None:
        """Deliver signals until cancelled; ``deliver`` must not block."""
        while True:
            reason = await self._one_stream(deliver)
            deliver(Lost(reason))
            await self._down(reason)
            await self._clock.sleep(self._backoff.next())

    async def _one_stream(self, deliver: Callable[[Signal], None]) -> str:
        connection = self._connect()
        try:
            async with connection.get("events", timeout=None, **self._query()) as response:
                self._up()
                deliver(Connected())
                async for line in self._lines(response.content, connection):
                    self._deliver(line, deliver)
            return "the event stream ended"
        except (EngineUnavailable, EngineDenied, ProtocolError) as error:
            return str(error)
        finally:
            await connection.close()

    def _query(self) -> dict[str, str]:
        query = {"filters": _FILTERS}
        if self._last is not None and self._last.time_nano > 0:
            seconds, nanos = divmod(self._last.time_nano, _NANO)
            query["since"] = f"{seconds}.{nanos:09d}"
        return query

    async def _lines(self, content: Any, connection: Connection) -> AsyncIterator[bytes]:
        splitter = LineSplitter()
        while True:
            try:
                async with asyncio.timeout(self._ping):
                    data = await content.read(_CHUNK)
            except TimeoutError:
                await connection.ping(self._ping)
                if not await self._has_more(connection):
                    continue
                data = await self._late(content)
            if not data:
                return
            for line in splitter.feed(data):
                yield line

    async def _late(self, content: Any) -> bytes:
        """Return what the stream told meanwhile: an event may have come while we asked for more.

        It surely has where the engine's clock is behind ours: then it tells of what comes, too.
        """
        try:
            async with asyncio.timeout(_FRESH):
                found: bytes = await content.read(_CHUNK)
        except TimeoutError:
            raise EngineUnavailable("the event stream is silent about events") from None
        return found

    async def _has_more(self, connection: Connection) -> bool:
        """Say whether the engine knows of an event that the stream has not told.

        An engine whose clock is behind ours answers late, or not at all, which says nothing.
        """
        if self._last is None:
            return False
        query = self._query() | {"until": f"{self._clock.wall() - _FRESH:.9f}"}
        splitter = LineSplitter()
        with suppress(EngineUnavailable):
            async with connection.get("events", timeout=_REPLAY, **query) as response:
                async for data in response.content.iter_any():
                    if any(self._is_missed(line) for line in splitter.feed(data)):
                        return True
        return False

    def _is_missed(self, line: bytes) -> bool:
        try:
            event = event_of(decode(line))
        except ProtocolError:
            return False
        last = self._last
        return event is not None and last is not None and event.time_nano > last.time_nano

    def _deliver(self, line: bytes, deliver: Callable[[Signal], None]) -> None:
        try:
            event = event_of(decode(line))
        except ProtocolError as error:
            _log.warning("unreadable event", reason=error)
            deliver(Missed(str(error)))
            return
        if event is None or event == self._last:  # ``since`` repeats the last one
            return
        self._last = event
        self._backoff.reset()
        deliver(event)

    def _up(self) -> None:
        if self._is_up is not True:
            _log.info("docker engine connected", url=self._url)
        self._is_up = True

    async def _down(self, reason: str) -> None:
        if self._is_up is not False:
            _log.warning("docker engine unreachable", url=self._url, reason=reason)
            self._is_up = False
            await self._discard()
