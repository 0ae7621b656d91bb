"""Services that are not looked at again: what is decided is what a look at all would decide."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from sidecar.scheduler.calm import Calm, Told
from sidecar.scheduler.canary import CanaryPolicy
from sidecar.scheduler.cluster import Cluster, Copy, Goal, Need, Order, Restart, Stage, Update, When
from sidecar.scheduler.conduct import Keeps, OnFailure
from sidecar.scheduler.fencing import Fences, Fencing
from sidecar.scheduler.memory import Memory
from sidecar.scheduler.model import (
    NANO,
    Availability,
    NodeView,
    Policy,
    Port,
    Request,
    Resources,
    State,
    Strategy,
)
from sidecar.scheduler.placing import Kept
from sidecar.scheduler.plan import Plan, plan
from sidecar.scheduler.simulation import Latency, Simulation
from sidecar.scheduler.spec import Condition

FENCES = Fences(leased=frozenset({"n0", "n2"}), wait=5.0)


class _Twice(Simulation):
    """A world whose scheduler looks a second time, at everything."""

    fences = FENCES

    def cluster(self) -> Cluster:
        """Let containers have ids, and members of pods their pods' networks."""
        seen = super().cluster()
        pods = {goal.service: goal.pod for goal in self.goals if goal.pod}
        homes = {
            (service, copy.slot, copy.node): copy.name
            for service, copies in seen.copies.items()
            for copy in copies
            if copy.stage is Stage.RUNNING
        }
        copies = {
            service: tuple(
                replace(
                    copy,
                    id=copy.name,
                    within=homes.get((pods.get(service, ""), copy.slot, copy.node), ""),
                )
                for copy in found
            )
            for service, found in seen.copies.items()
        }
        return replace(seen, copies=copies, fences=self.fences)

    def look(self) -> Plan:
        """Compare."""
        anew = plan(self.goals, self.cluster(), self.memory, now=self.now, policy=self._policy)
        found = super().look()
        assert found.actions == anew.actions
        assert found.look_again == anew.look_again
        assert found.memory == anew.memory
        return found


def _goal(drawn: Random, service: str, before: str) -> Goal:
    request = Request(
        service=service,
        strategy=drawn.choice([*Strategy]),
        resources=Resources(drawn.choice((0, NANO, 2 * NANO))),
        ports=drawn.choice(((), (), (Port(80),))),
        max_per_node=drawn.choice((0, 0, 1)),
    )
    kind = drawn.choice(("slots", "slots", "size", "everywhere", "pod" if before else "size"))
    size = drawn.randrange(1, 6)
    slots = {"": request}
    if kind in {"slots", "pod"}:
        slots = {str(slot): replace(request, slot=str(slot)) for slot in range(1, size + 1)}
    need = Need(
        before,
        drawn.choice((Condition.STARTED, Condition.HEALTHY)),
        drawn.random() < 0.3,
        drawn.random() < 0.7,
        drawn.random() < 0.5,
    )
    return Goal(
        service=service,
        spec="a",
        slots=slots,
        size=size if kind == "size" else None,
        is_everywhere=kind == "everywhere",
        pod=before if kind == "pod" else "",
        follows=kind == "pod",
        needs=(need,) if before and drawn.random() < 0.4 else (),
        restart=Restart(drawn.choice([*When]), drawn.choice((0.0, 5.0))),
        update=Update(
            parallelism=drawn.choice((0, 1, 2)),
            on_failure=drawn.choice([*OnFailure]),
            order=drawn.choice([*Order]),
        ),
        min_healthy=drawn.choice((0.0, 3.0)),
        moves=drawn.random() < 0.8,
        fencing=drawn.choice([Fencing.CATALOG, *Fencing]),
        keeps=drawn.choice([*Keeps]),
        canary=CanaryPolicy(steps=(50,), hold=3.0) if kind == "slots" else None,
        lost_after=drawn.choice((5.0, 15.0)),
        rebalances=drawn.random() < 0.3,
        orphan_keep=drawn.choice((10.0, 3600.0)),
    )


def _goals(drawn: Random) -> list[Goal]:
    goals: list[Goal] = []
    for name in ("s/a", "s/b", "s/c", "s/d")[: drawn.randrange(2, 5)]:
        goals.append(_goal(drawn, name, goals[-1].service if goals else ""))
    return [
        replace(goal, members=tuple(each.service for each in goals if each.pod == goal.service))
        for goal in goals
    ]


def _befall(world: _Twice, drawn: Random, nodes: Sequence[NodeView]) -> None:
    """Let something happen, or nothing."""
    copies = sorted(each.name for found in world.copies.values() for each in found)
    node, at = drawn.choice(nodes).name, drawn.randrange(len(world.goals))
    match drawn.randrange(40):
        case 0 if copies:
            world.crash(drawn.choice(copies), drawn.choice((0, 1)))
        case 1 if copies:
            world.sicken(drawn.choice(copies))
        case 2:
            world.power_off(node)
        case 3:
            world.set_node(node, drawn.choice((State.SUSPECT, State.DOWN)))
        case 4 | 5 | 6:
            for each in nodes:
                world.set_node(each.name, State.UP)
        case 7:
            world.drain_node(node)
        case 8:
            old = world.goals[at]
            new = replace(old, spec=drawn.choice("abc"), previous=replace(old, previous=None))
            world.goals[at] = new
        case 9:
            world.goals[at] = replace(world.goals[at], attempt=world.goals[at].attempt + 1)
        case 10:
            world.goals[at] = replace(world.goals[at], is_paused=drawn.random() < 0.5)
        case 11:
            world.fences = replace(FENCES, denied={node: world.now}, cleared=frozenset({node}))
        case 12:
            world.fences = FENCES


@pytest.mark.parametrize("seed", range(12))
def test_it_makes_no_difference_that_calm_services_are_passed_over(seed: int) -> None:
    drawn = Random(seed)
    nodes = [
        NodeView(
            name=f"n{number}",
            labels={"node": f"n{number}"} if drawn.random() < 0.7 else {},
            capacity=Resources(8 * NANO),
        )
        for number in range(drawn.randrange(4, 9))
    ]
    slow = Latency(healthy=drawn.choice((0.0, 2.0)))
    world = _Twice(nodes, _goals(drawn), latency=slow, policy=Policy(seed=seed))
    for _ in range(90):
        _befall(world, drawn, nodes)
        world.look()
        world.turn(drawn.choice((0.5, 1.0, 1.0, 4.0)))


NODES = [NodeView(name=f"n{number}", capacity=Resources(8 * NANO)) for number in range(4)]
GOAL = Goal(service="s", spec="a", slots={"1": Request(service="s")})
COPY = Copy(name="c", node="n1", slot="1", spec="a", incarnation=1)
TOLD = Told(("1",), is_changing=False, is_coming=True)


def _cluster(*copies: Copy, nodes: Sequence[NodeView] = NODES, **more: Any) -> Cluster:
    return Cluster(tuple(nodes), {"s": copies}, **more)


def _calm(until: float | None = None, goal: Goal = GOAL) -> Calm:
    calm = Calm()
    calm.begin(_cluster(COPY))
    calm.note(goal, (), Memory(), until, TOLD)
    return calm


def test_nothing_changed_while_all_is_equal_if_not_the_same() -> None:
    calm = _calm(until=5.0)
    calm.begin(_cluster(replace(COPY), nodes=[replace(each) for each in NODES]))
    assert calm.find(replace(GOAL), (), Memory(), 4.9) == (TOLD, 5.0)


@pytest.mark.parametrize(
    "cluster",
    [
        _cluster(replace(COPY, since=1.0)),
        _cluster(),
        _cluster(COPY, nodes=[NODES[0], replace(NODES[1], state=State.DOWN)]),
        _cluster(COPY, nodes=[NODES[0], replace(NODES[1], availability=Availability.DRAIN)]),
        _cluster(COPY, nodes=NODES[:1]),
        _cluster(COPY, since={"n1": 3.0}),
        _cluster(COPY, fences=FENCES),
    ],
    ids=["a copy", "none", "state", "availability", "no node", "since", "fences"],
)
def test_a_service_is_looked_at_when_what_is_seen_of_it_changed(cluster: Cluster) -> None:
    calm = _calm()
    calm.begin(cluster)
    assert calm.find(GOAL, (), Memory(), 1.0) is None
    calm.begin(_cluster(COPY))
    assert calm.find(GOAL, (), Memory(), 1.0) is None, "it was not found anew"


def test_a_service_is_looked_at_when_its_goal_pod_memory_or_time_is_another() -> None:
    assert _calm().find(replace(GOAL, spec="b"), (), Memory(), 1.0) is None
    assert _calm().find(GOAL, ("1",), Memory(), 1.0) is None
    assert _calm().find(GOAL, (), Memory(cut_off=1.0), 1.0) is None
    assert _calm(until=5.0).find(GOAL, (), Memory(), 5.0) is None
    assert Calm().find(GOAL, (), Memory(), 1.0) is None


def test_nodes_on_which_it_has_nothing_do_not_matter() -> None:
    calm = _calm()
    calm.begin(_cluster(COPY, nodes=[replace(NODES[0], state=State.DOWN), *NODES[1:3]]))
    assert calm.find(GOAL, (), Memory(), 1.0) == (TOLD, None)


def test_what_its_members_do_matters() -> None:
    goal = replace(GOAL, members=("m",))
    calm = _calm(goal=goal)
    calm.begin(Cluster(tuple(NODES), {"s": (COPY,), "m": (replace(COPY, name="m"),)}))
    assert calm.find(goal, (), Memory(), 1.0) is None


def test_a_look_at_rest_makes_no_request_and_no_board() -> None:
    class Counted(Kept):
        boards = 0

        def placer(self, *given: Any) -> Any:
            self.boards += 1
            return super().placer(*given)

    world = Simulation(NODES, [GOAL])
    world._kept = kept = Counted()
    world.until_quiet()
    made = kept.boards
    world.run(20.0)
    assert (made, kept.boards) == (1, 1)


@pytest.mark.parametrize("more", [{"is_everywhere": True}, {"rebalances": True, "size": 4}])
def test_services_for_which_all_nodes_matter_hear_of_one_that_joins(more: dict[str, Any]) -> None:
    world = Simulation(NODES[:2], [replace(GOAL, slots={"": Request(service="s")}, **more)])
    world.until_quiet()
    world.run(60.0)
    world._nodes["n2"] = NODES[2]
    world.run(60.0)
    assert "n2" in {each.node for each in world.copies["s"]}
