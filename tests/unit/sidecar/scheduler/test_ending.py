"""How copies end, and what is kept of them."""

from dataclasses import replace
from typing import Any

import pytest

from sidecar.scheduler.cluster import Copy, Goal, Stage
from sidecar.scheduler.conduct import Keeps, Restart
from sidecar.scheduler.ending import witness_of
from sidecar.scheduler.model import NANO, NodeView, Port, Request, Resources, State
from sidecar.scheduler.simulation import Simulation

NODES = [NodeView(name=f"n{n}", capacity=Resources(4 * NANO, 2**33)) for n in range(3)]
PLAIN = Request(service="web", resources=Resources(NANO, 2**20))


def _goal(request: Request = PLAIN, **more: Any) -> Goal:
    return Goal(service="web", spec="one", slots={"1": replace(request, slot="1")}, **more)


def _world(goal: Goal, nodes: list[NodeView] = NODES) -> Simulation:
    world = Simulation(nodes, [goal])
    world.until_quiet()
    return world


def _ended(world: Simulation) -> list[str]:
    return [copy.name for copy in world.copies["web"] if copy.stage is Stage.EXITED]


@pytest.mark.parametrize("keeps", [Keeps.REPLACEMENT, Keeps.ORIGINAL])
def test_the_copy_that_lost_is_drained_stopped_and_kept_for_an_hour(keeps: Keeps) -> None:
    world = _world(_goal(keeps=keeps))
    (first,) = world.copies["web"]
    world.set_node(first.node, State.DOWN)
    world.run(30.0)
    world.set_node(first.node, State.UP)
    world.until_quiet(world.now + 100)
    loser = first.name if keeps is Keeps.REPLACEMENT else "web_1_2"
    (copy,) = [each for each in world.copies["web"] if each.name == loser]
    assert (copy.stage, copy.is_drained) == (Stage.EXITED, True)
    world.run(3500.0, 10.0)
    assert _ended(world) == [loser]
    world.run(200.0)
    assert _ended(world) == []


def test_how_long_can_be_said_and_the_others_are_kept_besides() -> None:
    world = _world(_goal(orphan_keep=100.0, restart=Restart(delay=0.0)))
    (first,) = world.copies["web"]
    world.set_node(first.node, State.DOWN)
    world.run(30.0)
    world.set_node(first.node, State.UP)
    world.run(20.0)
    for _ in range(3):
        (alive,) = [copy for copy in world.copies["web"] if copy.stage is Stage.RUNNING]
        world.crash(alive.name)
        world.run(15.0)
    assert _ended(world) == [first.name, "web_1_2", "web_1_3", "web_1_4"]
    world.run(100.0)
    assert _ended(world) == ["web_1_3", "web_1_4"]


def test_what_ended_before_another_one_began_is_no_orphan() -> None:
    old = Copy(name="a", node="n1", slot="1", spec="s", incarnation=1, stage=Stage.EXITED, since=9)
    new = Copy(name="b", node="n2", slot="1", spec="s", incarnation=2, started=10, since=10)
    assert not witness_of(old, [old, new])
    assert witness_of(replace(old, since=11), [new])
    assert not witness_of(replace(old, since=11), [replace(new, node="n1")])
    assert not witness_of(replace(old, since=11), [replace(new, spec="t")])
    assert not witness_of(replace(old, since=11), [replace(new, started=None)])
    over = replace(new, stage=Stage.EXITED, since=12)
    assert witness_of(replace(old, since=11), [over])
    assert not witness_of(replace(old, since=13), [over])


@pytest.mark.parametrize(
    "request_",
    [
        replace(PLAIN, resources=Resources(4 * NANO, 2**20)),
        replace(PLAIN, ports=(Port(80),)),
        replace(PLAIN, max_per_node=1),
    ],
    ids=["the whole node", "a fixed port", "one per node"],
)
def test_what_ended_keeps_nothing_from_the_copy_that_follows_it(request_: Request) -> None:
    world = _world(_goal(request_, restart=Restart(delay=1.0)), NODES[:1])
    for number in range(1, 4):
        world.crash(f"web_1_{number}")
        world.run(60.0)
        (alive,) = [each for each in world.copies["web"] if each.stage is Stage.RUNNING]
        assert alive.incarnation == number + 1


def test_a_full_node_that_has_slots_left_for_the_living_is_used() -> None:
    node = replace(NODES[0], labels={"containerslots": "2"})
    world = _world(_goal(restart=Restart(delay=1.0)), [node])
    for number in range(1, 4):
        world.crash(f"web_1_{number}")
        world.run(60.0)
    assert [each.incarnation for each in world.copies["web"]] == [2, 3, 4]
