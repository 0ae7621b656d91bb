"""Keeps a Catalog equal to the entries that registrars keep as keys of Consul."""

from collections.abc import Callable, Iterable

from sidecar.catalog.changes import Change, Drop, Put
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Instance, Key, key_of
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from sidecar.stores.consul.adoption import node_of
from sidecar.stores.consul.client import Client
from sidecar.stores.consul.following import Followers
from sidecar.stores.consul.keys import Keys
from sidecar.stores.consul.pairs import Pair, parsed_key, parsed_value

__all__ = ["ConsulKeyMirror"]

_log = get_logger("consul")


class ConsulKeyMirror:
    """A Mirror of the keys below a prefix."""

    name = "consulkv mirror"

    def __init__(self, client: Client, catalog: Catalog, *, clock: Clock) -> None:
        """Fill this catalogue."""
        self._client = client
        self._catalog = catalog
        self._prefix = client.address.prefix
        self._keys = Keys(client)
        self._followers = Followers(clock, client.url)
        self._there: dict[Key, Instance] = {}
        self._unreadable: set[str] = set()

    def trouble(self) -> str | None:
        """Return what keeps the mirror from its store, or None."""
        return self._followers.trouble

    async def run(self, ready: Callable[[], None]) -> None:
        """Follow until cancelled; ready after the first read."""
        try:
            index = await self._followers.once("keys", self._read)
            self._catalog.mark_synced()
            ready()
            await self._followers.follow("keys", self._read, index)
        finally:
            await self._client.close()

    async def _read(self, index: int) -> int:
        after, pairs = await self._keys.below(f"{self._prefix}/", index)
        self._take(pairs)
        return after

    def _take(self, pairs: Iterable[Pair]) -> None:
        found: dict[Key, Instance] = {}
        for pair in pairs:
            instance = _instance(self._prefix, pair)
            if instance is not None:
                found[key_of(instance)] = instance
            elif pair.key not in self._unreadable:
                self._unreadable.add(pair.key)
                _log.warning("a key is no entry", key=pair.key)
        changes: list[Change] = [
            Drop(key.service, key.id, key.node) for key in self._there.keys() - found.keys()
        ]
        changes += (Put(each) for key, each in found.items() if self._there.get(key) != each)
        self._there = found
        if changes:
            self._catalog.commit(changes)


def _instance(prefix: str, pair: Pair) -> Instance | None:
    place, value = parsed_key(prefix, pair.key), parsed_value(pair.data)
    if place is None or value is None:
        return None
    address, port = value
    node = node_of(place.id) or address
    return Instance(id=place.id, service=place.service, node=node, address=address, port=port)
