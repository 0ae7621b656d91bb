"""Wake everyone who waits, once: the one way to wait for a change here."""

import asyncio

__all__ = ["Signal"]


class Signal:
    """Waiters on the loop's thread; a waiter that leaves is forgotten."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        """Start without waiters."""
        self._waiters: set[asyncio.Future[None]] = set()

    @property
    def has_waiters(self) -> bool:
        """Whether anyone waits."""
        return bool(self._waiters)

    async def wait(self) -> None:
        """Return at the next ``fire``."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)

    def fire(self) -> None:
        """Wake all who wait now."""
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
