"""How long a client waits for a connection of its own kind to the primary."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar

from sidecar.errors import UpstreamUnavailable

if TYPE_CHECKING:
    from ambassador.redis.client import Client
    from ambassador.redis.hub import Hub

__all__ = ["patiently"]

_Found = TypeVar("_Found")
_PAUSE: Final = 0.05


async def patiently(client: "Client", attempt: Callable[[], Awaitable[_Found]]) -> _Found:
    """Return what an attempt brings, within the time that commands wait for a primary.

    Where the only server is silent, which can only be waited for, it is tried again as long as the
    client stays. Raises Refused, UpstreamUnavailable and TimeoutError.
    """
    hub = client.hub
    while True:
        try:
            async with asyncio.timeout(hub.settings.failover_queue):
                return await attempt()
        except (TimeoutError, UpstreamUnavailable):
            if client.is_closed or not _is_silent(hub):
                raise
        await asyncio.sleep(_PAUSE)


def _is_silent(hub: "Hub") -> bool:
    primary = hub.primary
    return primary is not None and len(hub.nodes) == 1 and not primary.health.is_up
