"""Watching what cannot be watched: it is read again and again."""

from collections.abc import AsyncGenerator, Awaitable, Callable

from sidecar.runtime.clock import Clock
from templater.backends.base import Values

__all__ = ["polled"]


async def polled(
    read: Callable[[], Awaitable[Values]], clock: Clock, pause: float
) -> AsyncGenerator[Values]:
    """Yield what is there now, and what differs from it at a later look."""
    seen: Values | None = None
    while True:
        now = await read()
        if now != seen:
            seen = now
            yield now
        await clock.sleep(pause)
