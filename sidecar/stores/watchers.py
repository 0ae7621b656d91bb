"""Readers who wait for keys: a change wakes those it concerns and nobody else.

A thousand waiters cost a future each; a commit looks up its keys, and each key's beginnings of
the lengths that somebody watches.
"""

from collections.abc import Iterable

from sidecar.runtime.signal import Signal

__all__ = ["Watchers"]


class Watchers:
    """Waiters by key, by prefix, and for any change at all."""

    def __init__(self) -> None:
        """Start without waiters."""
        self._keys: dict[str, Signal] = {}
        self._prefixes: dict[str, Signal] = {}
        self._any = Signal()

    async def key(self, key: str) -> None:
        """Return at the next change of one key."""
        await _wait(self._keys, key)

    async def prefix(self, prefix: str) -> None:
        """Return at the next change of a key that begins with this text."""
        await _wait(self._prefixes, prefix)

    async def any(self) -> None:
        """Return at the next change of any key."""
        await self._any.wait()

    def changed(self, keys: Iterable[str]) -> None:
        """Wake who waits for one of these keys."""
        lengths = {len(prefix) for prefix in self._prefixes}
        woken: set[str] = set()
        for key in keys:
            if (signal := self._keys.get(key)) is not None:
                signal.fire()
            woken.update(key[:length] for length in lengths if length <= len(key))
        for prefix in woken & self._prefixes.keys():
            self._prefixes[prefix].fire()
        self._any.fire()


async def _wait(signals: dict[str, Signal], name: str) -> None:
    signal = signals.setdefault(name, Signal())
    try:
        await signal.wait()
    finally:
        if not signal.has_waiters and signals.get(name) is signal:
            del signals[name]
