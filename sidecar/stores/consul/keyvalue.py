"""Consul's keys as a KeyValue store."""

from collections.abc import AsyncIterator

from sidecar.catalog.kv import Entry, Listing
from sidecar.errors import StoreUnavailable
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from sidecar.stores.consul.client import Client
from sidecar.stores.consul.keys import Keys
from sidecar.stores.consul.pairs import entry_of

__all__ = ["ConsulKeyValue"]

_log = get_logger("consul")


class ConsulKeyValue:
    """A KeyValue on one agent; keys are whole, whatever prefix the URL has."""

    def __init__(self, client: Client, *, clock: Clock) -> None:
        """Ask by this client."""
        self._client = client
        self._clock = clock
        self._keys = Keys(client)

    async def get(self, key: str) -> Entry | None:
        """Return one entry, or None."""
        pair = await self._keys.get(key)
        return None if pair is None else entry_of(pair)

    async def list(self, prefix: str) -> Listing:
        """Return the entries whose keys begin with this text, sorted, and their index."""
        index, pairs = await self._keys.below(prefix)
        return Listing(index, tuple(map(entry_of, pairs)))

    async def put(self, key: str, value: bytes, *, flags: int = 0, cas: int | None = None) -> None:
        """Write a key; acknowledged when this returns. Raises StoreConflict, StoreUnavailable."""
        await self._keys.put(key, value, flags, cas)

    async def delete(self, key: str) -> None:
        """Remove a key, if it is there. Raises StoreUnavailable."""
        await self._keys.delete(key)

    async def watch(self, prefix: str, after: int = -1) -> AsyncIterator[Listing]:
        """Yield the present listing first, then newer ones, conflated.

        While the store is away nothing is yielded; it is asked again until it is back.
        """
        backoff = Backoff(0.1, 5.0)
        index, seen = 0, after
        is_away = False
        while True:
            try:
                index, pairs = await self._keys.below(prefix, index)
            except StoreUnavailable as error:
                if not is_away:
                    _log.warning("keys cannot be watched", store=self._client.url, reason=error)
                is_away = True
                index = 0
                await self._clock.sleep(backoff.next())
                continue
            is_away = False
            backoff.reset()
            if index and index != seen:
                seen = index
                yield Listing(index, tuple(map(entry_of, pairs)))

    async def close(self) -> None:
        """Close connections."""
        await self._client.close()
