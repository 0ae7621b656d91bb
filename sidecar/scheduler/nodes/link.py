"""One node as it is now: followed by events, proved by full looks, probed.

An event makes us look at one container; a full look goes over all of them, at the start, after the
stream of events opened again, when the node came into reach again, and every ``RESYNC`` seconds.
While a node cannot be reached what was seen last is kept: it is believed to run on.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final, Protocol

from sidecar.engine.client import Engine
from sidecar.engine.events import Connected, Lost, Missed, Signal
from sidecar.engine.facts import Event
from sidecar.engine.operations import Operations
from sidecar.errors import PermanentError, PinnaceError, ProtocolError, TransientError
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from sidecar.scheduler.cluster import Copy
from sidecar.scheduler.model import NodeView, State
from sidecar.scheduler.nodes.node import NodeSettings
from sidecar.scheduler.nodes.reach import Heard, Reach, reach_of
from sidecar.scheduler.nodes.reading import Seen, images_of, node_of, seen_of, wall_of

__all__ = ["Link", "Times"]

RESYNC: Final = 30.0
_AT_ONCE: Final = 8
_LAG: Final = 0.5
"""Seconds by which a time-out is noticed late when this process gets no CPU time."""
_log = get_logger("scheduler")


class Times(Protocol):
    """How long things may take, in seconds."""

    @property
    def probe(self) -> float:
        """Between two probes."""

    @property
    def probe_timeout(self) -> float:
        """For an answer to one."""

    @property
    def down_after(self) -> float:
        """Until a silent node is down."""


class Link:
    """Follows one engine; ``operations`` changes it."""

    def __init__(
        self,
        settings: NodeSettings,
        engine: Engine,
        operations: Operations,
        *,
        clock: Clock,
        times: Times,
    ) -> None:
        """The connections are closed by who made them."""
        self.settings = settings
        self.name = settings.name
        self.operations = operations
        self._engine = engine
        self._clock = clock
        self._times = times
        self._heard = Heard(clock.monotonic())
        self._base = NodeView(name=settings.name, address=settings.advertise)
        self._view = self._base
        self._seen: dict[str, Seen] = {}
        self._copies: dict[str, tuple[Seen, Copy]] = {}
        """Made of what was seen."""
        self._moments: dict[tuple[str, str, float], float] = {}
        self._offset = 0.0
        self._dirty: set[str] = set()
        self._is_full = True
        self._wanted = asyncio.Event()
        self._wanted.set()
        self._told: tuple[State, bool] | None = None
        self.trouble = ""

    async def run(self, wake: Callable[[], None]) -> None:
        """Follow until cancelled; ``wake`` hears of each change."""
        self._wake = wake
        async with asyncio.TaskGroup() as group:
            following = self._engine.follow(self._hear, ping=self._times.down_after / 3)
            group.create_task(following, name=f"node {self.name} events")
            group.create_task(self._probe(), name=f"node {self.name} probe")
            group.create_task(self._remind(), name=f"node {self.name} resync")
            group.create_task(self._look_for_ever(), name=f"node {self.name} look")

    # What is known

    def reach(self) -> Reach:
        """Return how it stands now."""
        return reach_of(self._heard, self._clock.monotonic(), down_after=self._times.down_after)

    @property
    def is_up(self) -> bool:
        """Whether something may be asked of it."""
        return self.reach().state is State.UP

    def view(self) -> NodeView:
        """Return the node with its containers: the same object while nothing changes."""
        reach = self.reach()
        containers = tuple(each.view for each in self._seen.values())
        seen = replace(self._base, state=reach.state, health=reach.health, containers=containers)
        if seen != self._view:
            self._view = seen
        return self._view

    def copies(self) -> Iterable[tuple[str, Copy]]:
        """Return our containers with the keys of their services; the same while nothing changes."""
        for id_, each in self._seen.items():
            if each.copy is None:
                continue
            known = self._copies.get(id_)
            if known is None or known[0] is not each:
                since = self._since(id_, each)
                started = None if each.ran is None else since - each.ran
                known = each, replace(each.copy, since=since, started=started)
                self._copies[id_] = known
            yield each.service, known[1]

    def labels(self) -> Iterable[tuple[str, Mapping[str, str]]]:
        """Return the labels of our containers with the keys of their services."""
        for each in self._seen.values():
            if each.copy is not None:
                yield each.service, each.view.labels

    def seen(self, id_: str) -> Seen | None:
        """Return a container as it was seen last."""
        return self._seen.get(id_)

    async def refresh(self, id_: str) -> Seen | None:
        """Look at a container now, and return what was seen; None: it is gone."""
        document = await self.operations.inspect(id_)
        if document is None:
            self._seen.pop(id_, None)
            return None
        seen = seen_of(document, self.name)
        known = self._seen.get(seen.view.id)
        if known == seen:
            return known
        self._seen[seen.view.id] = seen
        return seen

    def look_soon(self, id_: str = "") -> None:
        """Look at a container, or at all."""
        if id_:
            self._dirty.add(id_)
        else:
            self._is_full = True
        self._wanted.set()

    def wall(self) -> float:
        """Return the engine's time of day, as seconds since 1970."""
        return self._clock.wall() + self._offset

    def fence(self, *, on: bool) -> None:
        """Take a node for dead, or take that back."""
        self._heard = replace(self._heard, is_fenced=on)
        self._tell()

    def _since(self, id_: str, seen: Seen) -> float:
        """Return when a copy came into its stage, by our clock; the same at each look."""
        if seen.copy is None:
            return 0.0
        key = id_, seen.copy.stage.value, seen.moment
        if key not in self._moments:
            now = self._clock.monotonic()
            age = max(self.wall() - seen.moment, 0.0)
            self._moments[key] = now - (age if seen.moment else 0.0)
        return self._moments[key]

    # What is heard

    def _hear(self, signal: Signal) -> None:
        match signal:
            case Event(id=id_):
                self.look_soon(id_)
            case Connected():
                self._note(self._heard.stream(is_open=True))
                self.look_soon()
            case Missed():
                self.look_soon()
            case Lost(reason):
                self.trouble = reason
                self._note(self._heard.stream(is_open=False))

    def _note(self, heard: Heard) -> None:
        if heard.is_in_reach and not heard.is_known and not self._heard.is_in_reach:
            self.look_soon()
        self._heard = heard
        self._tell()

    def _tell(self) -> None:
        told = self.reach().state, self._heard.is_known
        if told != self._told:
            if self._told is not None and told[0] is not self._told[0]:
                _log.info("node", node=self.name, state=told[0].value, reason=self.trouble)
            self._told = told
            self._wake()

    async def _probe(self) -> None:
        limit = self._times.probe_timeout
        while True:
            began = self._clock.monotonic()
            trouble = await self._asked(limit)
            took = self._clock.monotonic() - began
            if trouble is None:
                self._note(self._heard.answered(began + took, is_late=took > limit / 2))
            elif took < limit + _LAG:  # else it was us who were slow, and that says nothing of it
                self.trouble = trouble
                self._note(self._heard.missing())
            pause = self._times.probe if trouble is None else limit
            await self._clock.sleep(max(pause - took, 0.01))

    async def _asked(self, limit: float) -> str | None:
        """Probe once; return what went wrong, if anything."""
        try:
            async with asyncio.timeout(limit):
                await self.operations.ping(limit)
        except (TimeoutError, PinnaceError) as error:
            return str(error) or "no answer to a probe in time"
        return None

    async def _remind(self) -> None:
        while True:
            await self._clock.sleep(RESYNC)
            self.look_soon()

    # Looking

    async def _look_for_ever(self) -> None:
        backoff = Backoff(0.2, 5.0)
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            dirty, self._dirty = self._dirty, set()
            is_full, self._is_full = self._is_full, False
            try:
                await (self._look() if is_full else self._look_at(dirty))
            except (TransientError, PermanentError, ProtocolError) as error:
                self.trouble = str(error)
                self._dirty |= dirty
                self._is_full = self._is_full or is_full
                self._wanted.set()
                self._note(self._heard.failing())
                await self._clock.sleep(backoff.next())
            else:
                backoff.reset()
                self._wake()

    async def _look(self) -> None:
        info = await self.operations.info()
        self._offset = self._offset_of(str(info.get("SystemTime") or ""))
        images = images_of(await self.operations.images())
        self._base = replace(node_of(self.settings, info), images=images)
        listed = {str(each.get("Id")) for each in await self.operations.containers()}
        await self._look_at(listed)
        for id_ in self._seen.keys() - listed - self._dirty:
            del self._seen[id_]
        alive = {key[0] for key in self._moments} & self._seen.keys()
        self._moments = {key: at for key, at in self._moments.items() if key[0] in alive}
        self._copies = {id_: each for id_, each in self._copies.items() if id_ in self._seen}
        self.trouble = ""
        self._note(self._heard.looked(self._clock.monotonic()))

    def _offset_of(self, text: str) -> float:
        moment = wall_of(text)
        return moment - self._clock.wall() if moment else 0.0

    async def _look_at(self, ids: Iterable[str]) -> None:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def look(id_: str) -> None:
            async with gate:
                await self.refresh(id_)

        try:
            async with asyncio.TaskGroup() as group:
                for id_ in ids:
                    group.create_task(look(id_), name=f"look {id_[:12]}")
        except ExceptionGroup as error:
            raise error.exceptions[0] from error
