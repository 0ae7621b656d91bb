"""Take part in an election: hold the lock, renew its lease, stop in time when that fails.

A lease is counted from before the request that began it, by a clock that goes on while the machine
sleeps and that nobody sets. So we believe to lead for a shorter time than the store does, however
long an answer takes; ``margin`` before the end we lead no more, and what is under way has that long
to stop. A grip that was lost is never taken up again: the next one has a number of its own.
"""

import asyncio
from contextlib import suppress
from math import inf
from typing import Final

from sidecar.errors import StoreCorrupt, StoreDenied, StoreUnavailable
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from sidecar.scheduler.election.lock import Grip, Lock, Lost

__all__ = ["Contest"]

_log = get_logger("scheduler")
_RENEWALS: Final = 5  # within one lease, so that one lost answer costs nothing
_FAREWELL: Final = 2.0
_LONGEST: Final = 3600.0


class Contest:
    """An Election by a lock."""

    def __init__(self, lock: Lock, *, ttl: float, margin: float, clock: Clock) -> None:
        """Renew a lease of ``ttl`` seconds; its last ``margin`` seconds are for stopping."""
        self.changed = asyncio.Event()
        self.margin = margin
        self._lock = lock
        self._pause = ttl / _RENEWALS
        self._clock = clock
        self._epoch: int | None = None
        self._until = -inf
        self._trouble: str | None = None

    @property
    def epoch(self) -> int | None:
        """The number under which we lead; None: we do not, or stop now."""
        return self._epoch if self.left() > self.margin else None

    def left(self) -> float:
        """Return the seconds of lease that are left; infinite where none can be lost."""
        return self._until - self._clock.monotonic() if self._epoch is not None else 0.0

    def trouble(self) -> str | None:
        """Return what keeps us from taking part, or None."""
        return self._trouble

    async def run(self) -> None:
        """Take part until cancelled."""
        backoff = Backoff(0.1, max(self._pause, 0.1))
        try:
            while True:
                try:
                    grip = await self._lock.take()
                    self._trouble = None
                    backoff.reset()
                    await self._hold(grip)
                except (StoreUnavailable, StoreDenied, StoreCorrupt, Lost) as error:
                    self._tell(error)
                await self._give_back()
                await self._clock.sleep(backoff.next())
        finally:
            await self._give_back()
            await self._lock.close()

    async def _hold(self, grip: Grip) -> None:
        """Lead until that is lost. Raises Lost."""
        self._until = grip.begun + grip.lasts
        self._epoch = grip.epoch
        _log.info("leads", epoch=grip.epoch, store=self._lock.url)
        self.changed.set()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._renewing(), name="lease")
                group.create_task(self._ending(), name="end of lease")
        except* Lost as lost:
            raise lost.exceptions[0] from None
        finally:
            self._epoch = None
            self.changed.set()
            _log.warning("leads no more", epoch=grip.epoch, store=self._lock.url)

    async def _renewing(self) -> None:
        while True:
            await self._clock.sleep(self._pause)
            begun = self._clock.monotonic()
            if self._until - begun <= self.margin:  # we slept, or were stopped, for too long
                raise Lost("the lease ended unrenewed")
            try:
                self._until = begun + await self._lock.renew()
            except StoreUnavailable as error:
                self._trouble = str(error)
                _log.warning("lease not renewed", reason=error, left=round(self.left(), 1))
            except StoreDenied as error:
                raise Lost(str(error)) from error
            else:
                self._trouble = None

    async def _ending(self) -> None:
        while (left := self.left() - self.margin) > 0:
            await self._clock.sleep(min(left, _LONGEST))
        raise Lost("the lease could not be renewed in time")

    def _tell(self, error: Exception) -> None:
        if str(error) != self._trouble:
            _log.warning("no part in the election", reason=error, store=self._lock.url)
        self._trouble = str(error)

    async def _give_back(self) -> None:
        with suppress(StoreUnavailable, StoreDenied, Lost, TimeoutError):
            async with asyncio.timeout(_FAREWELL):
                await self._lock.release()
