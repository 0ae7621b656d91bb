"""Servers that a catalogue knows as instances of a service."""

from ambassador.frame.address import Address
from ambassador.frame.members import Target
from sidecar.catalog.model import Snapshot
from sidecar.stores.base import Source

__all__ = ["Catalogued", "members"]


class Catalogued:
    """Instances of a service of a catalogue."""

    def __init__(self, source: Source, service: str) -> None:
        """Follow a service of a catalogue."""
        self._source = source
        self._service = service

    async def follow(self, target: Target) -> None:
        """Tell every change, once the catalogue was read."""
        while not self._source.synced:
            await self._source.changed()
        known: tuple[frozenset[Address], frozenset[Address]] | None = None
        async for snapshot in self._source.watch():
            found = members(snapshot, self._service)
            if found != known:
                known = found
                target.serve(*found)


def members(snapshot: Snapshot, service: str) -> tuple[frozenset[Address], frozenset[Address]]:
    """Return the servers of a service, and those of them that take nothing new."""
    instances = snapshot.services.get(service, ())
    everyone = frozenset(Address(one.address, one.port) for one in instances)
    serving = {Address(one.address, one.port) for one in instances if one.takes_new_work}
    return everyone, everyone - serving
