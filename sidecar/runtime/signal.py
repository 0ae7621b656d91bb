"""Wake everyone who waits, once: the one way to wait for a change here."""

import asyncio
from collections.abc import Callable, Collection, Iterable

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

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        """Start without waiters."""
        self._calls: dict[str, dict[object, Callable[[], None]]] = {}

    @property
    def names(self) -> Collection[str]:
        """What somebody waits for."""
        return self._calls.keys()

    async def wait(self, names: Iterable[str]) -> None:
        """Return when one of these is fired."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not waiter.done():
                waiter.set_result(None)

        cancel = self.call(names, wake)
        try:
            await waiter
        finally:
            cancel()

    def call(self, names: Iterable[str], function: Callable[[], None]) -> Callable[[], None]:
        """Call a function whenever one of these is fired; return how to end that.

        It is called inside ``fire`` and must not raise.
        """
        wanted, key = tuple(names), object()
        for name in wanted:
            self._calls.setdefault(name, {})[key] = function

        def cancel() -> None:
            for name in wanted:
                self._forget(name, key)

        return cancel

    def fire(self, names: Iterable[str]) -> None:
        """Wake all who wait now for one of these."""
        for name in tuple(names):
            for function in tuple(self._calls.get(name, {}).values()):
                function()

    def _forget(self, name: str, key: object) -> None:
        calls = self._calls.get(name)
        if calls is not None:
            calls.pop(key, None)
            if not calls:
                del self._calls[name]
