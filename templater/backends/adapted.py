"""Our own key-value clients (Consul, etcd, ZooKeeper) as backends."""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence

from sidecar.catalog.kv import Entry
from sidecar.errors import StoreUnavailable
from sidecar.stores.base import KeyValue
from templater.backends.base import Values, text_of

__all__ = ["Adapted", "leaves_below", "path_below", "text_below"]

Select = Callable[[str, Iterable[Entry]], Iterable[Entry]]
"""From the key asked for, without its slash, and entries that begin with it, to what counts."""


def text_below(_key: str, entries: Iterable[Entry]) -> Iterable[Entry]:
    """Take all: Consul's recursive list is by text, so ``app`` also finds ``apple``."""
    return entries


def path_below(key: str, entries: Iterable[Entry]) -> Iterable[Entry]:
    """Take the key itself and what is below it (etcd)."""
    below = f"{key}/" if key else ""
    return [
        entry
        for entry in entries
        if (name := entry.key.lstrip("/")) == key or name.startswith(below)
    ]


def leaves_below(key: str, entries: Iterable[Entry]) -> Iterable[Entry]:
    """Take only what has nothing below it (ZooKeeper)."""
    found = list(path_below(key, entries))
    parents = {entry.key.rpartition("/")[0] for entry in found}
    return [entry for entry in found if entry.key not in parents]


class Adapted:
    """A KeyValue client as a backend; ``slash`` is put before keys that the store keeps so."""

    def __init__(
        self,
        store: KeyValue,
        address: str,
        *,
        select: Select = text_below,
        slash: str = "",
        needs_keys: bool = False,
    ) -> None:
        """With ``needs_keys`` a key that stands for nothing is an error, as in confd."""
        self._store = store
        self.address = address
        self._select = select
        self._slash = slash
        self._needs_keys = needs_keys

    async def read(self, keys: Sequence[str]) -> Values:
        """Return what the keys stand for."""
        found: dict[str, str] = {}
        for key in dict.fromkeys(keys):
            listing = await self._store.list(self._prefix(key))
            found.update(self._values(key, listing.entries))
        return found

    async def watch(self, key: str) -> AsyncGenerator[Values]:
        """Yield the present state, then newer ones."""
        async for listing in self._store.watch(self._prefix(key)):
            yield self._values(key, listing.entries)

    async def probe(self) -> None:
        """Return when the store answers: its watches wait silently while it is away."""
        await self._store.get("pinnace-probe")

    async def close(self) -> None:
        """Close the client, when it can be."""
        closing = getattr(self._store, "close", None)
        if closing is not None:
            await closing()

    def _prefix(self, key: str) -> str:
        return self._slash + key.strip("/")

    def _values(self, key: str, entries: Iterable[Entry]) -> dict[str, str]:
        found = {
            "/" + entry.key.lstrip("/"): text_of(entry.value)
            for entry in self._select(key.strip("/"), entries)
        }
        if not found and self._needs_keys:
            raise StoreUnavailable(f"{self.address} has no {key}")
        return found
