"""What goes on beside answering: moving on with the catalogue, and how far to believe it."""

from collections.abc import Callable
from time import perf_counter
from typing import Final

from dnsd.cache import Responder, Standing
from dnsd.telemetry import Telemetry
from sidecar.runtime.clock import Clock
from sidecar.stores.base import Source

__all__ = ["follow", "stand"]

_LOOK: Final = 1.0


async def follow(source: Source, responder: Responder, telemetry: Telemetry, clock: Clock) -> None:
    """Move on with each change for ever, so that the next query need not."""
    while True:
        begun = perf_counter()
        responder.replies()
        telemetry.applied(perf_counter() - begun, clock)
        await source.changed()


async def stand(
    source: Source,
    responder: Responder,
    away: Callable[[], str | None],
    longest: float,
    clock: Clock,
) -> None:
    """Say for ever how far the catalogue may be believed (reliability F20).

    While the store is away what is known is answered as stale, for ``longest`` seconds.
    """
    since: float | None = None
    while True:
        now = clock.monotonic()
        if away() is None or not source.synced:
            since = None
            standing = Standing.FRESH
        else:
            since = now if since is None else since
            standing = Standing.LOST if now - since > longest else Standing.STALE
        responder.stand(standing)
        await clock.sleep(_LOOK)
