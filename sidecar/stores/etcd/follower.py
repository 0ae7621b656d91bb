"""What stands below a prefix and what becomes of it: a full read, then each change.

Whenever the thread is lost (the store was away, history was compacted, the store was wiped) it
begins with a full read again, so that whoever listens is right in the end whatever happened.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Final

from sidecar.errors import StoreUnavailable
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from sidecar.stores.etcd.keyspace import Event, Keyspace, Outrun, Reading

__all__ = ["Follower"]

_STABLE: Final = 5.0  # seconds after which a lost thread is the first again
_log = get_logger("etcd")


class Follower:
    """Follows one prefix for ever."""

    def __init__(
        self, keyspace: Callable[[], Awaitable[Keyspace]], prefix: str, url: str, clock: Clock
    ) -> None:
        """Ask the keyspace that is given at each beginning."""
        self._keyspace = keyspace
        self._prefix = prefix
        self._url = url
        self._clock = clock
        self.trouble: str | None = None

    async def follow(self) -> AsyncGenerator[Reading | Sequence[Event], None]:
        """Yield a full reading, then changes; again from a reading when the thread was lost.

        While the store is away it tries again, for ever. Raises StoreDenied.
        """
        backoff = Backoff(0.1, 1.0)  # who has lost its entries must have them back within 2 s
        while True:
            begun = self._clock.monotonic()
            try:
                keyspace = await self._keyspace()
                reading = await keyspace.read([self._prefix])
                self._note(None)
                yield reading
                async with aclosing(keyspace.follow(self._prefix, reading.revision)) as changes:
                    async for events in changes:
                        yield events
            except Outrun:
                _log.info("reading the store again", store=self._url, prefix=self._prefix)
            except StoreUnavailable as error:
                self._note(error)
            if self._clock.monotonic() - begun > _STABLE:
                backoff.reset()
            await self._clock.sleep(backoff.next())

    def _note(self, error: StoreUnavailable | None) -> None:
        if error is not None and self.trouble is None:
            _log.warning("store is lost", store=self._url, error=error)
        elif error is None and self.trouble is not None:
            _log.info("store is back", store=self._url)
        self.trouble = None if error is None else str(error)
