"""The scheduler's surroundings for its own tests: a desk with one stack, and the rest."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING, cast

from sidecar.catalog.matching import Lot
from sidecar.catalog.work import Drains, Load, Step
from sidecar.runtime.clock import Clock
from sidecar.scheduler.cluster import Cluster, Goal, Need
from sidecar.scheduler.component import Scheduler
from sidecar.scheduler.compose.document import Problems
from sidecar.scheduler.compose.stack import stack_of
from sidecar.scheduler.fencer import Fencer
from sidecar.scheduler.model import Availability
from sidecar.scheduler.nodes.link import Link
from sidecar.scheduler.nodes.links import Links
from sidecar.scheduler.nodes.node import NodeSettings
from sidecar.scheduler.plan import Plan
from sidecar.scheduler.recipe import Recipe, key_of, spec_of
from sidecar.scheduler.spec import ServiceSpec, requests_of
from tests.support.dockyard import Yard

if TYPE_CHECKING:
    from sidecar.engine.client import Engine
    from sidecar.engine.operations import Operations

__all__ = ["Book", "Harness", "OneDesk", "Sending", "Sole", "Still", "Times"]


class OneDesk:
    """Wants what a stack file says; all recipes that ever were are known."""

    def __init__(self, text: str, name: str = "shop") -> None:
        self.changed = asyncio.Event()
        self.nodes: dict[str, Availability] = {}
        self._recipes: dict[tuple[str, str], Recipe] = {}
        self._goals: list[Goal] = []
        self._name = name
        self.write(text)

    def write(self, text: str) -> None:
        """Want this from now on."""
        problems = Problems()
        stack = stack_of(
            text, "compose.yaml", problems, name=self._name, base="/", read=lambda _: None
        )
        assert not problems.errors, problems.errors
        self._goals = [self._goal(each) for each in stack.services]
        self.changed.set()

    def clear(self) -> None:
        """Want nothing."""
        self._goals = []
        self.changed.set()

    def _goal(self, service: ServiceSpec) -> Goal:
        key, spec = key_of(self._name, service.name), spec_of(service.recipe)
        self._recipes[key, spec] = service.recipe
        (request,) = requests_of(self._name, replace(service, replicas=1))
        return Goal(
            service=key,
            spec=spec,
            slots={"": request},
            size=service.replicas,
            restart=service.conduct.restart,
            update=service.conduct.update,
            needs=tuple(
                Need(key_of(self._name, each.service), each.condition)
                for each in service.depends_on
            ),
            min_healthy=service.conduct.min_healthy,
            moves=service.conduct.moves,
            fencing=service.conduct.fencing,
            adopts=service.adopts,
            rebalances=service.conduct.rebalances,
        )

    def goals(self, _: Cluster) -> Sequence[Goal]:
        return self._goals

    def looked(self, _cluster: Cluster, _plan: Plan, _now: float) -> None:
        return None

    def recipe(self, service: str, spec: str) -> Recipe | None:
        return self._recipes.get((service, spec))

    def availability(self, node: str) -> Availability:
        return self.nodes.get(node, Availability.ACTIVE)


class Sole:
    """An election without another candidate."""

    def __init__(self, epoch: int = 1) -> None:
        self.changed = asyncio.Event()
        self.epoch: int | None = epoch

    async def run(self) -> None:
        await asyncio.get_running_loop().create_future()

    def left(self) -> float:
        return inf


class Book:
    """A journal that can be read."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, Mapping[str, object]]] = []

    def note(self, kind: str, **fields: object) -> None:
        self.notes.append((kind, fields))


class Still:
    """Nobody sends any work."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()

    def drains(self, _node: str) -> Drains | None:
        return None

    def withdraw(self, _node: str, _id: str) -> None:
        return None

    def suspend(self, _node: str, *, on: bool, but: Collection[str] = ()) -> None:
        return None

    def forget(self, _ids: Collection[str]) -> None:
        return None

    def is_routed(self, _node: str, _id: str) -> bool | None:
        return None

    def places(self, _node: str, _id: str) -> Mapping[int, tuple[str, int]]:
        return {}

    def weigh(self, _node: str, _id: str, _share: Lot) -> None:
        return None

    def relabel(self, _node: str, _id: str, labels: Mapping[str, str] | None) -> None:
        return None

    def share(self, _id: str) -> Lot | None:
        return None

    async def loads(self, _containers: Mapping[str, str]) -> Mapping[str, Load]:
        return {}


class Sending(Still):
    """Somebody sends work to all that runs: what drains has some for two seconds yet."""

    def __init__(self, yard: Yard) -> None:
        super().__init__()
        self.told: list[tuple[str, str]] = []
        self.withdrawn: list[str] = []
        self.labels: dict[str, Mapping[str, str]] = {}
        self.routed: bool | None = None
        self._yard = yard

    def drains(self, _node: str) -> Drains:
        return self

    async def drain(
        self, reference: str, *, timeout: float | None = None, stop: bool = True
    ) -> AsyncGenerator[Step, None]:
        assert not stop
        self.told.append(("drain", reference))
        is_over = False
        try:
            for phase in ("marked", "waiting", "done"):
                await self._yard.pass_by()
                yield Step(phase=phase, seconds=0.0)
                await asyncio.sleep(1.0)
            is_over = True
        finally:
            self.told.append(("drained" if is_over else "taken back", reference))

    def is_routed(self, _node: str, _id: str) -> bool | None:
        return self.routed

    async def undo(self, reference: str) -> None:
        self.told.append(("undo", reference))

    def withdraw(self, _node: str, id_: str) -> None:
        self.withdrawn.append(id_)

    def relabel(self, _node: str, id_: str, labels: Mapping[str, str] | None) -> None:
        if labels is None:
            self.labels.pop(id_, None)
        else:
            self.labels[id_] = labels

    def suspend(self, node: str, *, on: bool, but: Collection[str] = ()) -> None:
        self.told.append(("suspend" if on else "resume", node))


@dataclass
class Times:
    """The times that links go by."""

    probe: float = 2.0
    probe_timeout: float = 1.0
    down_after: float = 15.0


class Harness:
    """A scheduler on engines in memory, which can be killed and begun anew."""

    def __init__(self, desk: OneDesk, yard: Yard, *, clock: Clock) -> None:
        self.desk = desk
        self.yard = yard
        self.clock = clock
        self.book = Book()
        self.traffic: Still = Still()
        self.fencer = Fencer(None, margin=1.0, clock=clock)
        self.epoch = 0
        self.sole = Sole()
        self.scheduler: Scheduler | None = None
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> Scheduler:
        """Begin a new one under the next epoch."""
        self.epoch += 1
        self.sole = Sole(self.epoch)
        links = [
            Link(
                NodeSettings(name=name, endpoint=dock.url),
                cast("Engine", dock),
                cast("Operations", dock),
                clock=self.clock,
                times=Times(),
            )
            for name, dock in self.yard.docks.items()
        ]
        self.links = Links(links, is_complete=lambda: True)
        self.scheduler = Scheduler(
            self.links,
            self.desk,
            self.sole,
            self.traffic,
            fencer=self.fencer,
            journal=self.book,
            clock=self.clock,
        )
        self._task = asyncio.get_running_loop().create_task(self.scheduler.run(lambda: None))
        return self.scheduler

    @property
    def is_killed(self) -> bool:
        """Whether it was killed, or ended by itself."""
        return self._task is None or self._task.done()

    def kill(self) -> None:
        """Let it end where it is."""
        if self._task is not None:
            self._task.cancel()

    async def end(self) -> None:
        """Let it end, and wait for that."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def until(self, condition: Callable[[], bool], limit: float = 300.0) -> float:
        """Wait, in the loop's time; return how long that took."""
        begun = self.clock.monotonic()
        while not condition():
            if self._task is not None and self._task.done():
                self._task.result()
            if self.clock.monotonic() - begun > limit:
                raise AssertionError(f"not so within {limit} s: {self.running()}")
            await asyncio.sleep(0.1)
        return self.clock.monotonic() - begun

    async def settle(self, quiet: float = 40.0, limit: float = 1000.0) -> None:
        """Wait until no container has changed for so long."""
        last, since = self.state(), self.clock.monotonic()
        begun = since
        while self.clock.monotonic() - since < quiet:
            await asyncio.sleep(1.0)
            now = self.state()
            if now != last:
                last, since = now, self.clock.monotonic()
            assert self.clock.monotonic() - begun < limit, "it never becomes quiet"

    def state(self) -> list[tuple[str, str]]:
        """Return all containers with their states."""
        return [
            (each["Id"], each["State"]["Status"]) for each in self.yard.containers(running=False)
        ]

    def running(self, service: str = "web") -> list[tuple[str, str, str]]:
        """Return slot, image and node of what runs of a service."""
        return sorted(
            (labels["pinnace.slot"], each["Config"]["Image"], each["Id"][:2])
            for each in self.yard.containers()
            if (labels := each["Config"]["Labels"]).get("pinnace.service") == service
        )
