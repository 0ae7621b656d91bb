"""A store in memory that obeys the Edge protocol, with faults to order."""

import asyncio
from collections.abc import Iterable, Mapping

from sidecar.catalog.model import Instance, Key
from sidecar.errors import StoreUnavailable
from sidecar.runtime.component import Component
from sidecar.runtime.signal import Signal
from sidecar.stores.base import Holder

__all__ = ["FakeEdge"]


class FakeEdge:
    """``held`` is what the store holds; ``marks`` says whose each entry is."""

    components: tuple[Component, ...] = ()

    def __init__(self, url: str = "fake://store") -> None:
        self.url = url
        self.held: dict[Key, Instance] = {}
        self.marks: dict[Key, str] = {}
        self.writes: list[dict[Key, Instance | None]] = []
        self.audits = 0
        self.is_down = False
        self.refusals: dict[str, str] = {}
        self.released: set[Key] = set()
        self.closed = False
        self._flows = asyncio.Event()
        self._flows.set()
        self._disturbed = Signal()

    @property
    def ids(self) -> list[str]:
        """Return the ids that the store holds."""
        return sorted(key.id for key in self.held)

    def freeze(self) -> None:
        """Answer no more, and take nothing."""
        self._flows.clear()

    def thaw(self) -> None:
        """Answer what was asked meanwhile, and go on."""
        self._flows.set()

    def wipe(self) -> None:
        """Lose everything and tell."""
        self.held.clear()
        self.marks.clear()
        self._disturbed.fire()

    async def ping(self) -> None:
        await self._answer()

    async def write(self, wanted: Mapping[Key, Instance | None]) -> Mapping[Key, str]:
        if wanted:
            self.writes.append(dict(wanted))
        await self._answer()
        refused: dict[Key, str] = {}
        for key, instance in wanted.items():
            if instance is None:
                self.held.pop(key, None)
                self.marks.pop(key, None)
            elif key.id in self.refusals:
                refused[key] = self.refusals[key.id]
            else:
                self.held[key] = instance
                self.marks[key] = instance.owner
        return refused

    async def audit(self, desired: Mapping[Key, Instance], holder: Holder) -> frozenset[Key]:
        self.audits += 1
        await self._answer()
        missing = {key for key, instance in desired.items() if self.held.get(key) != instance}
        ours = {key for key, owner in self.marks.items() if owner == holder.owner}
        return frozenset(missing | (ours - desired.keys()))

    def let_go(self, keys: Iterable[Key]) -> None:
        self.released |= set(keys)

    async def disturbed(self) -> None:
        await self._disturbed.wait()

    def trouble(self) -> str | None:
        return None

    async def close(self) -> None:
        self.closed = True

    async def _answer(self) -> None:
        await self._flows.wait()
        if self.is_down:
            raise StoreUnavailable("down")
