"""Wake everyone who waits, once: the one way to wait for a change here."""

import asyncio
from collections.abc import Collection, Iterable

__all__ = ["Signal", "Signals"]


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


class Signals:
    """Waiters by name; who waits for several is woken by the first."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        """Start without waiters."""
        self._waiters: dict[str, set[asyncio.Future[None]]] = {}

    @property
    def names(self) -> Collection[str]:
        """What somebody waits for."""
        return self._waiters.keys()

    async def wait(self, names: Iterable[str]) -> None:
        """Return when one of these is fired."""
        wanted = tuple(names)
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for name in wanted:
            self._waiters.setdefault(name, set()).add(waiter)
        try:
            await waiter
        finally:
            for name in wanted:
                self._forget(name, waiter)

    def fire(self, names: Iterable[str]) -> None:
        """Wake all who wait now for one of these."""
        for name in tuple(names):
            for waiter in self._waiters.get(name, ()):
                if not waiter.done():
                    waiter.set_result(None)

    def _forget(self, name: str, waiter: asyncio.Future[None]) -> None:
        waiters = self._waiters.get(name)
        if waiters is not None:
            waiters.discard(waiter)
            if not waiters:
                del self._waiters[name]
