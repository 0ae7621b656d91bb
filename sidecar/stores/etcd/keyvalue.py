"""etcd's keys as the templater and the scheduler use them; keys are taken as they are.

Flags and locks of Consul have no place in etcd: flags are dropped. The index of a listing is the
store's revision, which other keys move too.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from sidecar.catalog.kv import Entry, Listing
from sidecar.runtime.clock import Clock
from sidecar.stores.etcd.address import Address
from sidecar.stores.etcd.choice import Choice
from sidecar.stores.etcd.follower import Follower
from sidecar.stores.etcd.keyspace import Event, Held, Reading

__all__ = ["EtcdKeyValue"]


class EtcdKeyValue:
    """A KeyValue over v3 or v2."""

    def __init__(self, address: Address, *, clock: Clock) -> None:
        """Ask nothing yet."""
        self.url = address.url
        self._clock = clock
        self._choice = Choice(address)

    async def ping(self) -> None:
        """Return when the store answers. Raises StoreUnavailable or StoreDenied."""
        await (await self._choice.keyspace()).ping()

    async def get(self, key: str) -> Entry | None:
        """Return one entry, or None. Raises StoreUnavailable or StoreDenied."""
        held = await (await self._choice.keyspace()).get(key)
        return None if held is None else _entry(key, held)

    async def list(self, prefix: str) -> Listing:
        """Return the entries below a prefix, sorted. Raises StoreUnavailable or StoreDenied."""
        return _listing(await (await self._choice.keyspace()).read([prefix]))

    async def put(
        self,
        key: str,
        value: bytes,
        *,
        flags: int = 0,  # noqa: ARG002 - etcd has none
        cas: int | None = None,
    ) -> None:
        """Write a key. Raises StoreConflict, StoreUnavailable or StoreDenied."""
        await (await self._choice.keyspace()).put(key, value, cas)

    async def delete(self, key: str) -> None:
        """Remove a key, if it is there. Raises StoreUnavailable or StoreDenied."""
        await (await self._choice.keyspace()).delete(key)

    async def watch(self, prefix: str, after: int = -1) -> AsyncGenerator[Listing, None]:
        """Yield the present listing, unless its index is ``after``, then each newer one.

        While the store is away it waits. Raises StoreDenied.
        """
        entries: dict[str, Held] = {}
        follower = Follower(self._choice.keyspace, prefix, self.url, self._clock)
        async with aclosing(follower.follow()) as changes:
            async for changed in changes:
                if isinstance(changed, Reading):
                    entries = dict(changed.entries)
                    index = changed.revision
                else:
                    for event in changed:
                        _apply(event, entries)
                    index = changed[-1].revision
                if index != after:
                    after = index
                    yield _listing(Reading(index, dict(sorted(entries.items()))))

    async def close(self) -> None:
        """Close connections."""
        await self._choice.close()


def _apply(event: Event, entries: dict[str, Held]) -> None:
    if event.held is None:
        entries.pop(event.key, None)
    else:
        entries[event.key] = event.held


def _listing(reading: Reading) -> Listing:
    entries = (_entry(key, held) for key, held in reading.entries.items() if _is_text(key))
    return Listing(reading.revision, tuple(entries))


def _entry(key: str, held: Held) -> Entry:
    return Entry(key=key, value=held.value, create_index=held.created, modify_index=held.modified)


def _is_text(key: str) -> bool:
    """Say whether a key is text: etcd's may be any bytes."""
    return not any("\ud800" <= char <= "\udfff" for char in key)
