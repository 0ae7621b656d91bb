"""What a rollout is said to be, at each of its moments in a simulated cluster."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sidecar.scheduler.cluster import Copy, Goal, Health, Stage
from sidecar.scheduler.conduct import OnFailure, Order, Restart, Update, When
from sidecar.scheduler.memory import Memory
from sidecar.scheduler.model import NANO, NodeView, Request, Resources
from sidecar.scheduler.rollout import Phase, Rollout, rollout_of
from sidecar.scheduler.simulation import Simulation

NODES = [NodeView(name=f"n{n}", capacity=Resources(8 * NANO, 2**33)) for n in range(3)]
START_FIRST = Update(order=Order.START_FIRST)


def _goal(size: int = 3, spec: str = "one", **more: Any) -> Goal:
    request = Request(service="web", resources=Resources(NANO, 2**20))
    slots = {str(slot): replace(request, slot=str(slot)) for slot in range(1, size + 1)}
    more.setdefault("update", START_FIRST)
    return Goal(service="web", spec=spec, slots=slots, **more)


def _seen(world: Simulation) -> Rollout:
    return rollout_of(world.goals[0], world.cluster(), world.memory, world.now)


def _alive(world: Simulation) -> list[Copy]:
    return [each for each in world.copies.get("web", ()) if each.stage is Stage.RUNNING]


def _run(world: Simulation, seconds: int, *, fails: str = "") -> None:
    for _ in range(seconds):
        world.run(1.0)
        for copy in _alive(world):
            if copy.spec == fails:
                world.crash(copy.name)


def _world(goal: Goal) -> Simulation:
    world = Simulation(NODES, [goal])
    world.until_quiet()
    return world


def test_the_first_spec_is_idle_when_it_runs_and_the_next_is_completed() -> None:
    world = Simulation(NODES, [_goal()])
    assert _seen(world).phase is Phase.UPDATING
    world.until_quiet()
    assert _seen(world).phase is Phase.IDLE
    assert _seen(world).is_settled
    world.goals = [_goal(spec="two", previous=_goal())]
    _run(world, 3)
    assert _seen(world).phase is Phase.UPDATING
    assert not _seen(world).is_settled
    _run(world, 200)
    assert _seen(world).phase is Phase.COMPLETED
    assert (_seen(world).current, _seen(world).ready, _seen(world).wanted) == (3, 3, 3)


def test_each_slot_is_watched_before_the_next_one_begins() -> None:
    update = replace(START_FIRST, monitor=30.0)
    world = _world(_goal())
    world.goals = [_goal(spec="two", update=update)]
    _run(world, 25)
    assert sum(each.spec == "two" for each in _alive(world)) == 1
    _run(world, 20)
    assert sum(each.spec == "two" for each in _alive(world)) == 2


def test_what_fails_after_it_was_watched_is_no_failure_of_the_rollout() -> None:
    world = _world(_goal())
    world.goals = [_goal(spec="two")]
    _run(world, 12)
    (copy,) = [each for each in _alive(world) if each.spec == "two"][:1]
    world.crash(copy.name)
    _run(world, 120)
    assert _seen(world).current == 3


def test_a_person_pauses_it_and_has_it_go_on() -> None:
    world = _world(_goal())
    world.goals = [_goal(spec="two", is_paused=True)]
    _run(world, 30)
    assert _seen(world).phase is Phase.PAUSED
    assert _seen(world).current == 0
    world.goals = [_goal(spec="two", previous=_goal())]
    _run(world, 200)
    assert _seen(world).phase is Phase.COMPLETED


def test_failures_pause_it_until_a_person_has_it_go_on() -> None:
    world = _world(_goal())
    world.goals = [_goal(spec="bad")]
    _run(world, 60, fails="bad")
    found = _seen(world)
    assert (found.phase, found.failed) == (Phase.PAUSED, ("1",))
    assert "bad failed" in found.why
    _run(world, 600)
    assert _seen(world).phase is Phase.PAUSED
    world.goals = [_goal(spec="bad", attempt=1, previous=_goal())]
    _run(world, 600)
    assert _seen(world).phase is Phase.COMPLETED


def test_that_it_stopped_outlives_the_process() -> None:
    world = _world(_goal())
    world.goals = [_goal(spec="bad")]
    _run(world, 60, fails="bad")
    world.memory = Memory()
    world.goals = [_goal(spec="bad", is_stopped=True)]
    _run(world, 60)
    assert _seen(world).phase is Phase.PAUSED
    assert sum(each.spec == "one" for each in _alive(world)) == 3


def test_what_had_ended_before_this_process_began_is_no_failure_of_a_rollout() -> None:
    world = _world(_goal())
    for spec in ("two", "one", "two"):  # so that ended copies of each are left
        world.goals = [_goal(spec=spec)]
        _run(world, 200)
    world.memory = Memory()
    world.goals = [_goal(spec="one", previous=_goal(spec="two"))]
    _run(world, 200)
    assert _seen(world).phase is Phase.COMPLETED


def test_failures_take_it_back_and_then_it_has_failed() -> None:
    update = replace(START_FIRST, on_failure=OnFailure.ROLLBACK, parallelism=2)
    good = _goal(update=update)
    world = _world(good)
    world.goals = [_goal(spec="bad", update=update, previous=good, rollback=START_FIRST)]
    _run(world, 1)
    phases = set()
    for _ in range(200):
        _run(world, 1, fails="bad")
        phases.add(_seen(world).phase)
    assert _seen(world).phase is Phase.FAILED
    assert "taken back to one" in _seen(world).why
    assert sum(each.spec == "one" for each in _alive(world)) == 3


def test_the_last_slot_can_be_the_one_that_fails_it() -> None:
    update = replace(START_FIRST, on_failure=OnFailure.ROLLBACK)
    good = _goal(1, update=update)
    world = _world(good)
    world.goals = [_goal(1, "bad", update=update, previous=good)]
    for _ in range(30):  # it becomes ready, takes the old one's place, and ends while it is watched
        _run(world, 1)
        alive = _alive(world)
        if len(alive) == 1 and alive[0].spec == "bad":
            world.crash(alive[0].name)
    _run(world, 100)
    assert [each.spec for each in _alive(world)] == ["one"]


def test_a_rollback_that_fails_is_held_and_never_taken_back_itself() -> None:
    update = replace(START_FIRST, on_failure=OnFailure.ROLLBACK)
    good = _goal(update=update)
    world = _world(good)
    world.goals = [_goal(spec="two", update=update, previous=good)]
    _run(world, 200)
    back = _goal(update=START_FIRST, is_rollback=True)
    world.goals = [back]
    _run(world, 3)
    assert _seen(world).phase is Phase.ROLLING_BACK
    _run(world, 100, fails="one")
    assert _seen(world).phase is Phase.ROLLBACK_PAUSED
    world.goals = [replace(back, is_paused=True)]
    assert _seen(world).phase is Phase.ROLLBACK_PAUSED


def test_a_first_spec_that_never_runs_has_failed_when_it_was_stopped() -> None:
    world = Simulation(NODES, [_goal(is_stopped=True)])
    _run(world, 30)
    assert _seen(world).phase is Phase.FAILED


@pytest.mark.parametrize(("least", "lowest"), [(None, 3), (1, 3), (4, 4)])
def test_so_many_stay_ready_as_are_asked_for(least: int | None, lowest: int) -> None:
    update = Update(min_ready=least, monitor=0.0)
    world = _world(_goal(4, update=update))
    world.goals = [_goal(4, "two", update=update)]
    seen = []
    for _ in range(100):
        _run(world, 1)
        seen.append(sum(not each.is_draining for each in _alive(world)))
    assert min(seen) == lowest
    assert sum(each.spec == "two" for each in _alive(world)) == (0 if least == 4 else 4)


def test_those_that_start_first_take_nothing_away_and_need_no_leave() -> None:
    update = replace(START_FIRST, min_ready=4, monitor=0.0)
    world = _world(_goal(4, update=update))
    world.goals = [_goal(4, "two", update=update)]
    _run(world, 100)
    assert [each.spec for each in _alive(world)] == ["two"] * 4


def _crashed_again_and_again(world: Simulation, seconds: int, after: float, status: int) -> None:
    """Have each copy of spec two on slot 1 end when it has run for a while."""
    for _ in range(seconds):
        _run(world, 1)
        for copy in _alive(world):
            if (copy.spec, copy.slot) == ("two", "1") and world.now - copy.since >= after:
                world.crash(copy.name, status)


def test_by_default_no_more_than_parallelism_are_away_when_new_ones_end_later() -> None:
    update = Update(monitor=0.0, delay=10.0)
    world = _world(_goal(4, update=update))
    world.goals = [_goal(4, "two", update=update)]
    fewest = 4
    for _ in range(120):
        _crashed_again_and_again(world, 1, 6.0, 1)
        if not any(each.slot == "1" for each in _alive(world)):
            fewest = min(fewest, len(_alive(world)))
    assert fewest == 3


@pytest.mark.parametrize(
    ("update", "restart", "after", "status"),
    [
        (Update(monitor=0.0), Restart(When.ON_FAILURE), 1.0, 0),
        (Update(monitor=5.0, max_failure_ratio=0.5), Restart(), 0.0, 1),
        (Update(monitor=0.0, parallelism=0), Restart(), 1.0, 1),
    ],
    ids=["ended well", "failure is borne", "all at once"],
)
def test_nobody_waits_for_what_is_not_to_be_ready_again(
    update: Update, restart: Restart, after: float, status: int
) -> None:
    world = _world(_goal(4, update=update, restart=restart))
    world.goals = [_goal(4, "two", update=update, restart=restart)]
    _crashed_again_and_again(world, 300, after, status)
    assert {each.spec for each in _alive(world) if each.slot != "1"} == {"two"}


def test_a_node_is_emptied_also_while_something_has_no_place() -> None:
    update = Update(monitor=0.0)
    goal = _goal(4, update=update)
    big = Request(service="web", slot="5", resources=Resources(9 * NANO, 2**20))
    world = Simulation(NODES, [replace(goal, slots={**goal.slots, "5": big})])
    world.run(20.0)
    assert len(_alive(world)) == 4, "one has no place"
    world.drain_node("n0")
    world.run(60.0)
    assert sorted(each.node for each in _alive(world)) == ["n1", "n1", "n2", "n2"]


@pytest.mark.parametrize(
    ("exit_code", "phase"), [(0, Phase.IDLE), (1, Phase.FAILED)], ids=["done", "failed"]
)
def test_what_runs_once_is_settled_when_it_ended_well(exit_code: int, phase: Phase) -> None:
    world = _world(_goal(1, restart=Restart(When.NONE)))
    world.crash(_alive(world)[0].name, exit_code)
    assert _seen(world).phase is phase
    assert _seen(world).is_settled is (exit_code == 0)


def test_a_first_spec_that_fails_again_and_again_has_failed() -> None:
    world = Simulation(NODES, [_goal(1)])
    _run(world, 6, fails="one")
    assert _seen(world).phase is Phase.UPDATING
    _run(world, 60, fails="one")
    assert _seen(world).phase is Phase.FAILED
    assert "slot 1 failed" in _seen(world).why


def test_of_a_service_without_slots_nothing_is_taken_back() -> None:
    update = replace(START_FIRST, on_failure=OnFailure.ROLLBACK)
    goal = _goal(0, "bad", update=update, previous=_goal(0), is_stopped=True)
    world = Simulation(NODES, [goal])
    _run(world, 5)
    assert _seen(world).wanted == 0


def _not_up(copy: Copy) -> Copy:
    return replace(copy, is_up=False)


def _sick(copy: Copy) -> Copy:
    return replace(copy, health=Health.STARTING)


@pytest.mark.parametrize("spoil", [_not_up, _sick])
def test_a_copy_that_gets_no_work_is_not_ready(spoil: Callable[[Copy], Copy]) -> None:
    world = _world(_goal(1))
    cluster = world.cluster()
    spoiled = replace(cluster, copies={"web": tuple(map(spoil, cluster.copies["web"]))})
    assert rollout_of(world.goals[0], spoiled, world.memory, world.now).ready == 0
