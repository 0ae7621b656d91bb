"""Blocking queries that go on for ever: each with its own index, all with one word of trouble."""

from collections.abc import Awaitable, Callable
from typing import Final

from sidecar.errors import StoreDenied, StoreUnavailable
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger

__all__ = ["Followers", "Read"]

Read = Callable[[int], Awaitable[int]]
"""Reads what is newer than an index (0: at once) and returns the index to go on with."""

_log = get_logger("consul")
_LONGEST: Final = 1.0  # seconds between two tries: a store that is back is seen within
_SHARE: Final = 4  # of the time, at most one part in five goes into reading changes


class Followers:
    """Runs reads again and again; knows which of them fail."""

    def __init__(self, clock: Clock, url: str) -> None:
        """``url`` is for messages."""
        self._clock = clock
        self._url = url
        self._failing: dict[str, str] = {}

    @property
    def trouble(self) -> str | None:
        """What one of them says, or None."""
        return next(iter(self._failing.values()), None)

    async def once(self, name: str, read: Read) -> int:
        """Return the index of the first read that succeeds."""
        backoff = Backoff(0.1, _LONGEST)
        while (index := await self._try(name, read, 0)) is None:
            await self._clock.sleep(backoff.next())
        return index

    async def follow(self, name: str, read: Read, index: int) -> None:
        """Read for ever, from this index on."""
        backoff = Backoff(0.1, _LONGEST)
        try:
            while True:
                after = await self._try(name, read, index)
                if after is None:
                    await self._clock.sleep(backoff.next())
                else:
                    index = after
                    backoff.reset()
        finally:
            self._failing.pop(name, None)

    async def rest(self, began: float) -> None:
        """Wait a multiple of what was spent since ``began``."""
        await self._clock.sleep(min(1.0, _SHARE * (self._clock.monotonic() - began)))

    async def _try(self, name: str, read: Read, index: int) -> int | None:
        try:
            after = await read(index)
        except (StoreUnavailable, StoreDenied) as error:
            if not self._failing:
                _log.warning("store cannot be read", store=self._url, reason=error)
            self._failing[name] = str(error)
            return None
        if self._failing.pop(name, None) is not None and not self._failing:
            _log.info("store is read again", store=self._url)
        return after
