"""What is looked at again and again: time limits and memory."""

import asyncio
from typing import TYPE_CHECKING, Final

from ambassador.redis.errors import TIMED_OUT

if TYPE_CHECKING:
    from ambassador.redis.client import Client
    from ambassador.redis.hub import Hub
    from ambassador.redis.link import Link

__all__ = ["sweep"]

_PERIOD: Final = 0.05
_SELDOM: Final = 20  # of those periods


async def sweep(hub: "Hub") -> None:
    """Look until cancelled."""
    stuck: dict[Link, tuple[int, float]] = {}
    turn = 0
    while True:
        await asyncio.sleep(_PERIOD)
        now = hub.now()
        hub.expire(now)
        stuck = _time_out(hub, stuck, now)
        _count_slow(hub, now)
        turn += 1
        if turn % _SELDOM == 0:
            _seldom(hub, now)


def _time_out(
    hub: "Hub", before: "dict[Link, tuple[int, float]]", now: float
) -> "dict[Link, tuple[int, float]]":
    """End links on which nothing is answered for too long."""
    limit = hub.settings.op_timeout
    waiting: dict[Link, tuple[int, float]] = {}
    for node in list(hub.nodes.values()):
        for link in node.links:
            if not link.queue or link.is_paused:
                continue
            answered, since = before.get(link, (-1, now))
            if answered != link.progress:
                answered, since = link.progress, now
            waiting[link] = (answered, since)
            if limit and now - since > limit:
                node.suspect()
                link.close(TIMED_OUT)
    return waiting


def _count_slow(hub: "Hub", now: float) -> None:
    """Add up what waits for slow clients; end who is slow for too long; hold the rest back."""
    total = 0
    for client in list(hub.slow):
        size = _waiting(client)
        total += size
        settings = hub.settings
        soft = settings.push_soft if client.session.is_transparent else settings.reply_soft
        if size <= soft:
            client.slow_since = now
        elif now - client.slow_since > settings.soft_for:
            client.close("slow", is_abort=True)
    hub.buffered = total
    is_full = total > hub.settings.memory
    if is_full != hub.is_full:
        hub.is_full = is_full
        for node in hub.nodes.values():
            for link in node.links:
                if is_full:
                    link.pause()
                else:
                    link.resume()


def _waiting(client: "Client") -> int:
    return client.transport.get_write_buffer_size() if client.transport is not None else 0


def _seldom(hub: "Hub", now: float) -> None:
    for node in hub.nodes.values():
        node.sweep(now)
    for client in list(hub.clients):
        idle = client.listener.idle
        if idle and now - client.heard > idle and not client.runs and client.session.lease is None:
            client.close("idle")
