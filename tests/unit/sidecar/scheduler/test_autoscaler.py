"""Scaling as a component: who leads, what a rollout forbids, what becomes of orders."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from sidecar.errors import ApiError
from sidecar.runtime.clock import FakeClock
from sidecar.scheduler.autoscaler import Autoscaler
from sidecar.scheduler.cluster import Cluster, Copy, Goal, Health, Stage
from sidecar.scheduler.memory import Failure, Memory
from sidecar.scheduler.model import NodeView, Request
from sidecar.scheduler.scale import Direction, Metric, ScalePolicy
from sidecar.scheduler.scaling import Scaled, Scaling
from sidecar.scheduler.sources.samples import Sample
from sidecar.scheduler.sources.wanted import Autoscale, Kind, Wanted
from tests.support.desk import Sole

if TYPE_CHECKING:
    from sidecar.scheduler.sources.reading import Reading

METRIC = Metric("cpu", 1.0)
POLICY = ScalePolicy(1, 9, (METRIC,), down=Direction(0))
SCALE = Autoscale(POLICY, (Wanted(kind=Kind.CPU, metric=METRIC),), period=10.0)


class World:
    """A service whose copies are as many as were ordered."""

    def __init__(self, replicas: int = 2) -> None:
        self.replicas = replicas
        self.goal = Goal(service="s/web", spec="a", slots={"": Request(service="web")}, size=2)
        self.memory = Memory()
        self.copies: list[Copy] = [self.copy(str(each)) for each in range(1, replicas + 1)]
        self.orders: list[tuple[int, str]] = []
        self.refuses = False
        self.value: float | None = 1.0
        self.clock = FakeClock()

    def copy(self, slot: str, spec: str = "a") -> Copy:
        return Copy(name=slot, id=slot, node="n", slot=slot, spec=spec, incarnation=1)

    def scaled(self) -> list[Scaled]:
        goal = replace(self.goal, size=self.replicas)
        return [Scaled("s", "web", SCALE, self.replicas, goal)]

    def seen(self) -> tuple[Cluster, Memory, float]:
        nodes = (NodeView(name="n"),)
        return Cluster(nodes, {"s/web": tuple(self.copies)}), self.memory, self.clock.monotonic()

    async def scale(self, _stack: str, _service: str, replicas: int, *, by: str) -> None:
        if self.refuses:
            raise ApiError(404, "there is no stack")
        self.orders.append((replicas, by))
        self.replicas = replicas

    def forget(self, _ids: set[str]) -> None:
        return

    async def read(self, _wanted: Wanted, copies: Sequence[Copy]) -> Mapping[str, Sample]:
        now = self.clock.monotonic()
        if self.value is None:
            return {}
        return {copy.id: Sample(self.value, now) for copy in copies}


@asynccontextmanager
async def running(world: World, election: Sole | None = None) -> AsyncIterator[None]:
    scaler = Autoscaler(
        cast("Scaling", world), election or Sole(), cast("Reading", world), clock=world.clock
    )
    async with asyncio.TaskGroup() as group:
        task = group.create_task(scaler.run(lambda: None))
        await world.clock.advance(0.1)
        yield
        task.cancel()


async def test_a_measure_becomes_an_order_once_a_period() -> None:
    world = World()
    async with running(world):
        assert world.orders == []
        world.value = 2.0
        await world.clock.advance(9.0)
        assert world.orders == []
        await world.clock.advance(1.0)
        assert world.orders == [(4, "autoscale: cpu asks for 4")]


async def test_who_does_not_lead_does_not_scale() -> None:
    world, election = World(), Sole()
    election.epoch = None
    world.value = 2.0
    async with running(world, election):
        await world.clock.advance(60.0)
        assert world.orders == []


async def test_old_samples_scale_nothing() -> None:
    world = World()
    async with running(world):
        world.value = None
        await world.clock.advance(200.0)
        assert world.orders == []


async def test_a_rollout_is_not_scaled_down() -> None:
    world = World()
    world.copies[1] = world.copy("2", "old")
    world.value = 0.1
    async with running(world):
        assert world.orders == []
        world.copies[1] = world.copy("2")
        await world.clock.advance(10.0)
        assert world.orders == [(1, "autoscale: cpu asks for 1")]


async def test_a_rollout_that_fails_is_not_scaled_up() -> None:
    world = World()
    world.copies[1] = world.copy("2", "old")
    world.memory = Memory(failures=(Failure("s/web", "1", "a", "n", 0.0),))
    world.value = 3.0
    async with running(world):
        await world.clock.advance(60.0)
        assert world.orders == []
        world.memory = Memory()
        await world.clock.advance(10.0)
        assert world.orders == [(6, "autoscale: cpu asks for 6")]


async def test_canaries_and_those_that_leave_are_not_measured() -> None:
    world = World()
    world.copies += [
        world.copy("canary-1"),
        replace(world.copy("3"), is_draining=True),
        replace(world.copy("4"), stage=Stage.EXITED),
        replace(world.copy("5"), health=Health.STARTING),
    ]
    world.value = 1.0
    async with running(world):
        await world.clock.advance(30.0)
        assert world.orders == []


async def test_an_order_that_is_refused_is_given_again() -> None:
    world = World()
    world.refuses, world.value = True, 2.0
    async with running(world):
        await world.clock.advance(10.0)
        world.refuses = False
        await world.clock.advance(30.0)
        assert world.orders[0][0] == 4
