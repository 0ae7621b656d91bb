"""What starts after what, what ends before what, what is made anew after what."""

from dataclasses import replace
from typing import Any

from sidecar.scheduler.actions import Action, Create, Drain, Stop
from sidecar.scheduler.cluster import Cluster, Copy, Goal, Health, Need, Stage, Update
from sidecar.scheduler.conduct import OnFailure, Order, Restart
from sidecar.scheduler.memory import Memory
from sidecar.scheduler.model import NANO, NodeView, Policy, Request, Resources, State
from sidecar.scheduler.plan import plan
from sidecar.scheduler.simulation import Latency, Simulation
from sidecar.scheduler.spec import Condition

NODES = (
    NodeView(name="n1", capacity=Resources(64 * NANO, 2**36)),
    NodeView(name="n2", capacity=Resources(64 * NANO, 2**36)),
)
PLAIN = Request(stack="shop", service="", resources=Resources(NANO, 2**20))


def _copy(service: str, *needs: str, **more: Any) -> Copy:
    values = {"node": "n1", "slot": "1", "spec": "one", "incarnation": 1, "needs": needs, **more}
    return Copy(name=service, id=f"id-{service}", **values)


def _actions(*copies: Copy, goals: tuple[Goal, ...] = (), stack: str = "shop") -> list[Action]:
    found = {f"{stack}/{copy.name}": (copy,) for copy in copies}
    return [*plan(goals, Cluster(NODES, found), Memory(), now=50.0, policy=Policy()).actions]


def _named(actions: list[Action]) -> list[tuple[type, str]]:
    return [(type(each), each.copy.name) for each in actions if isinstance(each, Drain | Stop)]


def test_what_is_wanted_no_more_ends_after_all_that_depends_on_it() -> None:
    db, web, proxy = _copy("db"), _copy("web", "db"), _copy("proxy", "web")
    assert _named(_actions(db, web, proxy)) == [(Drain, "proxy")]
    drained = replace(proxy, is_draining=True, is_drained=True)
    assert _named(_actions(db, web, drained)) == [(Stop, "proxy")]
    ended = replace(proxy, stage=Stage.EXITED, is_draining=True)
    assert _named(_actions(db, web, ended)) == [(Drain, "web")]
    assert _named(_actions(db)) == [(Drain, "db")]


def test_nobody_waits_for_what_cannot_be_reached() -> None:
    far = (NODES[0], replace(NODES[1], state=State.DOWN))
    copies = {"shop/db": (_copy("db"),), "shop/web": (_copy("web", "db", node="n2"),)}
    found = plan((), Cluster(far, copies), Memory(), now=50.0, policy=Policy())
    assert _named([*found.actions]) == [(Drain, "db")]


def test_a_dependant_that_stays_or_is_of_another_stack_keeps_nothing() -> None:
    web = _copy("web", "db")
    slots = {"1": replace(PLAIN, service="web")}
    stays = Goal(service="shop/web", spec="one", slots=slots)
    assert _named(_actions(_copy("db"), web, goals=(stays,))) == [(Drain, "db")]
    other = {"shop/db": (_copy("db"),), "other/web": (web,)}
    found = plan((), Cluster(NODES, other), Memory(), now=50.0, policy=Policy())
    assert sorted(name for _, name in _named([*found.actions])) == ["db", "web"]


def _goal(service: str, spec: str = "one", *needs: Need, **more: Any) -> Goal:
    request = replace(PLAIN, service=service)
    slots = {slot: replace(request, slot=slot) for slot in ("1", "2")}
    update = Update(order=Order.START_FIRST, monitor=0.0)
    values = {"update": update, "restart": Restart(delay=1.0), **more}
    return Goal(service=service, spec=spec, slots=slots, needs=needs, **values)


def test_what_restarts_with_another_service_is_replaced_after_it() -> None:
    need = Need("db", Condition.STARTED, restarts=True)
    world = Simulation(NODES, [_goal("db"), _goal("web", "one", need)])
    world.until_quiet()
    world.goals = [_goal("db", "two"), _goal("web", "two", need)]
    begun: dict[str, list[float]] = {"db": [], "web": []}
    ended: list[float] = []
    while not ended or world.now - ended[-1] < 60:
        for action in world.look().actions:
            if isinstance(action, Create):
                begun[action.service].append(world.now)
            if isinstance(action, Stop) and action.service == "db":
                ended.append(world.now)
        world.turn(1.0)
    assert min(begun["web"]) > max(*begun["db"], *ended)
    assert {copy.spec for copy in world.copies["web"] if copy.stage is Stage.RUNNING} == {"two"}


def test_a_dependency_whose_rollout_failed_leaves_its_dependants_as_they_are() -> None:
    need = Need("db", Condition.STARTED, restarts=True)
    world = Simulation(NODES, [_goal("db"), _goal("web", "one", need)])
    world.until_quiet()
    update = Update(order=Order.START_FIRST, on_failure=OnFailure.PAUSE)
    world.goals = [_goal("db", "two", update=update), _goal("web", "two", need)]
    for _ in range(120):
        world.run(1.0)
        for copy in world.copies["db"]:
            if copy.spec == "two" and copy.stage is Stage.RUNNING:
                world.crash(copy.name)
    assert {copy.spec for copy in world.copies["web"]} == {"one"}


def test_what_is_not_required_is_waited_for_only_as_long_as_it_may_come() -> None:
    need = Need("db", Condition.HEALTHY, is_required=False)
    both, slow = [_goal("db"), _goal("web", "one", need)], Latency(healthy=250.0)
    world = Simulation(NODES, both, latency=slow)
    world.run(4.0)
    assert "web" not in world.copies, "it may become healthy yet"
    world.until_quiet(5000)
    assert len(world.copies["web"]) == 2
    broken = Simulation(
        NODES, [_goal("db"), _goal("web", "one", need)], latency=Latency(healthy=20)
    )
    broken.run(5.0)
    for copy in broken.copies["db"]:
        broken.sicken(copy.name)
    broken.run(10.0)
    assert len(broken.copies["web"]) == 2, "it failed"
    gone = Simulation(NODES, [_goal("web", "one", need)])
    gone.until_quiet()
    assert len(gone.copies["web"]) == 2, "it is not there at all"


def test_a_pod_is_ready_when_all_in_it_are_well() -> None:
    slots = {"1": replace(PLAIN, service="web-pod")}
    members = ("web", "web-git")
    first = Update(order=Order.START_FIRST)
    owner = Goal(service="web-pod", spec="two", slots=slots, members=members, update=first)
    pod = _copy("web-pod", spec="two", role="pod", started=0.0)
    old = replace(_copy("old"), node="n2", incarnation=0)

    def keeps_old(web: Copy, git: Copy) -> bool:
        copies = {"web-pod": (pod, old), "web": (web,), "web-git": (git,)}
        both = [Goal(service=name, spec="one", slots=slots) for name in members]
        found = plan([owner, *both], Cluster(NODES, copies), Memory(), now=50.0, policy=Policy())
        return (Drain, "old") not in _named([*found.actions])

    web, git = _copy("web", within="id-web-pod"), _copy("git", within="id-web-pod")
    assert not keeps_old(web, git)
    assert keeps_old(replace(web, health=Health.STARTING), git)
    assert keeps_old(web, replace(git, stage=Stage.EXITED, exit_code=1))
    assert not keeps_old(web, replace(git, stage=Stage.EXITED))
    assert keeps_old(replace(web, within="another"), git)
