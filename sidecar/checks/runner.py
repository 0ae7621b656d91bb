"""Runs all checks of this process: one heap of due times, a bounded number of probes at once.

A check costs one entry in a heap, not a task. Heartbeats of TTL checks only move a deadline; the
heap entry is put right when it comes up. Time is monotonic: the wall clock may jump as it likes
(F13). The runner looks up at least every second while there are TTL checks, so it notices when
the whole process stood still: then all deadlines move on by that time and what was under way is
tried again, because in a pause of ours nobody could reach us (F12).
"""

import asyncio
import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final, Protocol

from sidecar.catalog.model import Status
from sidecar.checks.definition import CheckDefinition, Kind
from sidecar.checks.policy import CheckPolicy
from sidecar.checks.probes import Prober
from sidecar.checks.state import (
    CheckState,
    Result,
    after_expiry,
    after_pause,
    after_result,
    deregister_is_due,
    initial,
)
from sidecar.errors import PermanentError
from sidecar.golang.quoting import quoted
from sidecar.metrics import counter, gauge
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger

__all__ = ["CheckKey", "CheckRunner", "NotTtl", "Probing"]

CheckKey = Hashable

_runs = counter("pinnace_checks_runs_total", "Checks run, by kind and result", ["kind", "status"])
_known = gauge("pinnace_checks_known_checks", "Checks the runner keeps")
_pauses = counter("pinnace_checks_pauses_total", "Times this process stood still")
_log = get_logger("checks")

_LOOK: Final = 1.0  # seconds between looks at the clock while TTL checks are kept
_PAUSE: Final = 1.0  # later than this by itself counts as a pause
_REAP: Final = 30.0  # Consul's CheckReapInterval


class NotTtl(PermanentError):
    """A heartbeat for what is no TTL check; Consul answers its text with status 500."""


class Probing(Protocol):
    """What tries a check once."""

    async def run(self, definition: CheckDefinition, *, local: bool) -> Result:
        """Return what came of it; never raise."""


@dataclass(slots=True, eq=False)
class _Entry:
    key: CheckKey
    definition: CheckDefinition
    local: bool
    state: CheckState
    running: bool = field(default=False)


class CheckRunner:
    """A component that runs checks and calls back when one says something new.

    ``on_result`` is called when status or output changed, ``on_deregister`` when a service shall
    go because its check was critical for too long; both on the loop, and neither may raise. All
    methods are for the loop's thread; ``add`` and ``remove`` work before and between runs too.
    """

    name = "checks"

    def __init__(
        self,
        clock: Clock,
        on_result: Callable[[CheckKey, Result], None],
        policy: CheckPolicy,
        *,
        on_deregister: Callable[[CheckKey], None] = lambda _: None,
        concurrency: int = 64,
        draw: Callable[[], float] = random.random,
        prober: Probing | None = None,
    ) -> None:
        """Run at most ``concurrency`` probes at once; ``draw`` returns [0, 1)."""
        self._clock = clock
        self._on_result = on_result
        self._on_deregister = on_deregister
        self._policy = policy
        self._concurrency = concurrency
        self._draw = draw
        self._prober = prober
        self._entries: dict[CheckKey, _Entry] = {}
        self._heap: list[tuple[float, int, _Entry]] = []
        self._order = itertools.count()
        self._waiting: deque[_Entry] = deque()
        self._running = 0
        self._wake = asyncio.Event()
        self._next_reap = clock.monotonic() + _REAP
        self._seen: float | None = None  # when the loop last looked; a restart is a pause too

    # --- what the catalogue calls

    def add(self, key: CheckKey, definition: CheckDefinition, *, local: bool = True) -> None:
        """Keep a check, or replace the one with this key, which starts again.

        ``local``: it was registered from this host, so it may ask this host.
        """
        now = self._clock.monotonic()
        entry = _Entry(key, definition, local, initial(definition, now))
        self._entries[key] = entry
        _known.set(len(self._entries))
        if definition.kind is Kind.TTL:
            self._push(now + definition.ttl, entry)
        elif definition.kind is not Kind.ALIAS:
            self._push(now + definition.interval * self._draw(), entry)
        self._wake.set()

    def remove(self, key: CheckKey) -> None:
        """Forget a check; no error when it is not there."""
        self._entries.pop(key, None)
        _known.set(len(self._entries))

    def heartbeat(self, key: CheckKey, status: Status, output: str = "") -> None:
        """Take a heartbeat of a TTL check. Raises NotTtl."""
        entry = self._entries.get(key)
        if entry is None or entry.definition.kind is not Kind.TTL:
            raise NotTtl(f"CheckID {quoted(str(key))} does not have associated TTL")
        if entry.state.expires is None:
            self._push(self._clock.monotonic() + entry.definition.ttl, entry)
            self._wake.set()
        self._take(entry, Result(status, output))

    def report(self, key: CheckKey, result: Result) -> None:
        """Take what an alias says; whoever sees the catalogue works it out (``alias_result``)."""
        entry = self._entries.get(key)
        if entry is not None and entry.definition.kind is Kind.ALIAS:
            self._take(entry, result)

    def result(self, key: CheckKey) -> Result | None:
        """Return what a check said last, None when it is not kept."""
        entry = self._entries.get(key)
        return None if entry is None else entry.state.result

    # --- the loop

    async def run(self, ready: Callable[[], None]) -> None:
        """Run checks until cancelled."""
        self._waiting.clear()
        self._running = 0
        for entry in self._entries.values():
            if entry.running:  # left over from a run that ended
                entry.running = False
                self._push(self._clock.monotonic(), entry)
        if self._prober is not None:
            await self._serve(self._prober, ready)
            return
        async with Prober(self._policy) as prober:
            await self._serve(prober, ready)

    async def _serve(self, prober: Probing, ready: Callable[[], None]) -> None:
        async with asyncio.TaskGroup() as group:
            ready()
            now = self._clock.monotonic()
            planned = now if self._seen is None else self._seen
            while True:
                now = self._seen = self._clock.monotonic()
                if now - planned > _PAUSE:
                    self._forgive(now - planned)
                self._due(now)
                self._start(group, prober)
                self._wake.clear()
                delay = self._delay(now)
                planned = self._clock.monotonic() + delay
                await self._sleep(group, delay)

    async def _sleep(self, group: asyncio.TaskGroup, delay: float) -> None:
        """Wait so long or until woken."""
        waiters = [
            group.create_task(self._clock.sleep(delay), name="checks timer"),
            group.create_task(self._wake.wait(), name="checks wake"),
        ]
        try:
            await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiter in waiters:
                waiter.cancel()

    def _delay(self, now: float) -> float:
        delay = min(_LOOK, self._next_reap - now)
        if self._heap:
            delay = min(delay, self._heap[0][0] - now)
        return max(0.0, delay)

    def _push(self, due: float, entry: _Entry) -> None:
        if len(self._heap) > 2 * len(self._entries) + 64:  # mostly what was removed
            self._heap = [one for one in self._heap if self._entries.get(one[2].key) is one[2]]
            heapq.heapify(self._heap)
        heapq.heappush(self._heap, (due, next(self._order), entry))

    def _due(self, now: float) -> None:
        while self._heap and self._heap[0][0] <= now:
            entry = heapq.heappop(self._heap)[2]
            if self._entries.get(entry.key) is not entry:
                continue
            if entry.definition.kind is Kind.TTL:
                self._judge(entry, now)
            elif not entry.running:
                entry.running = True
                self._waiting.append(entry)
        if now >= self._next_reap:
            self._next_reap = now + _REAP
            self._reap(now)

    def _judge(self, entry: _Entry, now: float) -> None:
        expires = entry.state.expires
        if expires is None:
            return
        if expires > now:
            self._push(expires, entry)
            return
        self._become(entry, after_expiry(entry.state, now))

    def _reap(self, now: float) -> None:
        for entry in list(self._entries.values()):
            if deregister_is_due(entry.state, entry.definition, now):
                _log.warning("check critical for too long", check=str(entry.key))
                self._on_deregister(entry.key)

    def _forgive(self, seconds: float) -> None:
        _pauses.inc()
        _log.warning("process stood still", seconds=f"{seconds:.1f}")
        for entry in self._entries.values():
            entry.state = after_pause(entry.state, seconds)

    # --- probes

    def _start(self, group: asyncio.TaskGroup, prober: Probing) -> None:
        while self._waiting and self._running < self._concurrency:
            entry = self._waiting.popleft()
            if self._entries.get(entry.key) is entry:
                self._running += 1
                group.create_task(self._probe(entry, prober), name=f"check {entry.key}")

    async def _probe(self, entry: _Entry, prober: Probing) -> None:
        begun = self._clock.monotonic()
        try:
            result = await prober.run(entry.definition, local=entry.local)
        except Exception as error:  # noqa: BLE001 - one check's bug must not end the others
            _log.exception("check raised", check=str(entry.key))
            result = Result(Status.CRITICAL, f"{type(error).__name__}: {error}")
        finally:
            self._running -= 1
            self._wake.set()
        entry.running = False
        now = self._clock.monotonic()
        if now - begun > entry.definition.timeout + _PAUSE:
            self._push(now, entry)  # we stood still, not it: try again
            return
        self._push(now + entry.definition.interval, entry)
        if self._entries.get(entry.key) is entry:
            _runs.labels(entry.definition.kind, result.status).inc()
            self._take(entry, result)

    def _take(self, entry: _Entry, result: Result) -> None:
        now = self._clock.monotonic()
        self._become(entry, after_result(entry.state, entry.definition, result, now))

    def _become(self, entry: _Entry, state: CheckState) -> None:
        before, entry.state = entry.state.result, state
        if state.result != before:
            self._on_result(entry.key, state.result)
