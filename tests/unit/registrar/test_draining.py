import asyncio
from typing import TYPE_CHECKING

import pytest

from registrar.draining import Drainer
from sidecar.catalog.model import Instance
from sidecar.engine.facts import Container
from sidecar.errors import ApiError, EngineDenied
from sidecar.runtime.clock import FakeClock
from tests.support.catalog import instance
from tests.support.docker import container

if TYPE_CHECKING:
    from sidecar.catalog.work import Step

WEB = instance("web", "vm:box:80")


class World:
    """An engine with one container, a registrar's marks, and a load balancer's counters."""

    def __init__(
        self,
        *instances: Instance,
        counts: list[int | None] | None = None,
        is_shared: bool = False,
        kept: float = 0.0,
    ) -> None:
        self.clock = FakeClock()
        self.containers: dict[str, Container] = {"box": container()}
        self.instances = instances or (WEB,)
        self.counts = counts
        self.marked: list[bool] = []
        self.stopped: list[str] = []
        self.away: str | None = None
        self.refusal: Exception | None = None
        self.steps: list[Step] = []
        self.drainer = Drainer(
            self,
            self,
            self.clock,
            work=None if counts is None else self,
            default=10.0,
            is_shared=is_shared,
            kept=lambda _: kept,
        )

    async def inspect(self, id_: str) -> Container | None:
        return self.containers.get(id_)

    async def stop(self, id_: str) -> bool:
        if self.refusal is not None:
            raise self.refusal
        self.stopped.append(id_)
        return True

    def drain(self, id_: str, *, on: bool) -> tuple[Instance, ...]:
        assert id_ == "box-id"
        self.marked.append(on)
        return self.instances if on else ()

    async def written(self) -> None:
        await asyncio.sleep(0)

    def trouble(self) -> str | None:
        return self.away

    async def in_flight(self, instance: Instance) -> int | None:
        assert self.counts is not None
        return self.counts.pop(0) if len(self.counts) > 1 else self.counts[0]

    async def run(self, *, timeout: float | None = None, stop: bool = True) -> None:
        async for step in self.drainer.drain("box", timeout=timeout, stop=stop):
            self.steps.append(step)

    @property
    def phases(self) -> list[str]:
        return [step.phase for step in self.steps]


async def played(world: World, seconds: float = 100.0, **options: object) -> World:
    async with asyncio.TaskGroup() as group:
        group.create_task(world.run(**options))  # type: ignore[arg-type]
        await world.clock.advance(seconds)
    return world


async def test_a_drain_marks_waits_for_the_counters_and_stops() -> None:
    world = await played(World(counts=[3, 3, 3, 3, 3, 3, 1, 0]))
    assert world.phases == ["marked", "waiting", "done", "stopped"]
    assert (world.steps[0].instances, world.steps[1].in_flight) == (("vm:box:80",), 3)
    assert 1.5 < world.steps[-1].seconds < 2.0
    assert (world.marked, world.stopped) == ([True], ["box-id"])


async def test_one_count_of_nothing_is_not_yet_the_end() -> None:
    world = await played(World(counts=[0, 2, 0, 0]))
    assert world.steps[-1].seconds == pytest.approx(0.8)


async def test_without_counters_the_default_stands_for_them() -> None:
    world = await played(World())
    assert world.steps[-1].seconds == pytest.approx(10.0)
    waiting = [step for step in world.steps if step.phase == "waiting"]
    assert len(waiting) == 9
    assert waiting[0].left == pytest.approx(9.0)


async def test_no_drain_is_shorter_than_names_are_kept() -> None:
    cases: list[tuple[list[int | None] | None, float, float | None, float]] = [
        ([0], 6.0, None, 6.0), ([0], 6.0, 2.0, 6.0), (None, 16.0, None, 16.0),
        (None, 3.0, None, 10.0), ([5], 3.0, 1.0, 3.0),
    ]  # fmt: skip
    for counts, kept, timeout, seconds in cases:
        world = await played(World(counts=counts, kept=kept), timeout=timeout)
        assert world.steps[-1].seconds == pytest.approx(seconds, abs=0.21)


async def test_counters_that_know_nothing_are_none() -> None:
    assert (await played(World(counts=[None]))).steps[-1].seconds == pytest.approx(10.0)


async def test_the_container_says_how_long() -> None:
    one = instance("web", "vm:box:80", meta={"drain": "2s"})
    bad = instance("web", "vm:box:81", meta={"drain": "soon"})
    assert (await played(World(one, bad))).steps[-1].seconds == pytest.approx(2.0)


async def test_where_other_hosts_send_work_the_containers_own_time_is_the_least() -> None:
    asking = instance("web", "vm:box:80", meta={"drain": "2s"})
    for counts, seconds in (([0], 2.0), ([5] * 14 + [0], 3.2)):
        world = await played(World(asking, counts=[*counts], is_shared=True))
        assert world.steps[-1].seconds == pytest.approx(seconds)
    alone = await played(World(asking, counts=[0]))
    assert alone.steps[-1].seconds == pytest.approx(0.4)
    unasked = await played(World(counts=[0], is_shared=True))
    assert unasked.steps[-1].seconds == pytest.approx(0.4)


async def test_counters_say_nothing_when_a_shared_store_did_not_take_the_mark() -> None:
    for is_shared, seconds in ((True, 10.0), (False, 0.4)):
        world = World(counts=[0], is_shared=is_shared)
        world.away = "store: no answer"
        assert (await played(world)).steps[-1].seconds == pytest.approx(seconds)


async def test_when_the_time_is_up_it_is_stopped_all_the_same() -> None:
    world = await played(World(counts=[5]), timeout=3.0)
    assert world.phases[-2:] == ["overdue", "stopped"]
    assert world.steps[-2].in_flight == 5
    assert world.stopped == ["box-id"]


async def test_without_a_stop_the_mark_stays_until_it_is_taken_back() -> None:
    world = await played(World(counts=[0]), stop=False)
    assert (world.phases, world.marked, world.stopped) == (["marked", "done"], [True], [])
    await world.drainer.undo("box")
    assert world.marked == [True, False]


async def test_who_leaves_while_it_waits_takes_the_mark_back() -> None:
    world = World(counts=[1])
    async with asyncio.TaskGroup() as group:
        task = group.create_task(world.run())
        await world.clock.advance(2.0)
        with pytest.raises(ApiError, match="box is being drained"):
            await anext(world.drainer.drain("box"))
        task.cancel()
    assert (world.marked, world.stopped) == ([True, False], [])
    await played(world, timeout=1.0)
    assert world.stopped == ["box-id"]


async def test_an_engine_that_refuses_the_stop_gets_the_mark_taken_back() -> None:
    world = World(counts=[0])
    world.refusal = EngineDenied("no permission")
    with pytest.raises(ExceptionGroup) as caught:
        await played(world)
    assert isinstance(caught.value.exceptions[0], EngineDenied)
    assert world.marked == [True, False]


@pytest.mark.parametrize("reference", ["nope", "../images", ""])
async def test_an_unknown_container_is_not_found(reference: str) -> None:
    world = World()
    with pytest.raises(ApiError, match="there is no container") as caught:
        await anext(world.drainer.drain(reference))
    assert (caught.value.status, world.marked) == (404, [])


async def test_a_container_that_does_not_run_is_refused() -> None:
    world = World()
    world.containers["box"] = container(Running=False)
    with pytest.raises(ApiError, match="does not run") as caught:
        await world.drainer.undo("box")
    assert caught.value.status == 409


async def test_what_is_not_registered_is_stopped_at_once() -> None:
    world = World()
    world.instances = ()
    await played(world)
    assert world.phases == ["marked", "done", "stopped"]
