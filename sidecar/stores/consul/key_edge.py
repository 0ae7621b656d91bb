"""Keys of Consul as a registrar's entries: ``<prefix>/<name>/<id>`` holds ``address:port``.

A key says only that an instance is there, so one that drains has none.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping

from sidecar.catalog.model import Instance, Key
from sidecar.runtime.clock import Clock
from sidecar.runtime.component import Component
from sidecar.stores.base import EdgeOptions, Holder
from sidecar.stores.consul.adoption import is_adopted
from sidecar.stores.consul.client import Client, side_by_side
from sidecar.stores.consul.keeper import Keeper
from sidecar.stores.consul.keys import Keys
from sidecar.stores.consul.marks import Marks
from sidecar.stores.consul.pairs import key_of_place, parsed_key, unfit, value_of
from sidecar.stores.consul.progress import Progress
from sidecar.stores.consul.watch import Disturbance, Watch

__all__ = ["ConsulKeyEdge"]


class ConsulKeyEdge:
    """An Edge on keys below a prefix."""

    def __init__(self, client: Client, options: EdgeOptions, *, clock: Clock) -> None:
        """Entries have no TTL: Registrator's have none here."""
        self._client = client
        self._prefix = client.address.prefix
        self._keys = Keys(client)
        self._marks = Marks(client, is_on=options.is_marked)
        self._held: dict[str, bytes | None] = {}  # None: away because it drains
        self._doubted: set[str] = set()
        self._progress = Progress()
        self._disturbance = Disturbance()
        below = _Below(self._keys, f"{self._prefix}/", self._off)
        watch = Watch(below, self._doubt, self._disturbance.tell, clock, client.url)
        self._keeper = Keeper(client.url, watch, None, self._marks, clock)

    @property
    def url(self) -> str:
        """The agent's address and the prefix, without secrets."""
        return self._client.url

    @property
    def components(self) -> tuple[Component, ...]:
        """What notices disturbances and writes marks."""
        return (self._keeper,)

    async def ping(self) -> None:
        """Return when the agent knows a leader. Raises StoreUnavailable or StoreDenied."""
        await self._client.ping()

    async def write(self, wanted: Mapping[Key, Instance | None]) -> Mapping[Key, str]:
        """Make each of these entries what is wanted, None: absent.

        Returns why an entry cannot be written, by key. Raises StoreUnavailable or StoreDenied.
        """
        refused: dict[Key, str] = {}
        values: dict[str, bytes | None] = {}
        gone: set[str] = set()
        for key, instance in wanted.items():
            if reason := unfit(key.service, key.id):
                refused[key] = reason
            else:
                values[self._path(key)] = _value(instance)
                if instance is None:
                    gone.add(self._path(key))
        owner = next((i.owner for i in wanted.values() if i is not None and i.owner), "")
        self._marks.belong_to(owner)
        self._marks.add(path for path, value in values.items() if value is not None)
        await self._marks.flush()

        async def act(path: str) -> None:
            value = values[path]
            is_sure = path not in self._doubted and path not in gone
            if is_sure and path in self._held and self._held[path] == value:
                return
            self._held.pop(path, None)  # until it is acknowledged
            if value is None:
                await self._keys.delete(path)
            else:
                await self._keys.put(path, value)
            if path not in gone:
                self._held[path] = value
            self._doubted.discard(path)

        with self._progress.on(values):
            await side_by_side(values, act)
        self._marks.remove(path for path, value in values.items() if value is None)
        self._keeper.wake()
        return refused

    async def audit(self, desired: Mapping[Key, Instance], holder: Holder) -> frozenset[Key]:
        """Return under which keys the store does not hold what is desired. Writes nothing.

        Raises StoreUnavailable or StoreDenied.
        """
        began = self._progress.now()
        self._marks.belong_to(holder.owner)
        await self._marks.load()
        _, pairs = await self._keys.below(f"{self._prefix}/")
        self._progress.forget(began)
        there = {pair.key: pair.data for pair in pairs}
        wanted = {
            self._path(key): (key, _value(each))
            for key, each in desired.items()
            if not unfit(key.service, key.id)
        }
        wrong: set[Key] = set()
        for path, (key, value) in wanted.items():
            if self._progress.is_settled(path, began):
                if there.get(path) != value:
                    wrong.add(key)
                    self._doubted.add(path)
                else:
                    self._held[path] = value
                    self._doubted.discard(path)
        self._marks.add(path for path, (_, value) in wanted.items() if value and path in there)
        self._keeper.wake()
        for path in await self._own(there.keys() - wanted.keys(), holder):
            place = parsed_key(self._prefix, path)
            if place is not None and self._progress.is_settled(path, began):
                wrong.add(Key(place.service, holder.node, place.id))
        return frozenset(wrong)

    def let_go(self, keys: Iterable[Key]) -> None:
        """Do nothing: keys stay for ever, and nothing refreshes them."""

    async def disturbed(self) -> None:
        """Return when entries may be gone or changed by another hand."""
        await self._disturbance.wait()

    def trouble(self) -> str | None:
        """Return what keeps the edge from its store, or None."""
        return self._keeper.trouble()

    async def close(self) -> None:
        """Close connections; entries stay."""
        await self._client.close()

    def _doubt(self) -> None:
        """Believe nothing that was written any more: the store may be another."""
        self._doubted |= self._held.keys()
        self._disturbance.tell()

    def _path(self, key: Key) -> str:
        return key_of_place(self._prefix, key.service, key.id)

    async def _off(self) -> bool:
        began = self._progress.now()
        _, pairs = await self._keys.below(f"{self._prefix}/")
        there = {pair.key: pair.data for pair in pairs}
        off = {
            path
            for path, value in self._held.items()
            if self._progress.is_settled(path, began) and there.get(path) != value
        }
        self._doubted |= off
        return bool(off)

    async def _own(self, surplus: Iterable[str], holder: Holder) -> Iterable[str]:
        """Return which of these keys are the holder's."""
        marked = {*self._marks.ids, *self._held}
        adopted = {
            path
            for path in surplus
            if path not in marked
            and (place := parsed_key(self._prefix, path)) is not None
            and is_adopted(place.id, holder.node)
        }
        others = await self._marks.others() if adopted else {}
        return [p for p in surplus if p in marked or (p in adopted and p not in others)]


class _Below:
    """What ``watch.Watch`` watches: the keys below the prefix."""

    def __init__(self, keys: Keys, prefix: str, is_off: Callable[[], Awaitable[bool]]) -> None:
        self._keys = keys
        self._prefix = prefix
        self._is_off = is_off

    async def begin(self) -> None:
        """Need nothing."""

    async def wait(self, index: int) -> int:
        """Return the new index when a key below the prefix changed."""
        return (await self._keys.below(self._prefix, index))[0]

    async def is_off(self) -> bool:
        """Look whether keys are missing or changed; what we write ourselves is not."""
        return await self._is_off()


def _value(instance: Instance | None) -> bytes | None:
    return None if instance is None or instance.draining else value_of(instance)
