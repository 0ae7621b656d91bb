"""Which slots a service has."""

from dataclasses import replace

import pytest

from sidecar.scheduler.cluster import Cluster, Copy, Goal, Health, Stage
from sidecar.scheduler.expressions import parse_expression
from sidecar.scheduler.model import Availability, NodeView, Request, State
from sidecar.scheduler.simulation import Simulation
from sidecar.scheduler.sizing import sized

NODES = tuple(NodeView(name=name, labels={"zone": name}) for name in "abc")
PATTERN = {"": Request(service="web")}


def _copy(slot: int, node: str = "a", **more: object) -> Copy:
    copy = Copy(name=f"c{slot}", node=node, slot=str(slot), spec="one", incarnation=1)
    return replace(copy, **more)  # type: ignore[arg-type]


def _slots(size: int, *copies: Copy) -> str:
    goal = Goal(service="web", spec="one", slots=PATTERN, size=size)
    return " ".join(sized(goal, Cluster(NODES, {"web": copies})).slots)


def test_slots_are_numbered_and_gaps_are_filled() -> None:
    assert _slots(3) == "1 2 3"
    assert _slots(3, _copy(5), _copy(2)) == "1 2 5"
    assert _slots(0, _copy(1)) == ""


@pytest.mark.parametrize(
    ("copies", "kept"),
    [
        ([_copy(1), _copy(2), _copy(3)], "1 2"),
        ([_copy(1, stage=Stage.EXITED), _copy(2), _copy(3)], "2 3"),
        ([_copy(1, health=Health.UNHEALTHY), _copy(2), _copy(3)], "2 3"),
        ([_copy(1, health=Health.STARTING), _copy(2), _copy(3)], "2 3"),
        ([_copy(1, is_draining=True), _copy(2, stage=Stage.EXITED), _copy(3)], "2 3"),
        ([_copy(1, is_draining=True, stage=Stage.EXITED), _copy(2), _copy(3)], "2 3"),
        ([_copy(1, "a"), _copy(2, "a"), _copy(3, "b")], "1 3"),
        ([_copy(1, "a", epoch=9), _copy(2, "b"), _copy(3, "c")], "2 3"),
        ([_copy(2, stage=Stage.EXITED), _copy(3)], "2 3"),
    ],
)
def test_those_that_are_worth_least_go_first(copies: list[Copy], kept: str) -> None:
    assert _slots(2, *copies) == kept


def test_the_choice_stays_while_it_is_carried_out() -> None:
    goal = Goal(service="web", spec="one", slots=PATTERN, size=6)
    world = Simulation(NODES, [goal])
    world.until_quiet()
    world.goals = [replace(goal, size=3)]
    seen = set()
    for _ in range(30):
        world.run(1.0)
        seen.add(tuple(sized(world.goals[0], world.cluster()).slots))
    assert len(seen) == 1
    assert len(world.copies["web"]) == 3


def test_a_service_of_each_node_has_a_slot_on_those_that_may_have_one() -> None:
    rules = Request(
        service="web",
        constraints=(parse_expression("zone!=b"),),
        whitelists=(parse_expression("node==a|b|c"),),
    )
    before = Goal(service="web", spec="none", slots={"": rules}, is_everywhere=True)
    goal = replace(before, spec="one", previous=before)
    world = Simulation([*NODES, NodeView(name="d")], [goal])
    world.until_quiet()
    assert {each.node for each in world.copies["web"]} == {"a", "c"}
    found = sized(goal, world.cluster())
    assert found.previous is not None
    assert found.previous.slots.keys() == {"a", "c"}


@pytest.mark.parametrize(
    ("change", "stays"),
    [
        ({"availability": Availability.PAUSE}, True), ({"availability": Availability.DRAIN}, False),
        ({"state": State.DOWN}, True), ({"state": State.SUSPECT}, True),
    ],
)  # fmt: skip
def test_a_node_keeps_its_slot_until_it_is_to_be_emptied(
    change: dict[str, object], stays: bool
) -> None:
    nodes = (replace(NODES[0], **change), *NODES[1:])  # type: ignore[arg-type]
    goal = Goal(service="web", spec="one", slots=PATTERN, is_everywhere=True)
    with_it = sized(goal, Cluster(nodes, {"web": (replace(_copy(1), slot="a"),)}))
    assert ("a" in with_it.slots) is stays
    assert "a" not in sized(goal, Cluster(nodes, {})).slots


def test_a_size_says_how_many_of_the_previous_spec_too() -> None:
    before = Goal(service="web", spec="none", slots=PATTERN, size=9)
    goal = Goal(service="web", spec="one", slots=PATTERN, size=2, previous=before)
    found = sized(goal, Cluster(NODES, {}))
    assert found.previous is not None
    assert found.slots.keys() == found.previous.slots.keys()
