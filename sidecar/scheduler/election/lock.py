"""What a store needs to be able to do so that one of many leads. Pure.

A *grip* is the lock held under one number. Its number is the store's own, grows with each grip, and
is written on every container, so that the later of two that both believe to lead can be told.
"""

from math import inf
from typing import Final, NamedTuple, Protocol

from sidecar.errors import PinnaceError

__all__ = ["KEY", "Grip", "Lock", "Lost"]

KEY: Final = "pinnace/scheduler/leader"
"""Where the lock is in a store."""


class Lost(PinnaceError):
    """The lock is not ours any more, or nobody can say whether it is."""


class Grip(NamedTuple):
    """The lock, held; ``lasts`` so many seconds from ``begun``, which is before it was granted."""

    epoch: int
    begun: float
    lasts: float = inf


class Lock(Protocol):
    """One store's lock. All raise StoreUnavailable and StoreDenied."""

    url: str
    """For messages: no secrets."""

    async def take(self) -> Grip:
        """Return when it is ours."""

    async def renew(self) -> float:
        """Begin its time anew; return how long it lasts from the call on. Raises Lost."""

    async def release(self) -> None:
        """Give it back, and what was prepared for it; nothing happens when there is nothing."""

    async def close(self) -> None:
        """Close connections."""
