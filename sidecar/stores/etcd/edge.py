"""A registrar's entries in etcd, over v3 or v2, as Registrator's etcd and skydns2 write them."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Final

from sidecar.catalog.model import Instance, Key
from sidecar.errors import StoreDenied, StoreUnavailable
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import Clock
from sidecar.runtime.component import Component
from sidecar.stores.base import EdgeOptions, Holder
from sidecar.stores.etcd.address import Address
from sidecar.stores.etcd.choice import Choice
from sidecar.stores.etcd.entries import MARKS, Unreadable, layout_of, mark_of
from sidecar.stores.etcd.follower import Follower
from sidecar.stores.etcd.gateway import Gateway
from sidecar.stores.etcd.keeping import Keeping
from sidecar.stores.etcd.keyspace import Reading
from sidecar.stores.etcd.leased import Leased, lease_id
from sidecar.stores.etcd.ledger import Ledger, Want
from sidecar.stores.etcd.legacy import Legacy
from sidecar.stores.etcd.repeated import Repeated

__all__ = ["EtcdEdge"]

_PART: Final = 3  # a TTL is started again after this part of it


class EtcdEdge:
    """One host's entries below one path."""

    def __init__(self, address: Address, options: EdgeOptions, *, clock: Clock) -> None:
        """Keep entries as the options say; nothing is asked yet."""
        self.url = address.url
        self._options = options
        self._ttl = math.ceil(options.ttl)
        self._clock = clock
        self._choice = Choice(address, v2_first=options.v2_first)
        self._layout = layout_of(address, is_original=options.is_original)
        self._ledger = Ledger(self._layout)
        self._follower = Follower(self._choice.keyspace, self._layout.root, self.url, clock)
        self._owner = ""
        self._keeping: Keeping | None = None
        self._keeping_for = ""
        self._trouble: str | None = None
        self._disturbed = asyncio.Event()
        self._writing = asyncio.Lock()  # or a refresh could bring back what is being removed
        self._leaving: dict[str, Want] = {}
        self._left = asyncio.Event()

    @property
    def components(self) -> tuple[Component, ...]:
        """The watch and, with a TTL, what starts it again and what lets it end."""
        watch = _Part(f"watch {self.url}", self._watch)
        if not self._ttl:
            return (watch,)
        refresh = _Part(f"refresh {self.url}", self._refresh)
        return (watch, refresh, _Part(f"leave {self.url}", self._leave))

    async def ping(self) -> None:
        """Return when the store answers. Raises StoreUnavailable or StoreDenied."""
        async with self._noted() as keyspace:
            await keyspace.ping()

    async def write(self, wanted: Mapping[Key, Instance | None]) -> Mapping[Key, str]:
        """Make each of these entries what is wanted, None: absent; see ``Edge.write``."""
        self._owner = next((i.owner for i in wanted.values() if i and i.owner), self._owner)
        wants, refused = self._wants(wanted)
        async with self._writing, self._noted() as keyspace:
            self._ledger.note(wants.values())
            reasons = await self._kept_by(keyspace).settle(tuple(wants.values()))
        self._ledger.forget(reasons)
        return refused | {wants[key].entry: why for key, why in reasons.items()}

    async def audit(self, desired: Mapping[Key, Instance], holder: Holder) -> frozenset[Key]:
        """Return under which keys the store does not hold what is desired; see ``Edge.audit``."""
        self._owner = holder.owner
        wants, refused = self._wants(desired)
        root = self._layout.root
        prefixes = [root, MARKS + root] if self._options.is_marked else [root]
        async with self._noted() as keyspace:
            keeping = self._kept_by(keyspace)
            await keeping.adopt()
            reading = await keyspace.read(prefixes)
        return self._ledger.audit(wants, reading, holder, keeping.keeps) | refused.keys()

    def let_go(self, keys: Iterable[Key]) -> None:
        """Refresh these no more."""
        wants, _ = self._wants(dict.fromkeys(keys))
        self._leaving |= {want.key: want for want in self._ledger.let_go(wants)}
        self._left.set()

    async def disturbed(self) -> None:
        """Return when entries may be gone or changed by another hand."""
        await self._disturbed.wait()
        self._disturbed.clear()

    def trouble(self) -> str | None:
        """Return what keeps the edge from its store, or None."""
        return self._trouble or self._follower.trouble

    async def close(self) -> None:
        """Close connections; entries stay."""
        await self._choice.close()

    # --- parts -----------------------------------------------------------------------------

    async def _watch(self) -> None:
        async with aclosing(self._follower.follow()) as changes:
            async for changed in changes:
                if isinstance(changed, Reading):
                    self._trouble = None
                keeping = self._kept_by(await self._choice.keyspace())
                if self._ledger.disturbs(changed, keeping.keeps):
                    self._disturbed.set()

    async def _refresh(self) -> None:
        period = self._ttl / _PART
        told = self._options.refresh
        backoff = Backoff(0.1, period)
        delay = period
        while True:
            await self._clock.sleep(delay)
            try:
                async with self._writing, self._noted() as keyspace:
                    await self._kept_by(keyspace).refresh(self._ledger.kept)
            except StoreUnavailable:
                delay = backoff.next()
            else:
                backoff.reset()
                delay = told if told and isinstance(keyspace, Legacy) else period

    async def _leave(self) -> None:
        backoff = Backoff(0.1, 5.0)
        while True:
            await self._left.wait()
            self._left.clear()
            leaving, self._leaving = self._leaving, {}
            try:
                async with self._writing, self._noted() as keyspace:
                    again = {want.key for want in self._ledger.kept}
                    gone = [want for key, want in leaving.items() if key not in again]
                    await self._kept_by(keyspace).let_go(gone)
                backoff.reset()
            except StoreUnavailable:
                self._leaving = leaving | self._leaving
                self._left.set()
                await self._clock.sleep(backoff.next())

    # --- inside ----------------------------------------------------------------------------

    def _wants(
        self, wanted: Mapping[Key, Instance | None]
    ) -> tuple[dict[str, Want], dict[Key, str]]:
        """Return what should stand, by the store's keys, and what cannot, by ours.

        Keys of two nodes are one in the store; what should stand there wins over nothing.
        """
        wants: dict[str, Want] = {}
        refused: dict[Key, str] = {}
        for entry, instance in wanted.items():
            try:
                key = self._layout.key(entry)
            except Unreadable as error:
                if instance is not None:
                    refused[entry] = str(error)
                continue
            is_there = instance is not None and not instance.draining
            value = self._layout.value(instance) if instance is not None and is_there else None
            if value is not None or key not in wants:
                wants[key] = Want(entry, key, value, self._mark(entry, key, instance))
        return wants, refused

    def _mark(self, entry: Key, key: str, instance: Instance | None) -> bytes:
        """Return whose an entry is: what it was written under, when it goes."""
        if not self._options.is_marked:
            return b""
        if instance is None and (mark := self._ledger.mark(key)):
            return mark
        owner = (instance.owner if instance is not None else "") or self._owner
        return mark_of(entry, owner) if owner else b""

    def _kept_by(self, keyspace: Gateway | Legacy) -> Keeping:
        """Return how entries are kept; another owner has another lease."""
        if self._keeping is None or self._keeping_for != self._owner:
            root, ttl = self._layout.root, self._ttl
            if isinstance(keyspace, Legacy):
                self._keeping = Repeated(keyspace, root, ttl)
            else:
                lease = lease_id(self._owner, root, ttl) if ttl else 0
                self._keeping = Leased(keyspace, lease, ttl)
            self._keeping_for = self._owner
        return self._keeping

    @asynccontextmanager
    async def _noted(self) -> AsyncIterator[Gateway | Legacy]:
        """Yield the keyspace; remember how it went."""
        try:
            yield await self._choice.keyspace()
        except (StoreUnavailable, StoreDenied) as error:
            self._trouble = str(error)
            raise
        self._trouble = None


class _Part:
    """A component that only works."""

    def __init__(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do this work."""
        self.name = name
        self._work = work

    async def run(self, ready: Callable[[], None]) -> None:
        """Be ready at once: what keeps the store away is told by the edge."""
        ready()
        await self._work()
