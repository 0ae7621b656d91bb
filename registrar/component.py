"""The registrar: what runs on one engine stands in the stores, and nothing else of ours.

Theory. An event is a hint: it makes us look at one container (``lanes``), and what the look finds
is mapped, claimed (``holdings``) and given to each store's ``upkeep``. A full look runs at the
start, after each new event stream and every ``resync`` seconds: it goes over everything that is
listed or held, and then each store is compared with what should be there under our owner mark.
Nothing is removed because a question to the engine failed.
"""

import asyncio
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from registrar.docker import Docker, Seen, look, owner_of
from registrar.endings import Endings
from registrar.holdings import Holdings
from registrar.lanes import Lanes
from registrar.leaving import leave
from registrar.ports import Place
from registrar.sweep import Sweep
from registrar.telling import Telling
from registrar.upkeep import Upkeep
from sidecar.catalog.matching import Lot
from sidecar.catalog.model import Instance, Key
from sidecar.config.model import DockerSettings, RegistrarSettings
from sidecar.engine.client import EngineInfo
from sidecar.engine.events import Connected, Lost, Missed, Signal
from sidecar.engine.facts import Event
from sidecar.errors import PermanentError, PinnaceError, ProtocolError, TransientError
from sidecar.metrics import counter, gauge, histogram
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import Clock, SystemClock
from sidecar.runtime.log import get_logger
from sidecar.stores.base import Edge

__all__ = ["Registrar"]

_containers = gauge("pinnace_registrar_containers", "Containers that have instances")
_instances = gauge("pinnace_registrar_instances", "Instances that should be in the catalogue")
_events = counter("pinnace_registrar_events_total", "Events acted on", ["action"])
_reconciles = counter("pinnace_registrar_reconciles_total", "Full looks", ["result"])
_seconds = histogram(
    "pinnace_registrar_reconcile_seconds",
    "Duration of a full look",
    (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
_reconciled = gauge(
    "pinnace_registrar_reconcile_timestamp_seconds", "When the last full look was complete"
)
_engine_up = gauge("pinnace_registrar_engine_up", "1 while an event stream is open")
_log = get_logger("registrar")

_LOOK: Final = frozenset(
    {"start", "unpause", "pause", "health_status", "rename", "update", "connect", "disconnect"}
)
_END: Final = frozenset({"die", "destroy"})
_CONFIRM: Final = 0.5  # seconds until a second look may let leftovers go


class Registrar:
    """Component: keeps every store equal to the containers of one engine."""

    name = "registrar"

    def __init__(
        self,
        engine: Docker,
        edges: Sequence[Edge],
        settings: RegistrarSettings,
        *,
        place: Place,
        ping: float = DockerSettings().ping,
        clock: Clock | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """``place`` says where containers run; its owner is found here.

        The edges' components are run by who made the edges. ``draw`` (in [0, 1)) is jitter.
        """
        self._engine = engine
        self._edges = tuple(edges)
        self._settings = settings
        self._ping = ping
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._draw = draw
        self._endings = Endings(settings.deregister, settings.compat)
        self._place = place
        self._telling = Telling()
        self._trouble: str | None = None
        self._since: float | None = None
        self._start_over()

    def _start_over(self) -> None:
        self._holdings = Holdings(self._place, self._endings)
        self._upkeeps = [
            Upkeep(
                edge,
                self._holdings,
                Sweep(self._endings, cleanup=self._settings.cleanup),
                self._clock,
                adopts=self._settings.cleanup,
                look_again=lambda: self._again(_CONFIRM),
            )
            for edge in self._edges
        ]
        self._look_number = 0
        self._backoff = Backoff(0.1, 5.0)
        self._identified = asyncio.Event()
        self._wanted = asyncio.Event()
        self._looked = asyncio.Event()
        self._served = asyncio.Event()
        self._is_retrying = False

    def trouble(self) -> str | None:
        """Return what keeps a store from being right, or None."""
        found = (upkeep.trouble() for upkeep in self._upkeeps)
        return self._trouble or next((text for text in found if text), None)

    def outages(self) -> Mapping[str, float]:
        """Return for how many seconds the engine and each store have been away."""
        away = 0.0 if self._since is None else self._clock.monotonic() - self._since
        return {"docker": away} | {u.edge.url: u.outage() for u in self._upkeeps}

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until cancelled; then entries stay, or as ``on_exit`` says.

        Ready after the first full look, or as soon as it is known that the engine is away.
        """
        self._start_over()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._lanes = Lanes(group, self._look, self._apply, self._again)
                for upkeep in self._upkeeps:
                    group.create_task(upkeep.run(), name=f"registrar store {upkeep.edge.url}")
                group.create_task(self._reconcile_for_ever(), name="registrar reconcile")
                group.create_task(self._remind(), name="registrar resync")
                group.create_task(self._tell_synced(), name="registrar start")
                group.create_task(
                    self._engine.follow(self._hear, ping=self._ping), name="registrar events"
                )
                await self._served.wait()
                ready()
        except asyncio.CancelledError:
            await leave(self._upkeeps, self._settings.on_exit)
            raise

    # Draining on request

    def drain(self, id_: str, *, on: bool) -> tuple[Instance, ...]:
        """Mark a container's entries as draining, or take that back; return them as they are."""
        self._write(id_, self._holdings.drain(id_, on=on))
        return self._holdings.of(id_)

    def share(self, id_: str, lot: Lot) -> None:
        """Give a container other requests, as a canary, than its labels say."""
        self._write(id_, self._holdings.share(id_, lot))

    def relabel(self, id_: str, labels: Mapping[str, str] | None) -> None:
        """Take these for a container's labels from now on; None: its own again."""
        self._write(id_, self._holdings.relabel(id_, labels))

    def suspend(self, *, on: bool, but: Collection[str] = ()) -> None:
        """Mark all entries as draining, also those to come, or take that back but for some."""
        self._write("", self._holdings.suspend(on=on, but=but))

    def withdraw(self, id_: str) -> None:
        """Remove the entries of a container whose engine cannot be reached."""
        self._write(id_, self._holdings.withdraw(id_))

    def withdraw_all(self) -> None:
        """Remove the entries of all containers: the host is ours no more."""
        for id_ in [*self._holdings]:
            self.withdraw(id_)

    async def forsake(self) -> None:
        """Remove the entries of all containers, after the end: nobody takes them over."""
        await leave(self._upkeeps, "deregister")

    def instances(self, id_: str) -> tuple[Instance, ...] | None:
        """Return a container's entries; None: it was not looked at yet, or does not live."""
        return self._holdings.of(id_) if id_ in self._holdings else None

    async def written(self) -> None:
        """Return when each store has what it should, or is known to be in trouble."""
        for upkeep in self._upkeeps:
            await upkeep.settled()

    # Events

    def _hear(self, signal: Signal) -> None:
        match signal:
            case Event():
                self._act(signal)
            case Connected():
                _engine_up.set(1)
                _log.info("listening", action="listening")
                self._wanted.set()
            case Missed():
                self._wanted.set()
            case Lost(reason):
                _engine_up.set(0)
                self._away(f"docker: {reason}")
                self._served.set()

    def _act(self, event: Event) -> None:
        if event.action == "kill":
            self._write(event.id, self._holdings.killed(event))
            if event.id not in self._holdings:
                self._lanes.want(event.id)
        elif event.action in _END:
            self._write(event.id, self._holdings.ended(event))
            self._lanes.died(event.id)
        elif event.action in _LOOK:
            if event.action == "start":
                self._holdings.started(event)
            self._lanes.want(event.id)
        else:
            return
        _events.labels(event.action).inc()

    async def _look(self, id_: str) -> Seen:
        await self._identified.wait()
        return await look(self._engine, id_)

    def _apply(self, id_: str, seen: Seen) -> None:
        if seen.unreadable:
            self._telling.unreadable(id_, seen.unreadable)
            return
        self._telling.readable(id_)
        is_new = id_ not in self._holdings
        self._write(id_, self._holdings.see(id_, seen.container, seen.peer))
        if is_new and seen.container is not None and seen.container.alive:
            got = self._holdings.claims.of(id_)
            self._telling.ignored(seen.container, self._holdings.place, got)
        self._telling.problems(self._holdings.new_problems(id_))

    def _write(self, id_: str, keys: frozenset[Key]) -> None:
        if not keys:
            return
        self._telling.entries(id_, keys, self._holdings)
        _instances.set(len(self._holdings.claims))
        _containers.set(len(self._holdings))
        winner, keeps = self._holdings.claims.winner, self._holdings.keeps
        kept = frozenset(key for key in keys if keeps(key) and winner(key) is None)
        for upkeep in self._upkeeps:
            upkeep.let_go(kept)
            upkeep.write(keys - kept)

    # Full looks

    async def _remind(self) -> None:
        while self._settings.resync > 0:
            await self._clock.sleep(self._settings.resync * (0.9 + 0.2 * self._draw()))
            self._wanted.set()

    async def _reconcile_for_ever(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            began = self._clock.monotonic()
            try:
                await self._reconcile()
            except (TransientError, PermanentError, ProtocolError) as error:
                self._failed(error)
                self._served.set()
            else:
                self._backoff.reset()
                self._trouble = self._since = None
                _reconciles.labels("ok").inc()
                _seconds.observe(self._clock.monotonic() - began)

    def _failed(self, error: PinnaceError) -> None:
        _reconciles.labels("failed").inc()
        if self._trouble is None:
            _log.warning("reconcile failed, trying on", reason=error)
        self._away(f"reconcile: {error}")
        for upkeep in self._upkeeps:
            upkeep.distrust()
        self._again()

    def _away(self, trouble: str) -> None:
        self._trouble = trouble
        if self._since is None:
            self._since = self._clock.monotonic()

    def _again(self, delay: float | None = None) -> None:
        """Look again after a while; a new event stream does not wait for that."""
        if not self._is_retrying:
            self._is_retrying = True
            delay = self._backoff.next() if delay is None else delay
            self._group.create_task(self._retry(delay), name="registrar retry")

    async def _retry(self, delay: float) -> None:
        await self._clock.sleep(delay)
        self._is_retrying = False
        self._wanted.set()

    async def _reconcile(self) -> None:
        self._identify(await self._engine.info())
        listed = await self._engine.running()
        if self._endings.deregister == "on-success":
            self._holdings.spared = self._endings.spared(await self._engine.stopped())
        tell = _log.debug if self._look_number else _log.info
        tell("syncing", action="syncing", containers=len(listed))
        is_complete = await self._lanes.settle({*listed, *self._holdings})
        if is_complete:
            self._look_number += 1
            _reconciled.set(self._clock.wall())
        else:
            await self._engine.running()  # raises when it is the engine, not one container
            self._again()
        for upkeep in self._upkeeps:
            upkeep.looked(self._look_number, is_complete=is_complete)
        self._looked.set()

    def _identify(self, info: EngineInfo) -> None:
        owner = owner_of(info, self._place.node)
        if owner != self._holdings.place.owner:
            self._holdings.place = replace(self._place, owner=owner)
            _log.info("engine identified", owner=owner, version=info.version)
        self._identified.set()

    async def _tell_synced(self) -> None:
        await self._looked.wait()
        await self.written()
        _log.info("synced", containers=len(self._holdings), instances=len(self._holdings.claims))
        self._served.set()
