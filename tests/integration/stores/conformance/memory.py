"""The suite's own reference: a store in memory with the least edge and mirror that pass.

It shows what the suite asks for, and that the suite can run without any real part. Its store
keeps an owner beside each entry, which is its mark.
"""

import asyncio
import json
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from sidecar.catalog.changes import diff
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Instance, InstanceId, Key, Snapshot, key_of
from sidecar.errors import StoreUnavailable
from sidecar.runtime.component import Component
from sidecar.runtime.signal import Signal
from sidecar.stores.base import EdgeOptions, Holder
from tests.integration.stores.conformance.kit import entry

__all__ = ["MemoryBackend"]

_PATIENCE = 0.5


@dataclass
class _Row:
    text: str
    owner: str
    revision: int


@dataclass
class _Memory:
    """A table that can be down or frozen, as a server can."""

    rows: dict[str, _Row] = field(default_factory=dict)
    revision: int = 0
    is_up: bool = True
    is_thawed: asyncio.Event = field(default_factory=asyncio.Event)
    changed: Signal = field(default_factory=Signal)

    async def reach(self, host: str = "127.0.0.1") -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_PATIENCE):
                (*_, (address, *_)), *_ = await loop.getaddrinfo(host, 1)
                await self.is_thawed.wait()
        except OSError as error:  # a TimeoutError too
            raise StoreUnavailable("the store does not answer") from error
        if not self.is_up or address != "127.0.0.1":
            raise StoreUnavailable("the store is down")

    def put(self, key: str, text: str, owner: str = "") -> None:
        self.revision += 1
        self.rows[key] = _Row(text, owner, self.revision)
        self.changed.fire()

    def remove(self, key: str) -> None:
        if self.rows.pop(key, None) is not None:
            self.revision += 1
            self.changed.fire()


def _key(key: Key) -> str:
    return f"{key.service}/{key.id}"


def _text(instance: Instance) -> str | None:
    if instance.draining:
        return None
    body = {"a": instance.address, "p": instance.port, "t": list(instance.tags), "n": instance.node}
    return json.dumps(body)


class _Edge:
    def __init__(self, memory: _Memory, host: str) -> None:
        self._memory = memory
        self._host = host
        self._known: dict[Key, str | None] = {}
        self._seen = -1

    url = "memory:"
    components: tuple[Component, ...] = ()

    async def ping(self) -> None:
        await self._memory.reach(self._host)

    async def write(self, wanted: Mapping[Key, Instance | None]) -> Mapping[Key, str]:
        await self._memory.reach(self._host)
        refused: dict[Key, str] = {}
        for key, instance in wanted.items():
            if "refused" in key.id:
                refused[key] = "no such names here"
                continue
            text = None if instance is None else _text(instance)
            self._known[key] = text
            row = self._memory.rows.get(_key(key))
            if text is None:
                self._memory.remove(_key(key))
            elif instance is not None and (row is None or row.text != text):
                self._memory.put(_key(key), text, instance.owner)
        self._seen = self._memory.revision
        return refused

    async def audit(self, desired: Mapping[Key, Instance], holder: Holder) -> frozenset[Key]:
        await self._memory.reach(self._host)
        self._seen = self._memory.revision
        rows = self._memory.rows
        wrong = {
            key
            for key, each in desired.items()
            if (rows[_key(key)].text if _key(key) in rows else None) != _text(each)
        }
        there = {_key(key) for key in desired}
        for name, row in rows.items():
            if row.owner == holder.owner and name not in there:
                service, _, id_ = name.partition("/")
                wrong.add(Key(service, holder.node, InstanceId(id_)))
        return frozenset(wrong)

    def let_go(self, keys: Iterable[Key]) -> None:
        pass

    async def disturbed(self) -> None:
        while self._memory.revision == self._seen or not self._memory.is_up:
            await self._memory.changed.wait()

    def trouble(self) -> str | None:
        return None if self._memory.is_up else "the store is down"

    async def close(self) -> None:
        pass


class _Mirror:
    name = "memory mirror"

    def __init__(self, memory: _Memory, catalog: Catalog) -> None:
        self._memory = memory
        self._catalog = catalog

    def trouble(self) -> str | None:
        return None if self._memory.is_up else "the store is down"

    async def run(self, ready: Callable[[], None]) -> None:
        while True:
            if self._memory.is_up:
                target = Snapshot(services=_services(self._memory.rows))
                here = Snapshot(services=self._catalog.snapshot.services)
                self._catalog.commit(diff(here, target))
                self._catalog.mark_synced()
                ready()
            await self._memory.changed.wait()


def _services(rows: Mapping[str, _Row]) -> dict[str, tuple[Instance, ...]]:
    found: dict[str, list[Instance]] = {}
    for name, row in sorted(rows.items()):
        service, _, id_ = name.partition("/")
        try:
            body = json.loads(row.text)
            instance = Instance(
                id=InstanceId(id_),
                service=service,
                node=body["n"],
                address=body["a"],
                port=body["p"],
                tags=tuple(body["t"]),
            )
        except (ValueError, KeyError):
            continue
        found.setdefault(service, []).append(instance)
    return {name: tuple(sorted(all_, key=key_of)) for name, all_ in found.items()}


class MemoryBackend:
    """No process at all: a table and two switches."""

    carries = frozenset({"tags", "id", "node"})

    def __enter__(self) -> Self:
        """Prepare nothing."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing."""

    async def fresh(self) -> None:
        self._memory = _Memory()
        self._memory.is_thawed.set()

    async def start(self) -> None:
        self._memory.is_up = True
        self._memory.changed.fire()

    async def stop(self) -> None:
        self._memory.is_up = False
        self._memory.changed.fire()

    async def kill(self) -> None:
        await self.stop()

    async def wipe(self) -> None:
        await self.stop()
        self._memory.rows.clear()
        self._memory.revision += 1
        await self.start()

    async def freeze(self) -> None:
        self._memory.is_thawed.clear()

    async def thaw(self) -> None:
        self._memory.is_thawed.set()

    def edge(
        self, options: EdgeOptions | None = None, *, host: str = "127.0.0.1", secret: str = ""
    ) -> _Edge:
        return _Edge(self._memory, host)

    def mirror(self, catalog: Catalog) -> _Mirror:
        return _Mirror(self._memory, catalog)

    async def raw(self) -> Mapping[str, str]:
        return {name: row.text for name, row in self._memory.rows.items()}

    async def revision(self) -> Hashable:
        return self._memory.revision

    def expected(self, instances: Iterable[Instance]) -> Mapping[str, str]:
        texts = {_key(key_of(each)): _text(each) for each in instances}
        return {name: text for name, text in texts.items() if text is not None}

    async def put_foreign(self, instance: Instance) -> None:
        self._memory.put(_key(key_of(instance)), _text(instance) or "")

    async def spoil(self, instance: Instance) -> None:
        name = _key(key_of(instance))
        self._memory.put(name, "{}", self._memory.rows[name].owner)

    async def remove(self, instance: Instance) -> None:
        self._memory.remove(_key(key_of(instance)))

    async def put_garbage(self) -> bool:
        self._memory.put("web/garbage", "no JSON")
        self._memory.put("web/half", "{}")
        return True

    def refused(self) -> Instance | None:
        return entry("web", 21999, id=InstanceId("refused"))
