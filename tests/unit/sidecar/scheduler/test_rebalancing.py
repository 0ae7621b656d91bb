"""Copies that go to nodes which joined: how many, how, and when not."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.scheduler.cluster import Copy, Goal, Health, Order, Stage, Update
from sidecar.scheduler.model import NANO, NodeView, Policy, Request, Resources, State, Strategy
from sidecar.scheduler.simulation import Latency, Simulation

NODES = [
    NodeView(name=f"n{n}", labels={"zone": "ab"[n % 2]}, capacity=Resources(64 * NANO, 2**36))
    for n in range(4)
]
FIRST = Update(order=Order.START_FIRST)


def _goal(size: int = 8, *, rebalances: bool = True, **more: Any) -> Goal:
    asks = {"strategy": Strategy.SPREAD, "spread_over": (), **more.pop("asks", {})}
    request = Request(service="web", resources=Resources(NANO, 2**20), **asks)
    slots = {str(slot): replace(request, slot=str(slot)) for slot in range(1, size + 1)}
    plan = {"service": "web", "spec": "one", "slots": slots, "update": FIRST, **more}
    return Goal(**plan, rebalances=rebalances)


def _alive(world: Simulation) -> list[Copy]:
    return [each for each in world.copies["web"] if each.stage is Stage.RUNNING]


def _spread(world: Simulation) -> list[int]:
    return sorted(Counter(each.node for each in _alive(world)).values())


def _joined(goal: Goal, late: tuple[str, ...] = ("n3",), **more: Any) -> Simulation:
    """Return a cluster of which some nodes come only when all runs."""
    world = Simulation(NODES, [goal], **more)
    for name in late:
        world.set_node(name, State.DOWN)
    world.until_quiet()
    world.run(10.0)
    for name in late:
        world.set_node(name, State.UP)
    return world


def test_a_node_that_joined_gets_its_part_one_by_one_and_nothing_is_missing_meanwhile() -> None:
    world = _joined(_goal(9), latency=Latency(healthy=3.0))
    assert _spread(world) == [3, 3, 3]
    least, most, moves = 9, 9, []
    for _ in range(400):
        world.run(1.0)
        healthy = [each for each in _alive(world) if each.health is Health.HEALTHY]
        least = min(least, sum(not each.is_draining for each in healthy))
        most = max(most, len(_alive(world)))
        moves.append(len(world.memory.moves))
    assert (least, most, max(moves)) == (9, 10, 1), "start, health, drain, stop; one at a time"
    assert _spread(world) == [2, 2, 2, 3]
    assert Counter(each.slot for each in _alive(world)) == dict.fromkeys(map(str, range(1, 10)), 1)
    world.until_quiet(world.now + 300)


def test_a_tenth_of_all_containers_moves_in_a_minute() -> None:
    world = _joined(_goal(40, update=replace(FIRST, parallelism=0, monitor=0.0)))
    begun: set[float] = set()
    at_once = 0
    while _spread(world) != [10, 10, 10, 10]:
        world.run(1.0)
        begun |= {*world.memory.moved}
        at_once = max(at_once, len(world.memory.moves))
        assert world.now < 2000
    assert len(begun) == 10, "no more than it takes"
    assert at_once > 1
    for at in begun:
        assert sum(at <= other < at + 60 for other in begun) <= 4


def test_nothing_is_moved_by_default() -> None:
    world = _joined(_goal(rebalances=False))
    world.run(300.0)
    assert _spread(world) == [2, 3, 3]


@pytest.mark.parametrize("strategy", [Strategy.BINPACK, Strategy.RANDOM])
def test_a_strategy_that_does_not_spread_is_not_undone(strategy: Strategy) -> None:
    world = _joined(_goal(asks={"strategy": strategy}))
    before = Counter(each.node for each in _alive(world))
    world.run(300.0)
    assert Counter(each.node for each in _alive(world)) == before


def test_what_the_strategy_prefers_stays_though_numbers_differ() -> None:
    small = replace(NODES[3], capacity=Resources(2 * NANO, 2**36))
    world = Simulation([NODES[0], small], [_goal(6)])
    world.until_quiet()
    before = Counter(each.node for each in _alive(world))
    assert before["n0"] - before["n3"] >= 2
    world.run(300.0)
    assert Counter(each.node for each in _alive(world)) == before


def test_branches_come_before_nodes() -> None:
    goal = _goal(6, asks={"spread_over": ("zone",)})
    world = _joined(goal, ("n1", "n3"))
    assert Counter(each.node for each in _alive(world)) == {"n0": 3, "n2": 3}
    world.run(1500.0)
    zones = Counter(each.node in {"n1", "n3"} for each in _alive(world))
    assert zones == {True: 3, False: 3}


def test_a_copy_that_does_not_come_up_there_is_given_up_and_the_old_one_stays() -> None:
    world = _joined(_goal(), latency=Latency(healthy=3.0))
    for _ in range(500):
        world.run(1.0)
        for copy in _alive(world):
            if copy.node == "n3":
                world.crash(copy.name)
    on = [each for each in world.copies["web"] if each.node == "n3"]
    assert 1 <= len(on) <= 2, "it is left alone for ten minutes"
    assert _spread(world) == [2, 3, 3]
    assert not world.memory.paused, "this is no rollout that failed"


def test_a_service_that_stops_first_moves_too() -> None:
    world = _joined(_goal(update=Update(order=Order.STOP_FIRST)))
    world.run(1500.0)
    assert _spread(world) == [2, 2, 2, 2]


def test_after_most_nodes_were_away_nothing_moves_that_had_not_to() -> None:
    """Three of four nodes go within four seconds, one by one, and come back."""
    world = _joined(_goal(), late=())
    before = world.copies
    for name in ("n0", "n1", "n2"):
        world.set_node(name, State.SUSPECT)
        world.run(2.0)
    for name in ("n0", "n1", "n2"):
        world.set_node(name, State.DOWN)
    world.run(300.0)
    assert world.copies == before
    for name in ("n0", "n1", "n2"):
        world.set_node(name, State.UP)
        world.run(1.0)
    world.run(300.0)
    assert world.copies == before, "neither moved, nor taken out of the catalogue"


@settings(max_examples=25)
@given(
    st.integers(1, 12),
    st.sampled_from([Strategy.SPREAD, Strategy.BALANCED]),
    st.sampled_from([(), ("zone",)]),
    st.sets(st.sampled_from(["n0", "n1", "n2", "n3"]), min_size=1, max_size=2),
    st.integers(0, 99),
)
def test_moving_ends_and_ends_even(
    size: int, strategy: Strategy, over: tuple[str, ...], late: set[str], seed: int
) -> None:
    goal = _goal(size, asks={"strategy": strategy, "spread_over": over})
    world = _joined(goal, tuple(sorted(late)), policy=Policy(seed=seed))
    world.run(2500.0, 5.0)
    assert Counter(each.slot for each in _alive(world)) == dict.fromkeys(goal.slots, 1)
    assert not world.look().actions
    counts = Counter(each.node for each in _alive(world))
    branches = [{"n0", "n2"}, {"n1", "n3"}] if over else [{"n0", "n1", "n2", "n3"}]
    for branch in branches:
        numbers = [counts[name] for name in branch]
        assert max(numbers) - min(numbers) <= 1
