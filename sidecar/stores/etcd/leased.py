"""Entries over the v3 API: one lease for all, transactions that write only what differs.

The lease's id follows from owner, place and TTL, so a registrar that starts again goes on with the
lease of its predecessor and has nothing to write. What is let go gets a lease of its own that
nobody keeps alive.
"""

import asyncio
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from sidecar.errors import StoreUnavailable
from sidecar.runtime.log import get_logger
from sidecar.stores.etcd import gateway_json as wire
from sidecar.stores.etcd.gateway import Gateway, LeaseGone
from sidecar.stores.etcd.keyspace import Held, Refused
from sidecar.stores.etcd.ledger import Want

__all__ = ["Leased", "lease_id"]

# etcd takes 128 operations in a transaction, the nested ones of one member included; each entry
# needs two members of two
_BATCH: Final = 32
_log = get_logger("etcd")


def lease_id(owner: str, root: str, ttl: int) -> int:
    """Return the id of the lease of an owner's entries at one place: positive, 63 bits."""
    digest = sha256("\0".join((owner, root, str(ttl))).encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") >> 1 or 1


class Leased:
    """Keeps entries alive by a lease; for ever when there is no TTL."""

    def __init__(self, gateway: Gateway, lease: int, ttl: int) -> None:
        """Use the lease of this id; 0: none."""
        self._gateway = gateway
        self._lease = lease
        self._ttl = ttl
        self._is_granted = False
        self._granting = asyncio.Lock()

    def keeps(self, held: Held) -> bool:
        """Say whether an entry hangs on our lease."""
        return held.lease == self._lease

    async def adopt(self) -> None:
        """Go on with the lease of the predecessor, if it has not ended."""
        if self._lease and not self._is_granted:
            self._is_granted = bool(await self._gateway.keep_alive(self._lease))

    async def settle(self, wants: Sequence[Want]) -> Mapping[str, str]:
        """Make entries what is wanted; return why some are refused, by key."""
        for _ in range(2):
            await self._grant()
            try:
                return await self._settle(wants)
            except LeaseGone:
                self._is_granted = False
        raise StoreUnavailable(f"{self._gateway.url} gives no lease that lasts")

    async def refresh(self, wants: Sequence[Want]) -> None:
        """Keep the lease alive; when it was lost, write all again at once."""
        if self._is_granted and await self._gateway.keep_alive(self._lease):
            return
        if not wants:
            self._is_granted = False
            return
        if self._is_granted:
            self._is_granted = False
            _log.warning("lease was lost", store=self._gateway.url, entries=len(wants))
        await self.settle(wants)

    async def let_go(self, wants: Sequence[Want]) -> None:
        """Move entries to a lease that ends."""
        if not self._lease or not wants:
            return
        lease, _ = await self._gateway.grant(0, self._ttl)
        for batch in _batches(wants):
            success = [operation for want in batch for operation in self._moved(want, lease)]
            await self._gateway.txn(success)

    async def _grant(self) -> None:
        if not self._lease:
            return
        async with self._granting:
            if not self._is_granted:
                await self._gateway.grant(self._lease, self._ttl)
                self._is_granted = True

    async def _settle(self, wants: Sequence[Want]) -> Mapping[str, str]:
        refused: dict[str, str] = {}
        for batch in _batches(wants):
            try:
                await self._commit(batch)
            except Refused as error:
                if len(batch) == 1:
                    refused[batch[0].key] = str(error)
                else:
                    for want in batch:
                        refused |= await self._settle([want])
        return refused

    async def _commit(self, batch: Sequence[Want]) -> None:
        await self._gateway.txn([op for want in batch for op in self._operations(want)])

    def _operations(self, want: Want) -> list[dict[str, Any]]:
        if want.value is not None:
            pairs = [(want.key, want.value), (want.mark_key, want.mark)]
            return [self._put(key, value) for key, value in pairs if value]
        if not want.mark:
            return [wire.deletion(want.key)]
        unmarked = wire.compared(want.mark_key, "VERSION", 0)
        ours = wire.compared(want.mark_key, "VALUE", want.mark)
        return [
            wire.nested([unmarked], [wire.deletion(want.key)]),
            wire.nested([ours], [wire.deletion(want.key), wire.deletion(want.mark_key)]),
        ]

    def _put(self, key: str, value: bytes) -> dict[str, Any]:
        return wire.nested(
            _stands(key, value, self._lease), [], [wire.put(key, value, self._lease)]
        )

    def _moved(self, want: Want, lease: int) -> list[dict[str, Any]]:
        pairs = [(want.key, want.value), (want.mark_key, want.mark)]
        return [
            wire.nested(_stands(key, value, self._lease), [wire.put(key, value, lease)])
            for key, value in pairs
            if value
        ]


def _stands(key: str, value: bytes, lease: int) -> list[dict[str, Any]]:
    return [wire.compared(key, "VALUE", value), wire.compared(key, "LEASE", lease)]


def _batches(wants: Sequence[Want]) -> list[Sequence[Want]]:
    return [wants[at : at + _BATCH] for at in range(0, len(wants), _BATCH)]
