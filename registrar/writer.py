"""Writes entries to the store: one commit at a time, the newest state of each entry.

What changes while a commit is under way, or while the store is down, gathers as a set of keys; the
next commit reads what these should be *then*. So an outage queues wanted state, never history.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from sidecar.catalog.changes import Change
from sidecar.catalog.model import Key
from sidecar.errors import StoreDenied, StoreUnavailable
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from sidecar.stores.base import Registry

__all__ = ["Writer"]

_log = get_logger("registrar")
_CAP: Final = 30.0


class Writer:
    """Makes the store hold what is desired under the keys it is told."""

    def __init__(
        self,
        registry: Registry,
        changes: Callable[[Iterable[Key]], tuple[Change, ...]],
        clock: Clock,
        backoff: Backoff | None = None,
    ) -> None:
        """``changes`` returns what must be done for some keys, at the moment it is called."""
        self._registry = registry
        self._changes = changes
        self._clock = clock
        self._backoff = backoff if backoff is not None else Backoff(0.1, _CAP)
        self._keys: set[Key] = set()
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.trouble: str | None = None

    def write(self, keys: Iterable[Key]) -> None:
        """Write these entries soon, and what else ``changes`` finds to do."""
        self._keys.update(keys)
        self._idle.clear()
        self._work.set()

    async def flushed(self) -> None:
        """Return when the store has acknowledged everything."""
        await self._idle.wait()

    async def run(self) -> None:
        """Commit until cancelled."""
        while True:
            await self._work.wait()
            self._work.clear()
            keys, self._keys = self._keys, set()
            try:
                # Nothing may come between the plan and its commit: it was made of the present.
                changes = self._changes(keys)
                if changes or self.trouble is not None:
                    await self._registry.commit(changes)
            except (StoreUnavailable, StoreDenied) as error:
                self._keys |= keys
                self._work.set()
                await self._wait(error)
                continue
            self._recovered()
            if not self._work.is_set():
                self._idle.set()

    async def _wait(self, error: StoreUnavailable | StoreDenied) -> None:
        if self.trouble is None:
            _log.error("store refuses writes, trying on", reason=error)
        self.trouble = f"store: {error}"
        await self._clock.sleep(self._backoff.next())

    def _recovered(self) -> None:
        if self.trouble is not None:
            _log.info("store takes writes again")
        self.trouble = None
        self._backoff.reset()
