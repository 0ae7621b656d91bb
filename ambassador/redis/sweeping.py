"""What is looked at again and again: time limits and memory."""

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

from ambassador.redis.errors import TIMED_OUT
from ambassador.redis.pressure import rescued

if TYPE_CHECKING:
    from ambassador.redis.client import Client
    from ambassador.redis.hub import Hub
    from ambassador.redis.link import Link
    from ambassador.redis.node import Node

__all__ = ["sweep"]

_PERIOD: Final = 0.05
_SELDOM: Final = 20  # of those periods


async def sweep(hub: "Hub") -> None:
    """Look until cancelled."""
    stuck: dict[Link, _Seen] = {}
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


class _Seen(NamedTuple):
    """How far a link was, and since when."""

    progress: int
    since: float
    answered: int
    head_since: float


def _time_out(hub: "Hub", before: "dict[Link, _Seen]", now: float) -> "dict[Link, _Seen]":
    """End links on which nothing comes for too long; spare those that answer slowly new work."""
    limit, slow = hub.settings.op_timeout, hub.settings.slow
    waiting: dict[Link, _Seen] = {}
    for node in list(hub.nodes.values()):
        for link in node.links:
            if not link.queue or link.is_paused:
                link.takes_new = not (link.is_lane or link.is_closed or link.is_paused)
                continue
            progress, since, answered, head_since = before.get(link, _Seen(-1, now, -1, now))
            if progress != link.progress:
                progress, since = link.progress, now
            if answered != link.answered:
                answered, head_since = link.answered, now
            waiting[link] = _Seen(progress, since, answered, head_since)
            is_stuck = now - head_since > slow
            link.takes_new = not is_stuck and not link.is_lane
            if is_stuck:
                _relieve(hub, node, link, head_since)
            # A script may run for long; the server says so, but only after its first seconds.
            quiet = max(since, node.heard) + limit if link.is_lane else since
            if limit and now - quiet > limit:
                node.suspect()
                link.close(TIMED_OUT)
    return waiting


def _relieve(hub: "Hub", node: "Node", link: "Link", since: float) -> None:
    """Send elsewhere what only waits for a slow command, if the server itself is not stuck."""
    hub.blames(link.queue[0])
    if node.heard < since:
        node.poked.set()  # ask it
        return
    for run in rescued(link):
        hub.reissued("slow")
        run.owner.moved(run)


def _count_slow(hub: "Hub", now: float) -> None:
    """Count what waits for slow clients; end who is slow for too long; hold back who makes most."""
    waiting: dict[Client, int] = {}
    for client in list(hub.slow):
        size = waiting[client] = client.waiting
        settings = hub.settings
        soft = settings.push_soft if client.session.is_transparent else settings.reply_soft
        if size <= soft:
            client.slow_since = now
        elif now - client.slow_since > settings.soft_for:
            client.close("slow", is_abort=True)
            del waiting[client]
    hub.buffered = sum(waiting.values())
    hub.pressure.judge(waiting)


def _seldom(hub: "Hub", now: float) -> None:
    for node in hub.nodes.values():
        node.sweep(now)
    for client in list(hub.clients):
        idle = client.listener.idle
        if idle and now - client.heard > idle and not client.runs and client.session.lease is None:
            client.close("idle")
