"""Blocking queries: wait until an index moves, as Consul's clients expect.

``index`` 0, absent or lower than the present one answers at once; one higher (a client from
another life of the server) waits and then gets the lower index, which tells it to start anew.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable

from sidecar.web.consul.query import Wait

__all__ = ["wait_for_index", "wait_while", "with_jitter"]


def with_jitter(seconds: float) -> float:
    """Return how long to wait: up to a sixteenth more, so that a fleet does not march in step."""
    return seconds * (1 + random.random() / 16)  # noqa: S311 - jitter, not a secret


async def wait_while(
    unchanged: Callable[[], bool], changed: Callable[[], Awaitable[None]], seconds: float
) -> None:
    """Return when ``unchanged`` says no, asked again after each ``changed``, or in the end."""
    try:
        async with asyncio.timeout(with_jitter(seconds)):
            while unchanged():
                await changed()
    except TimeoutError:
        pass


async def wait_for_index(
    wait: Wait, index_of: Callable[[], int], changed: Callable[[], Awaitable[None]]
) -> None:
    """Return when the index is above the reader's, or when its time is over."""
    if wait.index and index_of() <= wait.index:
        await wait_while(lambda: index_of() <= wait.index, changed, wait.seconds)
