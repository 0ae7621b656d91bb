"""Where the servers are learned from: a list, the catalogue."""

import asyncio
from collections.abc import Sequence

from ambassador.frame.dialing import Address
from ambassador.redis.hub import Hub
from sidecar.catalog.model import Snapshot
from sidecar.stores.base import Source

__all__ = ["Catalogued", "Listed"]


class Listed:
    """Servers that are given; ROLE finds out which is what."""

    def __init__(self, servers: Sequence[Address]) -> None:
        """Take the servers."""
        self._servers = servers

    async def follow(self, hub: Hub) -> None:
        """Tell them once."""
        hub.serve(self._servers)
        await asyncio.get_running_loop().create_future()


class Catalogued:
    """Instances of a service. Tags are hints that are not needed: ROLE decides."""

    def __init__(self, source: Source, service: str) -> None:
        """Follow a service of a catalogue."""
        self._source = source
        self._service = service

    async def follow(self, hub: Hub) -> None:
        """Tell every change, once the catalogue was read."""
        while not self._source.synced:
            await self._source.changed()
        known: tuple[frozenset[Address], frozenset[Address]] | None = None
        async for snapshot in self._source.watch():
            found = members(snapshot, self._service)
            if found != known:
                known = found
                hub.serve(*found)


def members(snapshot: Snapshot, service: str) -> tuple[frozenset[Address], frozenset[Address]]:
    """Return the servers of a service, and those of them that take nothing new."""
    instances = snapshot.services.get(service, ())
    everyone = frozenset(Address(one.address, one.port) for one in instances)
    serving = {Address(one.address, one.port) for one in instances if one.takes_new_work}
    return everyone, everyone - serving
