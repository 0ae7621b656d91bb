"""Fencing by the node itself, in a cluster of numbers: the real plan, agent and fencer."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from sidecar.catalog.kv import Entry, Listing
from sidecar.catalog.live import Catalog
from sidecar.errors import StoreUnavailable
from sidecar.runtime.clock import FakeClock
from sidecar.scheduler.actions import Fence, Unfence
from sidecar.scheduler.agent.component import Agent
from sidecar.scheduler.agent.lease import NodeLease
from sidecar.scheduler.cluster import Cluster, Copy, Goal, Stage
from sidecar.scheduler.fencer import Fencer
from sidecar.scheduler.fencing import Fencing
from sidecar.scheduler.model import NANO, NodeView, Request, Resources, State
from sidecar.scheduler.simulation import Latency, Simulation
from sidecar.stores.keyvalue import EmbeddedKeyValue

if TYPE_CHECKING:
    from sidecar.scheduler.agent.halting import Halter

TTL, MARGIN = 5.0, 1.0
GIB = 2**30


class Wire:
    """The way from one node to the store; it can be cut."""

    def __init__(self, keys: EmbeddedKeyValue, clock: FakeClock, delay: float) -> None:
        self.is_cut = False
        self._keys = keys
        self._clock = clock
        self._delay = delay

    async def _pass(self) -> None:
        await self._clock.sleep(self._delay)
        if self.is_cut:
            raise StoreUnavailable("cut")

    async def get(self, key: str) -> Entry | None:
        await self._pass()
        return await self._keys.get(key)

    async def list(self, prefix: str) -> Listing:
        await self._pass()
        return await self._keys.list(prefix)

    async def put(self, key: str, value: bytes, *, flags: int = 0, cas: int | None = None) -> None:
        await self._pass()
        await self._keys.put(key, value, flags=flags, cas=cas)
        await self._pass()

    async def delete(self, key: str) -> None:
        await self._pass()
        await self._keys.delete(key)

    async def close(self) -> None:
        return

    def watch(self, prefix: str, after: int = -1) -> AsyncIterator[Listing]:
        return self._keys.watch(prefix, after)


class Halts:
    """Ends what runs on a node of the simulation."""

    def __init__(self, world: "World", node: str) -> None:
        self._world = world
        self._node = node

    async def look(self) -> None:
        return

    async def halt(self) -> bool:
        for copy in self._world.alive():
            if copy.node == self._node:
                self._world.crash(copy.name, 137)
        return True


class World(Simulation):
    """Numbers, with nodes that hide what happens on them while they are silent."""

    def __init__(self, clock: FakeClock, fencer: Fencer, size: int, goal: Goal) -> None:
        nodes = [
            NodeView(name=f"n{number}", capacity=Resources(8 * NANO, 8 * GIB))
            for number in range(size)
        ]
        super().__init__(nodes, [goal], latency=Latency(0.3, 0.3, 0.3, 0.3))
        self._turned = clock
        self._fencer = fencer
        self._shown: dict[str, tuple[Copy, ...]] = {}
        self.asked: list[Fence] = []

    def alive(self) -> list[Copy]:
        return [copy for copy in self.copies.get("db", ()) if copy.stage is Stage.RUNNING]

    def silence(self, node: str) -> None:
        copies = tuple(copy for copy in self.copies.get("db", ()) if copy.node == node)
        self._shown[node] = copies
        self.set_node(node, State.DOWN)

    def restore(self, node: str) -> None:
        self._shown.pop(node, None)
        self.set_node(node, State.UP)

    def cluster(self) -> Cluster:
        seen = super().cluster()
        copies = [copy for copy in seen.copies.get("db", ()) if copy.node not in self._shown]
        copies += [copy for shown in self._shown.values() for copy in shown]
        fences = self._fencer.fences(self.now)
        return replace(seen, copies={"db": tuple(copies)} if copies else {}, fences=fences)

    async def step(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.5)):
            await self._look()
            await self._pass()

    async def _look(self) -> None:
        for action in self.look().actions:
            if isinstance(action, Unfence):
                await self._fencer.unfence(action.node, action.fencing, 7)
            elif isinstance(action, Fence):
                self.asked.append(action)
                await self._fencer.fence(action.node, action.fencing, 7)

    async def _pass(self) -> None:
        for _ in range(5):
            await self._turned.advance(0.1)
            self.turn(0.1)
            self.assert_alone()

    def assert_alone(self) -> None:
        slots = [copy.slot for copy in self.alive()]
        assert len(slots) == len(set(slots)), f"at {self.now:g} two run of one slot: {self.alive()}"


def goal_of(fencing: Fencing, size: int) -> Goal:
    slots = {str(number): Request(service="db", slot=str(number)) for number in range(1, size + 1)}
    return Goal(service="db", spec="a", slots=slots, fencing=fencing, lost_after=3.0)


@asynccontextmanager
async def world_of(
    size: int, fencing: Fencing = Fencing.SELF, seed: int = 0
) -> AsyncIterator[tuple[World, dict[str, Wire]]]:
    clock, draw = FakeClock(), random.Random(seed)
    keys = EmbeddedKeyValue(Catalog(), clock)
    fencer = Fencer(keys, margin=MARGIN, clock=clock)
    world = World(clock, fencer, size, goal_of(fencing, 3))
    wires: dict[str, Wire] = {}
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(fencer.run())]
        for number in range(size):
            name = f"n{number}"
            wires[name] = Wire(keys, clock, draw.uniform(0.0, 0.3))
            lease = NodeLease(wires[name], name, name, ttl=TTL, margin=MARGIN, clock=clock)
            agent = Agent(lease, cast("Halter", Halts(world, name)), clock=clock)
            tasks.append(group.create_task(agent.run(lambda: None)))
        await clock.advance(2.0)
        yield world, wires
        for task in tasks:
            task.cancel()
        await clock.advance(3.0)


def nodes_of(world: World) -> Iterator[str]:
    return (copy.node for copy in world.alive())


async def settled(world: World, limit: float = 60.0, *, without: str = "") -> float:
    begun = world.now
    while len(world.alive()) < 3 or without in set(nodes_of(world)):
        assert world.now - begun < limit, world.plans[-1].actions
        await world.step(0.5)
    return world.now - begun


async def test_a_copy_on_a_lost_node_has_ended_before_its_successor_runs() -> None:
    async with world_of(4) as (world, wires):
        await settled(world)
        lost = next(nodes_of(world))
        begun = world.now
        wires[lost].is_cut = True
        world.silence(lost)
        await settled(world, without=lost)
        assert begun + 3.0 + TTL + MARGIN <= world.now <= begun + 3.0 + TTL + MARGIN + 4.0


async def test_a_node_whose_engine_alone_is_silent_stops_as_soon_as_it_is_denied() -> None:
    async with world_of(4) as (world, _):
        await settled(world)
        lost = next(nodes_of(world))
        world.silence(lost)
        await world.step(2.5)
        assert lost in set(nodes_of(world))
        await world.step(1.0)
        await world.step(TTL)
        assert lost not in set(nodes_of(world))
        await settled(world, without=lost)


async def test_a_node_that_is_back_gets_its_lease_and_work_again() -> None:
    async with world_of(3) as (world, wires):
        await settled(world)
        lost = next(nodes_of(world))
        wires[lost].is_cut = True
        world.silence(lost)
        await world.step(20.0)
        world.restore(lost)
        wires[lost].is_cut = False
        await world.step(5.0)
        fences = world.cluster().fences
        assert (dict(fences.denied), lost in fences.leased) == ({}, True)
        assert len(world.alive()) == 3


async def test_no_copy_goes_to_a_node_without_an_agent() -> None:
    async with world_of(4) as (world, wires):
        wires["n1"].is_cut = True
        await world._turned.advance(TTL + 2.0)
        await settled(world)
        for _ in range(5):
            world.crash(world.alive()[0].name)
            await settled(world, 2000.0)
        assert "n1" not in {copy.node for copy in world.copies["db"]}


@pytest.mark.parametrize("fencing", [Fencing.NONE, Fencing.CATALOG])
async def test_without_it_two_may_run_which_the_check_here_would_see(fencing: Fencing) -> None:
    async with world_of(4, fencing) as (world, _):
        await settled(world)
        world.silence(next(nodes_of(world)))
        with pytest.raises(AssertionError, match="two run of one slot"):
            await world.step(20.0)


@pytest.mark.parametrize("seed", range(12))
async def test_never_two_of_one_slot_whatever_breaks(seed: int) -> None:
    draw = random.Random(seed)
    async with world_of(5, seed=seed) as (world, wires):
        for _ in range(60):
            name = draw.choice([*wires])
            match draw.randrange(6):
                case 0:
                    wires[name].is_cut = True
                case 1:
                    wires[name].is_cut = False
                case 2 if len(world._shown) < 2:
                    world.silence(name)
                case 3:
                    world.restore(name)
                case 4 if len(world._shown) < 2:
                    wires[name].is_cut = True
                    world.silence(name)
                case 5:
                    wires[name].is_cut = False
                    world.restore(name)
            await world.step(draw.choice([0.5, 1.0, 3.0]))
        for name, wire in wires.items():
            wire.is_cut = False
            world.restore(name)
        await settled(world, 900.0)
