"""Every open connection of every kind, bounded in number, idle time and patience."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sidecar.runtime.clock import Clock

__all__ = ["Connection", "Connections", "Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of us strangers may hold."""

    idle: float = 10.0  # since the last whole query, so that dribbling octets does not help
    stalled: float = 5.0  # how long a client may leave replies unread
    connections: int = 1024
    per_client: int = 64


class Connection(Protocol):
    """What is bounded."""

    client: str

    def close(self) -> None:
        """Send what is under way, then hang up."""

    def abort(self) -> None:
        """Hang up at once."""


class Connections:
    """Every open connection, least recently used first."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        """Begin with none; the limits may be replaced at any time."""
        self.limits = limits
        self._clock = clock
        self._used: dict[Connection, float] = {}
        self._stalled: dict[Connection, float] = {}
        self._clients: Counter[str] = Counter()
        self._all: set[Connection] = set()
        self._none_left = asyncio.Event()
        self._none_left.set()

    def opened(self, connection: Connection) -> None:
        """Take in a new connection; over the limit, the one idle longest has to go."""
        self._all.add(connection)
        self._none_left.clear()
        self._clients[connection.client] += 1
        self._used[connection] = self._clock.monotonic()
        if self._clients[connection.client] > self.limits.per_client:
            self._evict(next(c for c in self._used if c.client == connection.client))
        elif len(self._used) > self.limits.connections:
            self._evict(next(iter(self._used)))

    def used(self, connection: Connection) -> None:
        """Note that a whole query came."""
        if self._used.pop(connection, None) is not None:
            self._used[connection] = self._clock.monotonic()

    def stalled(self, connection: Connection, *, stalled: bool) -> None:
        """Note whether replies pile up unread."""
        if stalled:
            self._stalled[connection] = self._clock.monotonic()
        else:
            self._stalled.pop(connection, None)

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        self._forget(connection)
        self._stalled.pop(connection, None)
        self._all.discard(connection)
        if not self._all:
            self._none_left.set()

    async def sweep(self) -> None:
        """Close what is idle or stalled too long, for ever."""
        while True:
            await self._clock.sleep(min(self.limits.idle, self.limits.stalled) / 5)
            now = self._clock.monotonic()
            limits = self.limits
            idle = [c for c, since in self._used.items() if now - since >= limits.idle]
            for connection in idle:
                self._evict(connection)
            late = [c for c, since in self._stalled.items() if now - since >= limits.stalled]
            for connection in late:
                connection.abort()

    async def close(self, grace: float = 1.0, hurry: Callable[[], None] = lambda: None) -> None:
        """Flush and close every connection, then cut what is left.

        At half of the grace ``hurry`` is called, to end what connections still wait for.
        """
        for connection in list(self._used):
            self._evict(connection)
        if not await self._closes_within(grace / 2):
            hurry()
            if not await self._closes_within(grace / 2):
                for connection in list(self._all):
                    connection.abort()

    async def _closes_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._none_left.wait()
        except TimeoutError:
            return False
        return True

    def _evict(self, connection: Connection) -> None:
        self._forget(connection)
        self._stalled.setdefault(connection, self._clock.monotonic())  # it may never read
        connection.close()

    def _forget(self, connection: Connection) -> None:
        if self._used.pop(connection, None) is not None:
            self._clients[connection.client] -= 1
            if not self._clients[connection.client]:
                del self._clients[connection.client]
