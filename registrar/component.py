"""The registrar: what runs on one engine stands in the catalogue, and nothing else of ours.

Theory. An event is a hint: it makes us look at one container (``lanes``), and what the look finds
is mapped, claimed (``holdings``) and written (``writer``). A full reconcile runs at the start,
after each new event stream and every ``resync`` seconds: it looks at everything that is listed or
held, then compares what should be with what the store holds under our owner mark. Nothing is
removed because a question to the engine failed.
"""

import asyncio
import random
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import Final, NamedTuple

from registrar.docker import Docker
from registrar.holdings import Holdings
from registrar.lanes import Lanes
from registrar.merging import merged_node
from registrar.plan import Refusal, changes_for, differing
from registrar.ports import place_of
from registrar.writer import Writer
from sidecar.catalog.changes import Change, PutNode
from sidecar.catalog.entries import Locals
from sidecar.catalog.model import Key, Node
from sidecar.config.model import RegistrarSettings
from sidecar.engine.client import EngineInfo
from sidecar.engine.events import Connected, Lost, Missed, Signal
from sidecar.engine.facts import Container, Event
from sidecar.errors import PermanentError, PinnaceError, ProtocolError, TransientError
from sidecar.metrics import counter, gauge, histogram
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import Clock, SystemClock
from sidecar.runtime.log import get_logger
from sidecar.stores.base import Registry

__all__ = ["Registrar"]

_containers = gauge("pinnace_registrar_containers", "Containers that have instances")
_instances = gauge("pinnace_registrar_instances", "Instances that should be in the catalogue")
_events = counter("pinnace_registrar_events_total", "Events acted on", ["action"])
_reconciles = counter("pinnace_registrar_reconciles_total", "Full reconciles", ["result"])
_seconds = histogram(
    "pinnace_registrar_reconcile_seconds",
    "Duration of a full reconcile",
    (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
_engine_up = gauge("pinnace_registrar_engine_up", "1 while an event stream is open")
_conflicts = counter(
    "pinnace_registrar_conflicts_total", "Entries not written because another registered their id"
)
_problems = counter("pinnace_registrar_problems_total", "Labels that were mended or refused")
_log = get_logger("registrar")

_LOOK: Final = frozenset(
    {"start", "unpause", "pause", "health_status", "rename", "update", "connect", "disconnect"}
)
_END: Final = frozenset({"die", "destroy"})
_CONFIRM: Final = 0.5  # seconds between two empty lists that may empty the store


class _Seen(NamedTuple):
    """What a look found; ``unreadable`` says why it found nothing to go by."""

    container: Container | None = None
    peer: Container | None = None
    unreadable: str = ""


class Registrar:
    """Component: keeps the registry equal to the containers of one engine."""

    name = "registrar"

    def __init__(
        self,
        engine: Docker,
        registry: Registry,
        settings: RegistrarSettings,
        *,
        node: str,
        address: str,
        ping: float = 10.0,
        clock: Clock | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """``node`` and ``address`` say where containers run; ``draw`` (in [0, 1)) is jitter."""
        self._engine = engine
        self._registry = registry
        self._resync = settings.resync
        self._ping = ping
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._draw = draw
        self._node = Node(name=node, address=address)
        self._place = place_of(settings, node=node, address=address)
        self._unreadable: set[str] = set()
        self._trouble: str | None = None
        self._start_over()

    def _start_over(self) -> None:
        self._holdings = Holdings(self._place)
        self._writer = Writer(self._registry, self._changes, self._clock)
        self._locals = Locals(self._node.name)
        self._refusals: set[Refusal] = set()
        self._backoff = Backoff(0.1, 5.0)
        self._identified = asyncio.Event()
        self._wanted = asyncio.Event()
        self._served = asyncio.Event()
        self._is_retrying = False
        self._is_synced = False

    def trouble(self) -> str | None:
        """Return what keeps the catalogue from being right, or None."""
        return self._trouble or self._writer.trouble

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until cancelled; entries stay in the store then (policy: keep).

        Ready after the first reconcile, or as soon as it is known that the engine is away.
        """
        self._start_over()
        self._writer.write(())  # the node
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._lanes = Lanes(group, self._look, self._apply, self._again)
            group.create_task(self._writer.run(), name="registrar writer")
            group.create_task(self._reconcile_for_ever(), name="registrar reconcile")
            group.create_task(self._remind(), name="registrar resync")
            group.create_task(
                self._engine.follow(self._hear, ping=self._ping), name="registrar events"
            )
            await self._served.wait()
            ready()

    # Events

    def _hear(self, signal: Signal) -> None:
        match signal:
            case Event():
                self._act(signal)
            case Connected():
                _engine_up.set(1)
                self._wanted.set()
            case Missed():
                self._wanted.set()
            case Lost(reason):
                _engine_up.set(0)
                self._trouble = f"docker: {reason}"
                self._served.set()

    def _act(self, event: Event) -> None:
        if event.action == "kill":
            self._write(self._holdings.killed(event))
            if event.id not in self._holdings:
                self._lanes.want(event.id)
        elif event.action in _END:
            self._write(self._holdings.ended(event))
            self._lanes.died(event.id)
        elif event.action in _LOOK:
            if event.action == "start":
                self._holdings.started(event)
            self._lanes.want(event.id)
        else:
            return
        _events.labels(event.action).inc()

    async def _look(self, id_: str) -> _Seen:
        await self._identified.wait()
        try:
            container = await self._engine.inspect(id_)
            peer = None
            if container is not None and container.peer is not None:
                peer = await self._engine.inspect(container.peer)
        except ProtocolError as error:
            return _Seen(unreadable=str(error))
        return _Seen(container, peer)

    def _apply(self, id_: str, seen: _Seen) -> None:
        if seen.unreadable:  # what it was it stays; the others go on
            if id_ not in self._unreadable:
                self._unreadable.add(id_)
                _log.warning("unreadable container", container=id_[:12], reason=seen.unreadable)
            return
        self._unreadable.discard(id_)
        self._write(self._holdings.see(id_, seen.container, seen.peer))
        for problem in self._holdings.new_problems(id_):
            _problems.inc()
            _log.warning(
                "label problem",
                container=problem.container,
                label=problem.label,
                problem=problem.text,
            )

    def _write(self, keys: frozenset[Key]) -> None:
        for key in keys:
            instance = self._holdings.claims.winner(key)
            if instance is None:
                _log.info("instance removed", service=key.service, id=key.id)
            else:
                _log.info(
                    "instance draining" if instance.draining else "instance registered",
                    service=key.service,
                    id=key.id,
                    address=instance.address,
                    port=instance.port,
                    status=instance.status,
                )
        if keys:
            _instances.set(len(self._holdings.claims))
            _containers.set(len(self._holdings))
            self._writer.write(keys)

    def _changes(self, keys: Iterable[Key]) -> tuple[Change, ...]:
        """Return what makes these entries, and the node, what they should be now."""
        keys = frozenset(keys)
        snapshot = self._registry.snapshot
        held = snapshot.nodes.get(self._node.name)
        node = merged_node(self._node, held)
        there = self._locals.of(snapshot)
        changes, refused = changes_for(keys, self._holdings.claims, there, node)
        self._tell(refused, keys)
        return changes if node == held else (PutNode(node), *changes)

    def _tell(self, refused: Iterable[Refusal], keys: Collection[Key]) -> None:
        """Say once which entries somebody else has."""
        new = frozenset(refused)
        for key, owner in sorted(new - self._refusals):
            _conflicts.inc()
            _log.warning("id is held by another", service=key.service, id=key.id, owner=owner)
        self._refusals = {each for each in self._refusals if each.key not in keys} | new

    # Reconcile

    async def _remind(self) -> None:
        while self._resync > 0:
            await self._clock.sleep(self._resync * (0.9 + 0.2 * self._draw()))
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
            else:
                self._backoff.reset()
                self._trouble = None
                _reconciles.labels("ok").inc()
                _seconds.observe(self._clock.monotonic() - began)
            self._served.set()

    def _failed(self, error: PinnaceError) -> None:
        _reconciles.labels("failed").inc()
        if self._trouble is None:
            _log.warning("reconcile failed, trying on", reason=error)
        self._trouble = f"reconcile: {error}"
        self._again()

    def _again(self) -> None:
        """Reconcile after a while; a new event stream does not wait for that."""
        if not self._is_retrying:
            self._is_retrying = True
            self._group.create_task(self._retry(self._backoff.next()), name="registrar retry")

    async def _retry(self, delay: float) -> None:
        await self._clock.sleep(delay)
        self._is_retrying = False
        self._wanted.set()

    async def _reconcile(self) -> None:
        info = await self._engine.info()
        self._identify(info)
        listed = await self._listed()
        is_complete = await self._lanes.settle({*listed, *self._holdings})
        if not is_complete:
            await self._engine.running()  # raises when it is the engine, not one container
        actual = await self._registry.owned(self._holdings.place.owner)
        desired = self._holdings.claims.desired()
        keys = differing(desired, actual, self._registry.snapshot.nodes.get(self._node.name))
        # A container that could not be looked at may be the one behind an entry we do not know.
        self._writer.write(keys if is_complete else keys & desired.keys())
        await self._writer.flushed()
        if not self._is_synced:
            self._is_synced = True
            self._registry.mark_synced()
            _log.info("synced", containers=len(listed), instances=len(desired))
        if not is_complete:
            self._again()

    async def _listed(self) -> tuple[str, ...]:
        """Return what runs; the first list is asked twice when it would empty the store."""
        listed = await self._engine.running()
        if not listed and not self._is_synced:
            owner = self._holdings.place.owner
            if await self._registry.owned(owner):
                await self._clock.sleep(_CONFIRM)
                listed = await self._engine.running()
        return listed

    def _identify(self, info: EngineInfo) -> None:
        owner = f"registrar:{info.id or self._node.name}"
        if owner != self._holdings.place.owner:
            self._holdings.place = replace(self._place, owner=owner)
            _log.info("engine identified", owner=owner, version=info.version)
        self._identified.set()
