"""The keys that templates read: each prefix watched once, from the first time it is asked for.

A rendering runs in a thread and asks there; what is not known yet it waits for, so that one
rendering is enough.
"""

import asyncio
import concurrent.futures
from collections.abc import Callable, Iterable
from contextlib import aclosing
from typing import Final

from sidecar.catalog.kv import Entry
from sidecar.errors import PermanentError, RenderError, TransientError
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from sidecar.stores.base import KeyValue

__all__ = ["KeyFeed"]

_PATIENCE: Final = 10.0
_MOST: Final = 256  # prefixes; a template that asks for more has a mistake
_log = get_logger("templates")


class KeyFeed:
    """What is known of the keys; ``changed`` is told which prefix is different."""

    def __init__(
        self,
        store: KeyValue | None,
        group: asyncio.TaskGroup,
        clock: Clock,
        changed: Callable[[str], None],
    ) -> None:
        """Watch in ``group``, of the running loop. Without a store there are no keys."""
        self._store = store
        self._group = group
        self._clock = clock
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._known: dict[str, tuple[Entry, ...]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._first: dict[str, asyncio.Event] = {}

    def entries(self, prefix: str) -> Iterable[Entry]:
        """Return the entries whose keys begin with this text. From a thread. Raises RenderError."""
        if self._store is None:
            raise RenderError("keys are not available with this store")
        found = self._known.get(prefix)
        if found is not None:
            return found
        asked = asyncio.run_coroutine_threadsafe(self._open(prefix), self._loop)
        try:
            asked.result(_PATIENCE)
        except (TimeoutError, concurrent.futures.CancelledError) as error:
            asked.cancel()
            raise RenderError(f"keys below {prefix!r} are not known yet") from error
        return self._known[prefix]

    def retain(self, prefixes: Iterable[str]) -> None:
        """Stop watching what nobody reads any more."""
        for gone in self._tasks.keys() - set(prefixes):
            self._tasks.pop(gone).cancel()
            self._known.pop(gone, None)
            self._first.pop(gone)

    async def _open(self, prefix: str) -> None:
        if prefix not in self._tasks:
            if len(self._tasks) >= _MOST:
                raise RenderError(f"more than {_MOST} keys and prefixes are read")
            self._first[prefix] = asyncio.Event()
            self._tasks[prefix] = self._group.create_task(
                self._watch(prefix), name=f"keys {prefix}"
            )
        await self._first[prefix].wait()

    async def _watch(self, prefix: str) -> None:
        backoff = Backoff(0.5, 30.0)
        while True:
            try:
                await self._follow(prefix)
            except (TransientError, PermanentError) as error:
                _log.warning("keys cannot be read", prefix=prefix, error=error)
            await self._clock.sleep(backoff.next())

    async def _follow(self, prefix: str) -> None:
        if self._store is None:
            return
        watch = self._store.watch(prefix)
        async with aclosing(watch) as listings:  # type: ignore[type-var]
            async for listing in listings:
                before = self._known.get(prefix)
                self._known[prefix] = listing.entries
                self._first[prefix].set()
                if before is not None and before != listing.entries:
                    self._changed(prefix)
