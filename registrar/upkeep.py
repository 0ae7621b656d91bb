"""Keeps one store equal to the holdings, at its own pace: a slow or dead store holds no other.

Theory. There is one queue per store: a set of keys, never of values. When it is time, what each
key should hold *then* is written, so an outage queues wanted state and not history. Writing and
auditing take turns in one task, so an audit never sees half of a write. An audit is due after
each complete look at the engine, when the edge was disturbed, and after an outage; it reads, and
puts what differs on the queue. So nothing is written when nothing differs.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, Protocol, runtime_checkable

from registrar.holdings import Holdings
from registrar.sweep import Sweep
from sidecar.catalog.model import Instance, Key
from sidecar.errors import StoreDenied, StoreUnavailable
from sidecar.metrics import counter, gauge
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from sidecar.stores.base import Edge, Holder

__all__ = ["Completing", "Upkeep"]

_errors = counter(
    "pinnace_registrar_store_errors_total", "Calls that a store refused or left open", ["store"]
)
_queue = gauge("pinnace_registrar_store_queue", "Entries that wait to be written", ["store"])
_lag = gauge("pinnace_registrar_store_lag_seconds", "How long the oldest of them waits", ["store"])
_up = gauge("pinnace_registrar_store_up", "1 while a store answers", ["store"])
_audited = gauge(
    "pinnace_registrar_store_audit_timestamp_seconds", "When a store was last compared", ["store"]
)
_writes = counter("pinnace_registrar_store_writes_total", "Entries written", ["store"])
_log = get_logger("registrar")

_FIRST: Final = 0.1
_CAP: Final = 30.0


@runtime_checkable
class Completing(Protocol):
    """An edge that wants to know when what is absent may be called absent."""

    def complete(self) -> None:
        """Hear that all that runs is written."""


class Upkeep:
    """Writes what changed, audits the rest, and tries again."""

    def __init__(
        self,
        edge: Edge,
        holdings: Holdings,
        sweep: Sweep,
        clock: Clock,
        *,
        adopts: bool = False,
        look_again: Callable[[], None] = lambda: None,
        backoff: Backoff | None = None,
    ) -> None:
        """``adopts``: what nobody marked is ours when its id says so (``-cleanup``).

        ``look_again`` asks for another look at the engine, for leftovers wait for it.
        """
        self.edge = edge
        self._holdings = holdings
        self._sweep = sweep
        self._clock = clock
        self._adopts = adopts
        self._look_again = look_again
        self._backoff = backoff if backoff is not None else Backoff(_FIRST, _CAP)
        self._keys: dict[Key, float] = {}
        self._refused: dict[Key, Instance] = {}
        self._is_new = True
        self._is_due = False
        self._look = 0
        self._is_looked = False
        self._work = asyncio.Event()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._error: str | None = None
        self._since: float | None = None
        _queue.labels(edge.url).set_function(lambda: len(self._keys))
        _lag.labels(edge.url).set_function(self._waited)
        _up.labels(edge.url).set(1)

    def trouble(self) -> str | None:
        """Return what keeps the store from being right, or None."""
        return self._error or self.edge.trouble()

    def outage(self) -> float:
        """Return for how many seconds the store has not answered."""
        return 0.0 if self._since is None else self._clock.monotonic() - self._since

    def write(self, keys: Iterable[Key]) -> None:
        """Make these entries what they should be, soon."""
        now = self._clock.monotonic()
        for key in keys:
            self._keys.setdefault(key, now)
        self._begin()

    def let_go(self, keys: Iterable[Key]) -> None:
        """Leave these as they stand, and refresh them no more."""
        keys = frozenset(keys)
        for key in keys:
            self._keys.pop(key, None)
        if keys:
            self.edge.let_go(keys)

    def looked(self, look: int, *, is_complete: bool) -> None:
        """Take a look at the engine as the reason for an audit; ``look`` numbers complete ones."""
        self._look = look
        if not is_complete:
            self.distrust()
        self._is_looked = self._is_due = True
        self._begin()

    def distrust(self) -> None:
        """Hear that a look failed: leftovers wait for two others."""
        self._look = 0
        self._sweep.start_over()

    async def settled(self) -> None:
        """Return when the store has all, or is known to be in trouble."""
        await self._idle.wait()

    async def run(self) -> None:
        """Work until cancelled."""
        self._begin()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch(), name=f"registrar watch {self.edge.url}")
            while True:
                await self._work.wait()
                self._work.clear()
                try:
                    await self._turn()
                except (StoreUnavailable, StoreDenied) as error:
                    await self._failed(error)
                    self._begin()
                else:
                    self._succeeded()

    async def write_now(self, wanted: Callable[[Instance], Instance | None]) -> None:
        """Write all entries once more, at the end; nothing is tried again."""
        await self.edge.write({k: wanted(i) for k, i in self._holdings.claims.desired().items()})

    def _begin(self) -> None:
        if self._since is None:  # else nobody is to wait for us
            self._idle.clear()
        self._work.set()

    async def _turn(self) -> None:
        if self._keys or self._is_new:
            await self._write()
        elif self._is_due:
            await self._audit()

    async def _write(self) -> None:
        batch, self._keys = self._keys, {}
        wanted = {key: i for key in batch if self._is_to_write(key, i := self._wanted(key))}
        if not wanted and not self._is_new:
            return
        try:
            refused = await self.edge.write(wanted)  # the first, even of nothing, is the beginning
        except BaseException:
            self._keys = {**self._keys, **batch}
            raise
        self._is_new = False
        _writes.labels(self.edge.url).inc(len(wanted) - len(refused))
        for key, instance in wanted.items():
            self._note(key, instance, refused.get(key))

    def _wanted(self, key: Key) -> Instance | None:
        return self._holdings.claims.winner(key)

    def _is_to_write(self, key: Key, instance: Instance | None) -> bool:
        if instance is None:
            return not self._holdings.keeps(key)
        return self._refused.get(key) != instance

    def _note(self, key: Key, instance: Instance | None, reason: str | None) -> None:
        """Tell a refusal once; it is not tried again until the entry changes."""
        if reason is None or instance is None:
            self._refused.pop(key, None)
        else:
            self._refused[key] = instance
        if reason is not None:
            _errors.labels(self.edge.url).inc()
            _log.warning(
                "store refuses an entry",
                store=self.edge.url,
                service=key.service,
                id=key.id,
                reason=reason,
            )

    async def _audit(self) -> None:
        place = self._holdings.place
        self._is_due = False
        if not place.owner:  # the engine is not known yet: nothing is desired either
            return
        look = self._look
        try:
            desired = self._holdings.claims.desired()
            holder = Holder(place.owner, place.node if self._adopts else "")
            found = {
                key if key.node else key._replace(node=place.node)
                for key in await self.edge.audit(desired, holder)
            }
        except BaseException:
            self._is_due = True
            raise
        _audited.labels(self.edge.url).set(self._clock.wall())
        missing = {key for key in found if self._wanted(key) is not None}
        left = found - missing
        if self._sweep.spares_kept:
            left = {key for key in left if not self._holdings.keeps(key)}
        gone = self._sweep.take(left, desired, look)
        self._holdings.release(gone)
        for key in sorted(gone):
            _log.info(
                "leftover removed",
                action="dangling",
                store=self.edge.url,
                service=key.service,
                id=key.id,
            )
        if missing or gone:
            self.write(missing | gone)
        if self._sweep.is_waiting:
            self._look_again()

    def _succeeded(self) -> None:
        if self._since is not None:
            _log.info("store answers again", store=self.edge.url)
            self._error = self._since = None
            self._is_due = True
            _up.labels(self.edge.url).set(1)
        self._backoff.reset()
        if self._keys or self._is_due:
            self._begin()
        elif not self._work.is_set() and not self._sweep.is_waiting:  # else another look is due
            if self._is_looked and isinstance(self.edge, Completing):
                self.edge.complete()
            self._idle.set()

    async def _failed(self, error: StoreUnavailable | StoreDenied) -> None:
        _errors.labels(self.edge.url).inc()
        if self._since is None:
            self._since = self._clock.monotonic()
            _up.labels(self.edge.url).set(0)
            _log.error("store refuses writes, trying on", store=self.edge.url, reason=error)
        self._error = f"store: {error}"
        self._idle.set()
        await self._pause(self._backoff.next())

    async def _pause(self, seconds: float) -> None:
        """Wait; an edge that was disturbed has its store back, so it ends the wait."""
        self._wake.clear()
        await self._clock.sleep(min(seconds, _FIRST))
        if seconds <= _FIRST or self._wake.is_set():
            return
        async with asyncio.TaskGroup() as group:
            waits = [
                group.create_task(self._clock.sleep(seconds - _FIRST), name="registrar pause"),
                group.create_task(self._wake.wait(), name="registrar wake"),
            ]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()

    async def _watch(self) -> None:
        while True:
            await self.edge.disturbed()
            self._is_due = True
            self._wake.set()
            self._begin()

    def _waited(self) -> float:
        return self._clock.monotonic() - min(self._keys.values()) if self._keys else 0.0
