"""Keeping what is wanted: on a simulated cluster, with everything that can go wrong there."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.scheduler.actions import Alarm, Deregister, Drain, Pending
from sidecar.scheduler.cluster import (
    Copy,
    Goal,
    Health,
    Need,
    OnFailure,
    Order,
    Restart,
    Stage,
    Update,
    When,
)
from sidecar.scheduler.memory import Memory
from sidecar.scheduler.model import NANO, NodeView, Policy, Request, Resources, State
from sidecar.scheduler.simulation import Latency, Simulation
from sidecar.scheduler.spec import Condition

NODES = [
    NodeView(name=f"n{n}", labels={"zone": "ab"[n % 2]}, capacity=Resources(8 * NANO, 2**33))
    for n in range(5)
]


def _goal(service: str = "web", size: int = 3, spec: str = "one", **more: Any) -> Goal:
    request = Request(service=service, resources=Resources(NANO, 2**20))
    slots = {str(slot): replace(request, slot=str(slot)) for slot in range(1, size + 1)}
    return Goal(service=service, spec=spec, slots=slots, **more)


def _alive(world: Simulation, service: str = "web") -> list[Copy]:
    return [each for each in world.copies.get(service, ()) if each.stage is Stage.RUNNING]


def _ready(world: Simulation, spec: str = "one", service: str = "web") -> Counter[str]:
    return Counter(each.slot for each in _alive(world, service) if each.spec == spec)


def _world(*goals: Goal, **more: Any) -> Simulation:
    world = Simulation(NODES, goals, **more)
    world.until_quiet()
    return world


def test_what_is_wanted_comes_to_run_and_nothing_more_happens() -> None:
    world = _world(_goal(size=7))
    assert _ready(world) == {str(slot): 1 for slot in range(1, 8)}
    assert world.look().actions == ()
    assert max(Counter(each.node for each in _alive(world)).values()) == 2


def test_what_ends_is_started_again_later_and_later() -> None:
    world = _world(_goal(size=1, restart=Restart(delay=10.0)))
    waits = []
    for _ in range(3):
        (copy,) = _alive(world)
        world.crash(copy.name)
        crashed = world.now
        while not _alive(world):
            world.run(1.0)
        waits.append(world.now - crashed)
    assert waits[0] == pytest.approx(12, abs=3)
    assert waits[1] == pytest.approx(22, abs=3)
    assert waits[2] == pytest.approx(42, abs=3)


@pytest.mark.parametrize(
    ("restart", "exit_code", "comes_back"),
    [
        (Restart(When.NONE), 1, False), (Restart(When.ON_FAILURE), 0, False),
        (Restart(When.ON_FAILURE), 1, True), (Restart(When.ANY), 0, True),
        (Restart(When.ANY, max_attempts=1), 1, True),
    ],
)  # fmt: skip
def test_the_restart_policy_decides(restart: Restart, exit_code: int, comes_back: bool) -> None:
    world = _world(_goal(size=1, restart=restart))
    world.crash(_alive(world)[0].name, exit_code)
    world.run(30.0)
    assert bool(_alive(world)) is comes_back
    if restart.max_attempts:
        world.crash(_alive(world)[0].name, exit_code)
        world.run(900.0)
        assert not _alive(world)


def test_of_what_ended_two_are_kept_for_their_logs() -> None:
    world = _world(_goal(size=1, restart=Restart(delay=0.0)))
    for _ in range(6):
        world.crash(_alive(world)[0].name)
        world.run(700.0, 5.0)
    ended = [each for each in world.copies["web"] if each.stage is Stage.EXITED]
    assert [each.incarnation for each in ended] == [5, 6]


def test_an_unhealthy_copy_is_drained_before_it_is_replaced() -> None:
    world = _world(_goal(size=1), latency=Latency(healthy=1.0))
    (copy,) = _alive(world)
    world.sicken(copy.name)
    (drain,) = world.look().actions
    assert isinstance(drain, Drain)
    world.run(60.0)
    (fresh,) = _alive(world)
    assert fresh.health is Health.HEALTHY
    assert fresh.incarnation == 2


@pytest.mark.parametrize("order", Order)
def test_a_new_spec_is_rolled_out_one_by_one(order: Order) -> None:
    world = _world(_goal(size=4, update=Update(order=order)), latency=Latency(healthy=3.0))
    world.goals = [_goal(size=4, spec="two", update=Update(order=order))]
    least, most = 4, 4
    for _ in range(400):
        world.run(1.0)
        serving = [
            each for each in _alive(world) if each.health is Health.HEALTHY and not each.is_draining
        ]
        least, most = min(least, len(serving)), max(most, len(_alive(world)))
    assert _ready(world, "two") == {str(slot): 1 for slot in range(1, 5)}
    assert not _ready(world, "one")
    assert least == (4 if order is Order.START_FIRST else 3)
    assert most == (5 if order is Order.START_FIRST else 4)


def test_parallelism_and_delay_are_kept() -> None:
    update = Update(parallelism=2, delay=50.0, order=Order.START_FIRST)
    world = _world(_goal(size=6, update=update))
    world.goals = [_goal(size=6, spec="two", update=update)]
    world.run(45.0)
    assert sum(_ready(world, "two").values()) == 2, "the delay is from one group to the next"
    world.run(60.0)
    assert sum(_ready(world, "two").values()) == 4
    world.run(60.0)
    assert sum(_ready(world, "two").values()) == 6


def test_the_delay_begins_when_the_new_copies_are_ready() -> None:
    update = Update(delay=30.0, order=Order.START_FIRST, monitor=5.0)
    world = _world(_goal(size=2, update=update), latency=Latency(healthy=25.0))
    world.goals = [_goal(size=2, spec="two", update=update)]
    world.run(50.0)
    assert sum(each.spec == "two" for each in world.copies["web"]) == 1
    world.run(60.0)
    assert sum(_ready(world, "two").values()) == 2


def test_another_process_keeps_the_delay() -> None:
    update = Update(delay=100.0, order=Order.START_FIRST)
    world = _world(_goal(size=3, update=update))
    world.goals = [_goal(size=3, spec="two", update=update)]
    world.run(40.0)
    world.memory = Memory()
    world.run(40.0)
    assert sum(_ready(world, "two").values()) == 1
    world.run(60.0)
    assert sum(_ready(world, "two").values()) == 2


def test_a_rollout_that_fails_pauses_and_the_rest_stays_as_it_was() -> None:
    update = Update(order=Order.START_FIRST)
    world = _world(_goal(update=update))
    world.goals = [_goal(spec="bad", update=update)]
    for _ in range(120):
        world.run(1.0)
        for copy in _alive(world):
            if copy.spec == "bad":
                world.crash(copy.name)
    alarms = [each for found in world.plans for each in found.actions if isinstance(each, Alarm)]
    assert [each.text for each in alarms] == ["the rollout of web stopped: too much of it failed"]
    assert sum(_ready(world).values()) == 3
    assert {each.slot for each in world.copies["web"] if each.spec == "bad"} == {"1"}


def test_a_rollout_that_fails_can_take_itself_back() -> None:
    update = Update(on_failure=OnFailure.ROLLBACK)
    good = _goal(update=update)
    world = _world(good)
    world.goals = [_goal(spec="bad", update=update, previous=good)]
    for _ in range(200):
        world.run(1.0)
        for copy in _alive(world):
            if copy.spec == "bad":
                world.crash(copy.name)
    assert _ready(world) == {"1": 1, "2": 1, "3": 1}


def test_fewer_and_none() -> None:
    world = _world(_goal(size=5))
    world.goals = [_goal(size=2)]
    world.until_quiet()
    assert _ready(world) == {"1": 1, "2": 1}
    world.goals = []
    world.until_quiet()
    assert world.copies == {}


def test_a_lost_node_is_replaced_and_loses_when_it_comes_back() -> None:
    world = _world(_goal(size=5, lost_after=15.0))
    (lost,) = [each for each in _alive(world) if each.node == "n2"]
    world.set_node("n2", State.SUSPECT)
    world.run(5.0)
    assert len(_alive(world)) == 5, "nothing moves at a suspicion"
    world.set_node("n2", State.DOWN)
    begun = world.now
    while not any(each.slot == lost.slot and each.incarnation == 2 for each in _alive(world)):
        world.run(1.0)
    assert 15 <= world.now - begun <= 20
    assert any(isinstance(each, Deregister) for found in world.plans for each in found.actions)
    world.set_node("n2", State.UP)
    world.until_quiet(world.now + 300)
    assert _ready(world) == {str(slot): 1 for slot in range(1, 6)}
    (kept,) = [each for each in _alive(world) if each.slot == lost.slot]
    assert kept.incarnation == 2
    stopped = [each for each in world.copies["web"] if each.name == lost.name]
    assert stopped == [] or stopped[0].is_drained, "it was drained, not killed"


def test_when_most_nodes_are_away_nothing_moves() -> None:
    world = _world(_goal(size=5))
    before = world.copies
    for name in ("n0", "n1", "n2"):
        world.set_node(name, State.DOWN)
    world.run(60.0)
    assert world.copies == before
    assert any(isinstance(each, Alarm) for each in world.plans[-1].actions)


def test_a_service_that_must_not_move_waits_for_its_node() -> None:
    world = _world(_goal(size=5, moves=False))
    world.power_off("n1")
    world.run(100.0)
    assert len(world.copies["web"]) == 5, "nothing was made elsewhere"
    world.set_node("n1", State.UP)
    world.run(60.0)
    assert len(_alive(world)) == 5


def test_a_node_that_is_to_be_emptied_is_emptied_without_a_gap() -> None:
    world = _world(_goal(size=5, update=Update(order=Order.START_FIRST)))
    world.drain_node("n3")
    world.until_quiet(600)
    assert _ready(world) == {str(slot): 1 for slot in range(1, 6)}
    assert "n3" not in {each.node for each in _alive(world)}


def test_what_has_no_place_is_tried_at_every_look() -> None:
    world = Simulation(NODES[:1], [_goal(size=9)])
    world.run(60.0)
    assert len(_alive(world)) == 8
    (pending,) = world.look().actions
    assert isinstance(pending, Pending)
    assert pending.refusal.reasons[0][0].text == "CPU short"


@pytest.mark.parametrize("condition", Condition)
def test_a_service_waits_for_what_it_needs(condition: Condition) -> None:
    first = _goal("db", 1, restart=Restart(When.ON_FAILURE))
    needs = (Need("db", condition),)
    world = Simulation(NODES, [first, _goal(needs=needs)], latency=Latency(healthy=30.0))
    world.run(10.0)
    assert bool(world.copies.get("web")) is (condition is Condition.STARTED)
    if condition is Condition.COMPLETED:
        world.crash(_alive(world, "db")[0].name, exit_code=0)
    world.run(90.0)
    assert len(_alive(world)) == 3


def test_a_node_on_which_much_fails_is_taken_last() -> None:
    world = _world(_goal(size=1, restart=Restart(delay=0.0)), policy=Policy(seed=1))
    (first,) = _alive(world)
    seen = []
    for _ in range(30):
        for copy in _alive(world):
            if copy.node == first.node:
                world.crash(copy.name)
        world.run(5.0)
        seen += [each.node for each in _alive(world)]
    assert seen[-1] != first.node


FAULTS = st.lists(
    st.tuples(
        st.sampled_from(["down", "up", "crash", "sicken", "spec", "size", "forget", "off"]),
        st.integers(0, 99),
        st.integers(1, 40),
    ),
    max_size=12,
)


def _break(world: Simulation, what: str, which: int) -> None:
    copies = [each for group in world.copies.values() for each in group]
    node = f"n{which % 5}"
    if what in {"down", "off"}:
        (world.set_node if what == "down" else lambda name, _: world.power_off(name))(
            node, State.DOWN
        )
    elif what == "up":
        world.set_node(node, State.UP)
    elif what in {"crash", "sicken"} and copies:
        getattr(world, what)(copies[which % len(copies)].name)
    elif what == "spec":
        world.goals = [replace(each, spec=f"s{which % 3}") for each in world.goals]
    elif what == "size":
        world.goals = [
            _goal(size=which % 6 + 1, spec=each.spec, update=each.update) for each in world.goals
        ]
    elif what == "forget":
        world.memory = type(world.memory)()  # the scheduler was killed and started again


def _ticks(world: Simulation, seconds: int) -> Iterator[None]:
    for _ in range(seconds):
        world.run(1.0)
        yield


@settings(max_examples=40)
@given(FAULTS, st.sampled_from(Order), st.integers(1, 3))
def test_whatever_happens_it_converges_and_no_slot_has_more_than_it_may(
    faults: list[tuple[str, int, int]], order: Order, parallelism: int
) -> None:
    update = Update(parallelism, order=order, on_failure=OnFailure.CONTINUE)
    world = Simulation(NODES, [_goal(size=4, update=update)], latency=Latency(healthy=2.0))
    for what, which, seconds in faults:
        _break(world, what, which)
        for _ in _ticks(world, seconds):
            names = [each.name for group in world.copies.values() for each in group]
            assert len(names) == len({*names})
    for node in NODES:
        world.set_node(node.name, State.UP)
    world.run(2000.0, 5.0)
    goal = world.goals[0]
    assert _ready(world, goal.spec) == dict.fromkeys(goal.slots, 1)
    assert len(_alive(world)) == len(goal.slots)
