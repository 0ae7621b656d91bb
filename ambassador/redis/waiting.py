"""WAIT, which counts replicas that have what this client wrote.

Redis counts for the connection that the command comes on and blocks that one, so it cannot be
forwarded on a link that clients share. The proxy asks the primary how far it is and then, on a
connection of its own, which replicas have said to be as far. They say so once per second by
themselves; a WAIT for more replicas than there are makes the primary ask them at once.
"""

import asyncio
from typing import TYPE_CHECKING, Final

from ambassador.redis import errors
from ambassador.redis.greeting import DEFAULT, Refused
from ambassador.redis.link import Link
from ambassador.redis.resp import Failure, packed
from ambassador.redis.run import RoleRun
from sidecar.errors import UpstreamUnavailable

if TYPE_CHECKING:
    from ambassador.redis.client import Client
    from ambassador.redis.node import Node

__all__ = ["wait_for_replicas"]

_PROVOKE: Final = packed(b"WAIT", b"1000", b"1") + packed(b"ROLE")
_PAUSE: Final = 0.02


async def wait_for_replicas(
    client: "Client", node: "Node | None", sent_on: Link | None, count: int, limit: float
) -> bytes:
    """Return the reply to WAIT for what was sent to a primary; ``limit`` 0: no limit."""
    hub = client.hub
    if node is None:
        return errors.NO_PRIMARY
    try:
        wanted = await _offset(sent_on)
        link = await node.lease(DEFAULT)
    except (UpstreamUnavailable, Refused):
        return errors.NO_PRIMARY
    try:
        if wanted is None:
            wanted = await _reached_by(link)
        deadline = hub.now() + limit if limit else float("inf")
        while True:
            reached = await _reached(link, wanted)
            if reached >= count or hub.now() >= deadline or client.is_closed:
                return b":%d\r\n" % reached
            await asyncio.sleep(min(_PAUSE, max(0.0, deadline - hub.now())))
    except (UpstreamUnavailable, TimeoutError):
        return errors.NO_PRIMARY
    finally:
        node.give_back(link, is_clean=True, is_plain=True)


async def _offset(link: Link | None) -> int | None:
    """Return how far the primary is after all that this client sent; 0 if it sent nothing.

    None: who is logged in may not ask.
    """
    if link is None or link.is_closed:
        return 0
    answer: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    def tell(offset: int | None) -> None:
        if not answer.done():
            answer.set_result(offset)

    link.send(RoleRun(b"master", tell))
    return await answer


async def _reached_by(link: Link) -> int:
    """Return how far the primary is now, which is as far or farther."""
    match await link.ask(packed(b"ROLE"), 1):
        case [[b"master", int(offset), *_]]:
            return offset
    raise UpstreamUnavailable("no answer to ROLE")


async def _reached(link: Link, wanted: int) -> int:
    """Return how many replicas have acknowledged so much."""
    _, role = await link.ask(_PROVOKE, 2)
    match role:
        case Failure():
            raise UpstreamUnavailable("ROLE is refused")
        case [b"master", int(), list(replicas)]:
            return sum(1 for _, _, offset in replicas if int(offset) >= wanted)
    raise UpstreamUnavailable("no primary any more")
