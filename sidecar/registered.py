"""Nodes that register themselves (``pinnace agent --endpoint``): what their keys say.

A node is known while its key is written. It is not forgotten as soon as that ends, as that may be
what a lost host does, and losing hosts is the scheduler's business; but after so long that nobody
waits for it.
"""

from typing import Final, NamedTuple

from sidecar.catalog.kv import Entry, Listing
from sidecar.errors import ConfigError, StoreDenied, StoreUnavailable
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from sidecar.scheduler.fencing import FOLDER, record_of
from sidecar.scheduler.nodes.node import NodeSettings
from sidecar.scheduler.nodes.settings import registered
from sidecar.stores.base import KeyValue

__all__ = ["Registered"]

_log = get_logger("nodes")
_FORGET: Final = 600.0


class _Told(NamedTuple):
    """What a key said, in which version, and since when."""

    value: bytes
    version: int
    at: float


class Registered:
    """Follows the keys."""

    def __init__(self, keys: KeyValue, clock: Clock) -> None:
        """Know of none until ``run`` has heard."""
        self.is_heard = False
        self._keys = keys
        self._clock = clock
        self._told: dict[str, _Told] = {}
        self._bad: dict[str, bytes] = {}

    async def run(self) -> None:
        """Hear until cancelled."""
        backoff = Backoff(0.1, 5.0)
        while True:
            try:
                async for listing in self._keys.watch(FOLDER):
                    self._take(listing)
                    backoff.reset()
            except (StoreUnavailable, StoreDenied) as error:
                _log.warning("registered nodes cannot be read", reason=error)
            await self._clock.sleep(backoff.next())

    def _take(self, listing: Listing) -> None:
        now = self._clock.monotonic()

        def told(entry: Entry) -> _Told:
            known = self._told.get(entry.key)
            if known is not None and known.version == entry.modify_index:
                return known
            return _Told(entry.value, entry.modify_index, now)

        self._told = {entry.key: told(entry) for entry in listing.entries}
        self.is_heard = True

    def nodes(self) -> list[NodeSettings]:
        """Return those that are known; what cannot be one is told once."""
        found, now = [], self._clock.monotonic()
        for key, told in self._told.items():
            about = record_of(told.value).node
            if not about or now - told.at > _FORGET:
                continue
            name = key.removeprefix(FOLDER)
            try:
                found.append(registered({**about, "name": name}, key))
            except ConfigError as error:
                if self._bad.get(key) != told.value:
                    _log.error("a registered node is not taken", reason=error)
                self._bad[key] = told.value
        return found
