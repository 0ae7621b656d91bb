"""The lock in etcd v3: a key on a lease, made only where it is absent.

Its number is the key's create_revision. Each renewal reads the key too: somebody may have removed
it while the lease went on.
"""

from contextlib import aclosing
from math import ceil
from typing import Final

from sidecar.runtime.clock import Clock
from sidecar.scheduler.election.lock import KEY, Grip, Lost
from sidecar.stores.etcd import gateway_json as wire
from sidecar.stores.etcd.address import Address
from sidecar.stores.etcd.connection import Connection
from sidecar.stores.etcd.gateway import Gateway
from sidecar.stores.etcd.keyspace import Held, Outrun

__all__ = ["EtcdLock"]

_LEAST: Final = 2  # seconds; the server raises less to this


class EtcdLock:
    """A Lock by the v3 API."""

    def __init__(
        self, address: Address, name: str, *, ttl: float, clock: Clock, key: str = KEY
    ) -> None:
        """``name`` stands in the key while we hold it; ``ttl`` in seconds, whole ones."""
        self.url = address.url
        self._connection = Connection(address)
        self._gateway = Gateway(self._connection, address)
        self._name = name
        self._ttl = max(ceil(ttl), _LEAST)
        self._clock = clock
        self._key = key
        self._lease = 0
        self._epoch = 0

    async def take(self) -> Grip:
        """Return when the key is ours."""
        while True:
            reading = await self._gateway.read([self._key])
            if self._key in reading.entries:
                await self._gone(reading.revision)
                continue
            begun = self._clock.monotonic()
            self._lease, lasts = await self._gateway.grant(0, self._ttl)
            await self._gateway.txn(
                [wire.put(self._key, self._name.encode(), self._lease)],
                [wire.compared(self._key, "CREATE", 0)],
            )
            held = await self._gateway.get(self._key)
            if held is not None and held.lease == self._lease:
                self._epoch = held.created
                return Grip(held.created, begun, lasts)
            await self.release()

    async def _gone(self, revision: int) -> None:
        """Return when the key was removed after a revision, or that cannot be known."""
        try:
            async with aclosing(self._gateway.follow(self._key, revision)) as changes:
                async for events in changes:
                    if any(each.key == self._key and each.held is None for each in events):
                        return
        except Outrun:
            return

    async def renew(self) -> float:
        """Keep the lease alive and see that the key is on it."""
        lasts = await self._gateway.keep_alive(self._lease)
        if not lasts:
            raise Lost("the lease is gone")
        held: Held | None = await self._gateway.get(self._key)
        if held is None or (held.lease, held.created) != (self._lease, self._epoch):
            raise Lost("the key is not ours any more")
        return lasts

    async def release(self) -> None:
        """Revoke the lease, which removes the key."""
        lease, self._lease = self._lease, 0
        if lease:
            await self._gateway.revoke(lease)

    async def close(self) -> None:
        """Close connections."""
        await self._connection.close()
