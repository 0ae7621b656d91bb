"""What is looked at again and again: time limits and memory."""

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

from ambassador.redis.errors import TIMED_OUT
from ambassador.redis.run import ClientRun, Unheard

if TYPE_CHECKING:
    from ambassador.redis.client import Client
    from ambassador.redis.hub import Hub
    from ambassador.redis.link import Link
    from ambassador.redis.node import Node
    from ambassador.redis.run import Run

__all__ = ["sweep"]

_PERIOD: Final = 0.05
_SELDOM: Final = 20  # of those periods
_READS: Final = (1, 3)  # Route: what may be asked twice


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
    for run in _rescued(link):
        hub.reissued("slow")
        run.owner.moved(run)


def _rescued(link: "Link") -> list[ClientRun]:
    """Return reads that only wait for others here, to be sent elsewhere.

    What this link answers to them nobody hears. A client with anything else here before them
    keeps them here, so that its commands stay in order.
    """
    found: list[ClientRun] = []
    bound: set[object] = set()
    for place, run in enumerate(link.queue):
        if not isinstance(run, ClientRun):
            continue
        is_free = place and run.kind in _READS and run.owner not in bound and run.token <= 0
        if is_free and run.left == run.count and run.after is None and link.client is None:
            found.append(run)
            link.queue[place] = Unheard(run.data, run.count)
        else:
            bound.add(run.owner)
    return found


def _count_slow(hub: "Hub", now: float) -> None:
    """Add up what waits for slow clients; end who is slow for too long, or too many."""
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
    _restrain(hub, is_full=total > hub.settings.memory)


def _restrain(hub: "Hub", *, is_full: bool) -> None:
    """Take no more from servers for slow clients while there is no room; others go elsewhere.

    When others wait behind them all the same, the one with the most ends, as with Redis' own
    ``maxmemory-clients``.
    """
    are_waiting = False
    for node in hub.nodes.values():
        for link in node.links:
            if is_full and link.queue and _is_for_slow(link.queue[0]):
                link.pause()
                are_waiting = are_waiting or any(not _is_for_slow(run) for run in link.queue)
            elif link.is_paused:
                link.resume()
    if are_waiting and hub.slow:
        max(hub.slow, key=_waiting).close("memory", is_abort=True)


def _is_for_slow(run: "Run") -> bool:
    """Say whether a reply is for a client that does not read."""
    owner = getattr(run, "owner", None)
    return owner is not None and owner.is_slow and not owner.is_closed


def _waiting(client: "Client") -> int:
    return client.transport.get_write_buffer_size() if client.transport is not None else 0


def _seldom(hub: "Hub", now: float) -> None:
    for node in hub.nodes.values():
        node.sweep(now)
    for client in list(hub.clients):
        idle = client.listener.idle
        if idle and now - client.heard > idle and not client.runs and client.session.lease is None:
            client.close("idle")
