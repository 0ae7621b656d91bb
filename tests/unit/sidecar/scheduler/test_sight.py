"""What is seen of copies on nodes that cannot be reached, by the level of fencing."""

from dataclasses import replace

import pytest

from sidecar.scheduler.actions import Drain, Fence, Unfence
from sidecar.scheduler.cluster import Cluster, Copy, Goal, Stage
from sidecar.scheduler.conduct import Keeps
from sidecar.scheduler.fencing import Fences, Fencing
from sidecar.scheduler.memory import Memory
from sidecar.scheduler.model import NodeView, Policy, Request, State
from sidecar.scheduler.plan import plan
from sidecar.scheduler.sight import Sight

COPY = Copy(name="db", node="n1", slot="1", spec="a", incarnation=1)


def goal(fencing: Fencing, *, moves: bool = True) -> Goal:
    slots = {"1": Request(service="db")}
    return Goal(service="db", spec="a", slots=slots, fencing=fencing, moves=moves)


def sight(
    state: State, fences: Fences | None = None, now: float = 100.0, copy: Copy = COPY
) -> Sight:
    nodes = (NodeView(name="n1", state=state), NodeView(name="n2"))
    cluster = Cluster(nodes, {"db": (copy,)}, {"n1": 50.0}, fences=fences or Fences())
    return Sight(cluster, now)


@pytest.mark.parametrize("fencing", Fencing)
def test_a_copy_is_not_lost_before_its_time(fencing: Fencing) -> None:
    early = sight(State.DOWN, now=60.0)
    assert not early.is_lost(COPY, goal(fencing))
    assert (early.look_again, early.to_fence) == (65.0, set())


@pytest.mark.parametrize("fencing", [Fencing.NONE, Fencing.CATALOG])
def test_nothing_more_is_asked_for_without_fencing(fencing: Fencing) -> None:
    assert sight(State.DOWN).is_lost(COPY, goal(fencing))


@pytest.mark.parametrize("fencing", [Fencing.SELF, Fencing.EXEC])
def test_a_node_is_fenced_before_its_copies_are_lost(fencing: Fencing) -> None:
    before = sight(State.DOWN)
    assert not before.is_lost(COPY, goal(fencing))
    assert before.to_fence == {Fence("n1", fencing)}


def test_a_denied_node_has_its_time_to_stop() -> None:
    fences = Fences(denied={"n1": 95.0}, wait=11.0)
    denied = sight(State.DOWN, fences)
    assert not denied.is_lost(COPY, goal(Fencing.SELF))
    assert (denied.look_again, denied.to_fence) == (106.0, set())
    assert sight(State.DOWN, fences, 106.0).is_lost(COPY, goal(Fencing.SELF))


def test_a_command_that_ended_well_is_enough() -> None:
    assert sight(State.DOWN, Fences(cleared=frozenset({"n1"}))).is_lost(COPY, goal(Fencing.EXEC))


def test_what_a_person_fenced_is_lost_and_what_is_not_there() -> None:
    assert sight(State.FENCED).is_lost(COPY, goal(Fencing.SELF))
    assert not sight(State.FENCED).is_lost(COPY, goal(Fencing.SELF, moves=False))
    gone = Copy(name="db", node="n9", slot="1", spec="a", incarnation=1)
    assert sight(State.UP).is_lost(gone, goal(Fencing.SELF))


def test_a_node_that_is_back_is_let_in_when_nothing_runs_there_any_more() -> None:
    fences = Fences(denied={"n1": 1.0}, cleared=frozenset({"n1"}))
    goals = [goal(Fencing.SELF)]
    assert [*sight(State.DOWN, fences).returned(goals)] == []
    assert [*sight(State.UP, fences).returned(goals)] == [Unfence("n1", Fencing.EXEC)]
    ended = Copy(name="db", node="n1", slot="1", spec="a", incarnation=1, stage=Stage.EXITED)
    assert [*sight(State.UP, fences, copy=ended).returned(goals)] == [
        Unfence("n1", Fencing.SELF),
        Unfence("n1", Fencing.EXEC),
    ]


@pytest.mark.parametrize(
    ("keeps", "stays"),
    [(Keeps.REPLACEMENT, "new"), (Keeps.ORIGINAL, "old"), (Keeps.LONGEST, "old")],
)
def test_of_two_copies_the_one_that_is_wanted_stays(keeps: Keeps, stays: str) -> None:
    nodes = (NodeView(name="n1"), NodeView(name="n2"))
    old = replace(COPY, name="old", since=10.0)
    new = replace(COPY, name="new", node="n2", incarnation=2, since=50.0)
    cluster = Cluster(nodes, {"db": (old, new)})
    wanted = replace(goal(Fencing.CATALOG), keeps=keeps)
    found = plan([wanted], cluster, Memory(), now=100.0, policy=Policy())
    (drained,) = [each.copy.name for each in found.actions if isinstance(each, Drain)]
    assert drained != stays


def test_a_silent_node_gets_no_work_unless_that_is_not_wanted() -> None:
    assert not sight(State.SUSPECT).is_withheld(COPY, goal(Fencing.CATALOG)), "it may be us"
    silent = sight(State.DOWN)
    assert silent.is_withheld(COPY, goal(Fencing.CATALOG))
    assert not silent.is_withheld(COPY, goal(Fencing.NONE))
    ended = Copy(name="db", node="n1", slot="1", spec="a", incarnation=1, stage=Stage.EXITED)
    assert not silent.is_withheld(ended, goal(Fencing.CATALOG))
    assert not sight(State.UP).is_withheld(COPY, goal(Fencing.CATALOG))


def test_self_fencing_goes_where_an_agent_holds_its_lease() -> None:
    fences = Fences(leased=frozenset({"n1", "n2"}), denied={"n2": 1.0})
    request = Request(service="db")
    assert sight(State.UP, fences).allowed(request, goal(Fencing.SELF)).avoid == {"n2"}
    assert sight(State.UP).allowed(request, goal(Fencing.SELF)).avoid == {"n1", "n2"}
    assert sight(State.UP).allowed(request, goal(Fencing.CATALOG)) is request
