"""All hosts' entries in etcd -> this process's Catalog."""

from collections.abc import Callable
from contextlib import aclosing
from typing import Final

from sidecar.catalog.live import Catalog
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from sidecar.stores.etcd.address import Address
from sidecar.stores.etcd.choice import Choice
from sidecar.stores.etcd.entries import layout_of
from sidecar.stores.etcd.follower import Follower
from sidecar.stores.etcd.image import Image
from sidecar.stores.etcd.keyspace import Reading

__all__ = ["EtcdMirror"]

_TOLD: Final = 1_000
_log = get_logger("etcd")


class EtcdMirror:
    """Follows the entries below one path; see ``Mirror``."""

    def __init__(self, address: Address, catalog: Catalog, *, clock: Clock) -> None:
        """Fill this catalogue; nothing is asked yet."""
        self.name = f"mirror {address.url}"
        self._catalog = catalog
        self._url = address.url
        self._choice = Choice(address)
        layout = layout_of(address)
        self._image = Image(layout, self._tell)
        self._follower = Follower(self._choice.keyspace, layout.root, address.url, clock)
        self._told: set[str] = set()

    def trouble(self) -> str | None:
        """Return what keeps the mirror from its store, or None."""
        return self._follower.trouble

    async def run(self, ready: Callable[[], None]) -> None:
        """Follow the store for ever; ready after the first full read. Raises StoreDenied."""
        try:
            async with aclosing(self._follower.follow()) as changes:
                async for changed in changes:
                    if isinstance(changed, Reading):
                        self._catalog.commit(self._image.replaced(changed.entries))
                        self._catalog.mark_synced()
                        ready()
                    elif found := self._image.changed(changed):
                        self._catalog.commit(found)
        finally:
            await self._choice.close()

    def _tell(self, key: str, reason: str) -> None:
        if key not in self._told and len(self._told) < _TOLD:
            self._told.add(key)
            _log.warning("entry cannot be read", store=self._url, key=key, reason=reason)
