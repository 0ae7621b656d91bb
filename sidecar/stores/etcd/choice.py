"""Which of etcd's two APIs a store is asked by.

``etcd2://`` means v2. ``etcd://`` means v3, and v2 where the server answers nothing else.
``skydns2://`` means v2 where the server has it, as Registrator, else v3, which CoreDNS reads; and
so does ``etcd://`` for a registrar in Registrator's place, whose readers know v2 only.
"""

import asyncio
from typing import Final

from sidecar.errors import StoreUnavailable
from sidecar.stores.etcd.address import Address
from sidecar.stores.etcd.connection import Answer, Connection
from sidecar.stores.etcd.gateway import Gateway
from sidecar.stores.etcd.legacy import Legacy

__all__ = ["Choice"]

_V3: Final = "/v3/maintenance/status"
_V2: Final = "/v2/keys/"


class Choice:
    """The connection to one address, and the keyspace on it once it is known."""

    def __init__(self, address: Address, *, v2_first: bool = False) -> None:
        """Ask nothing yet."""
        self.address = address
        self._v2_first = v2_first or address.kind == "skydns2"
        self._connection = Connection(address)
        self._chosen: Gateway | Legacy | None = None
        self._choosing = asyncio.Lock()

    async def keyspace(self) -> Gateway | Legacy:
        """Return the keyspace; the server is asked once. Raises StoreUnavailable."""
        async with self._choosing:
            if self._chosen is None:
                self._chosen = await self._choose()
            return self._chosen

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()

    async def _choose(self) -> Gateway | Legacy:
        gateway = Gateway(self._connection, self.address)
        legacy = Legacy(self._connection, self.address)
        if self.address.kind == "etcd2":
            return legacy
        for keyspace in (legacy, gateway) if self._v2_first else (gateway, legacy):
            if await (self._has_v2() if keyspace is legacy else self._has_v3()):
                return keyspace
        raise StoreUnavailable(f"{self.address.url} answers neither etcd's v3 API nor its v2 API")

    async def _has_v3(self) -> bool:
        return self._has(await self._connection.call("POST", _V3, b"{}"))

    async def _has_v2(self) -> bool:
        return self._has(await self._connection.call("GET", _V2))

    def _has(self, answer: Answer) -> bool:
        if answer.status >= 500:
            raise StoreUnavailable(f"{self.address.url}: {answer.status}")
        return answer.status != 404 or answer.body.startswith(b"{")  # else: no such path at all
