"""Pods: what sidecars make of a service, and how what shares a network begins and ends."""

from typing import Any

import pytest

from sidecar.scheduler.actions import Action, Create, Drain, Stop
from sidecar.scheduler.cluster import Cluster, Copy, Goal, Health, Need, Stage
from sidecar.scheduler.compose.document import Problems
from sidecar.scheduler.compose.stack import stack_of
from sidecar.scheduler.conduct import Order, Update
from sidecar.scheduler.memory import Memory
from sidecar.scheduler.model import NANO, NodeView, Policy, Request, Resources
from sidecar.scheduler.plan import plan
from sidecar.scheduler.spec import Condition, Dependency, ServiceSpec

POD = """
services:
  web:
    image: registry.example.org/team/nginx:1
    ports: ["8080:80"]
    hostname: h
    labels: [team=blue]
    environment: {SERVICE_TAGS: a, SECRET: x}
    depends_on: [db]
    volumes: [data:/data]
    cpus: 1
    scale: 2
    deploy: {placement: {constraints: [zone == a]}}
    x-pinnace:
      strategy: binpack
      shared: [/srv]
      sidecars:
        - git-sync: {environment: {GITSYNC_REPO: r}, cpus: 0.5}
        - exporter:jmx: {args: [--port, "1"], healthcheck: {test: [CMD, "true"]}}
        - templater
  db: {image: db}
volumes: {data: {}}
"""


def _stack(text: str) -> tuple[dict[str, ServiceSpec], list[str]]:
    problems = Problems()
    found = stack_of(text, "f", problems, name="shop", base="/", read=lambda _: None)
    return {each.name: each for each in found.services}, [str(each) for each in problems]


def test_a_service_with_sidecars_becomes_a_pod_its_sidecars_and_itself() -> None:
    found, problems = _stack(POD)
    assert problems == []
    order = ["web-pod", "web-git-sync", "web-exporter-jmx", "web-templater", "web"]
    assert [name for name in found if name != "db"] == order
    assert {name: each.recipe.care.role for name, each in found.items()} == {
        "web-pod": "pod", "web-git-sync": "sidecar:git-sync", "web": "main", "db": "main",
        "web-exporter-jmx": "sidecar:exporter:jmx", "web-templater": "sidecar:templater",
    }  # fmt: skip
    assert {each.replicas for name, each in found.items() if name != "db"} == {2}
    assert {each.scaled_as for name, each in found.items() if name != "db"} == {"web"}
    assert {found[name].pod for name in order[1:]} == {"web-pod"}
    assert {found[name].conduct.update.order for name in order} == {Order.STOP_FIRST}


def test_the_pod_has_the_network_and_asks_for_the_room_of_all() -> None:
    found, _ = _stack(POD)
    pod, web = found["web-pod"], found["web"]
    assert pod.resources == Resources(cpu=NANO * 3 // 2)
    assert {found[name].resources for name in found if name != "web-pod"} == {Resources()}
    assert [port.number for port in pod.ports] == [8080]
    assert (web.ports, web.recipe.build.networks) == ((), ())
    assert pod.volumes == ("shop_data",)
    assert pod.recipe.build.config["Hostname"] == "h"
    assert pod.recipe.build.config["Volumes"] == {"/srv": {}}
    assert pod.recipe.build.config["Env"] == ["SERVICE_TAGS=a"]
    labels = pod.recipe.build.config["Labels"]
    assert labels == {
        "SERVICE_NAME": "web", "team": "blue", "com.docker.swarm.constraints": '["zone==a"]',
    }  # fmt: skip
    assert web.recipe.build.host["NetworkMode"] == "service:web-pod"
    assert web.recipe.build.host["VolumesFrom"] == ["web-pod"]
    assert web.recipe.build.config["Labels"]["SERVICE_IGNORE"] == "true"
    assert pod.strategy.value == "binpack"


def test_the_main_container_starts_after_its_sidecars_in_its_own_slot() -> None:
    found, _ = _stack(POD)
    assert found["web"].depends_on == (
        Dependency("db"),
        Dependency("web-git-sync", Condition.HEALTHY, is_same_slot=True),
        Dependency("web-exporter-jmx", Condition.HEALTHY, is_same_slot=True),
        Dependency("web-templater", is_same_slot=True),
    )
    assert found["web-git-sync"].depends_on == (Dependency("web-pod", is_same_slot=True),)


def test_what_a_sidecar_runs_can_be_changed() -> None:
    found, _ = _stack(POD)
    sync = found["web-git-sync"].recipe.build.config
    assert "Cmd" not in sync
    assert found["web-git-sync"].image == "pinnace-git-sync:latest"
    assert {"GITSYNC_ROOT=/srv/git", "GITSYNC_LINK=/srv/live", "GITSYNC_REPO=r"} <= {*sync["Env"]}
    exporter = found["web-exporter-jmx"].recipe.build.config
    assert exporter["Cmd"] == ["adapter", "jmx", "--port", "1"]
    assert exporter["Healthcheck"] == {"Test": ["CMD", "true"]}


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ("x-pinnace: {sidecars: [gitsync]}", "'gitsync' is none of git-sync, registrar"),
        ("x-pinnace: {sidecars: [templater, templater]}", "templater is there twice"),
        ("x-pinnace: {sidecars: [templater]}\n    network_mode: none", "a network and a name"),
        ("x-pinnace: {sidecars: [templater]}\n    container_name: a", "a network and a name"),
        ("x-pinnace: {sidecars: [git-sync: {argz: 1}]}", "unknown key 'argz'"),
        ("x-pinnace: {sidecars: [templater]}\n  web-pod: {image: x}", "'web-pod' already"),
    ],
)
def test_what_cannot_be_a_pod_is_told(own: str, says: str) -> None:
    _, problems = _stack(f"services:\n  web:\n    image: x\n    {own}\n")
    assert any(says in each for each in problems), problems


# The plan

NODES = tuple(NodeView(name=f"n{n}", capacity=Resources(8 * NANO, 2**33)) for n in range(2))
STOP_FIRST = Update(order=Order.STOP_FIRST)


def _goal(service: str, slots: str = "1", **more: Any) -> Goal:
    request = Request(service=service)
    return Goal(
        service=service, spec="s", slots={"": request}, size=len(slots), update=STOP_FIRST, **more
    )


SLOT = {"is_same_slot": True}
GOALS = (
    _goal("pod", "12"),
    _goal("side", pod="pod", follows=True, needs=(Need("pod", Condition.STARTED, **SLOT),)),
    _goal("main", pod="pod", follows=True, needs=(Need("side", Condition.HEALTHY, **SLOT),)),
)


def _copy(service: str, slot: str, node: str = "n0", within: str = "", **more: Any) -> Copy:
    role = {"pod": "pod", "side": "sidecar:x", "main": "main"}[service]
    more.setdefault("id", f"{service}{slot}")
    return Copy(
        name=more["id"], node=node, slot=slot, spec="s", incarnation=1, role=role, within=within,
        **more,
    )  # fmt: skip


def _plan(goals: tuple[Goal, ...], *copies: Copy, now: float = 100.0) -> list[Action]:
    by_service: dict[str, tuple[Copy, ...]] = {}
    for copy in copies:
        service = {"pod": "pod", "main": "main"}.get(copy.role, "side")
        by_service[service] = (*by_service.get(service, ()), copy)
    cluster = Cluster(NODES, by_service)
    return list(plan(goals, cluster, Memory(), now=now, policy=Policy()).actions)


def _told(actions: list[Action]) -> list[tuple[str, str]]:
    found = []
    for each in actions:
        if isinstance(each, Create):
            found.append(("create", f"{each.service}{each.slot}@{each.placement.node}"))
        elif isinstance(each, Drain | Stop):
            found.append((type(each).__name__.lower(), each.copy.id))
    return found


def _pod(slot: str, node: str = "n0", **main: Any) -> tuple[Copy, ...]:
    owner = _copy("pod", slot, node)
    side = _copy("side", slot, node, owner.id, health=Health.HEALTHY)
    return owner, side, _copy("main", slot, node, owner.id, **main)


def test_first_the_pods_are_placed_and_each_other_goes_where_its_pod_is() -> None:
    first = _told(_plan(GOALS))
    assert sorted(first) == [("create", "pod1@n0"), ("create", "pod2@n1")] or len(first) == 2
    there = (_copy("pod", "1", "n1"), _copy("pod", "2", "n0"))
    assert _told(_plan(GOALS, *there)) == [("create", "side1@n1"), ("create", "side2@n0")]


def test_a_slot_waits_for_the_sidecar_of_its_own() -> None:
    well = _copy("side", "1", "n0", "pod1", health=Health.HEALTHY)
    starting = _copy("side", "2", "n1", "pod2", health=Health.STARTING, since=99.0)
    owners = (_copy("pod", "1", "n0"), _copy("pod", "2", "n1"))
    assert _told(_plan(GOALS, *owners, well, starting)) == [("create", "main1@n0")]


def test_a_dead_sidecar_is_replaced_alone() -> None:
    owner, side, main = _pod("1")
    other = _pod("2", "n1")
    dead = _copy("side", "1", "n0", owner.id, stage=Stage.EXITED, exit_code=1, since=0.0)
    assert _told(_plan(GOALS, owner, dead, main, *other)) == [("create", "side1@n0")]
    assert _told(_plan(GOALS, owner, side, main, *other)) == []


def test_with_a_new_pod_all_its_members_are_made_anew() -> None:
    dead = _copy("pod", "1", stage=Stage.EXITED, since=0.0)
    _, side, main = _pod("1")
    other = _pod("2", "n1")
    found = _told(_plan(GOALS, dead, side, main, *other))
    assert ("drain", "side1") in found
    assert ("drain", "main1") in found
    assert any(each.startswith("pod1@") for kind, each in found if kind == "create")
    new = _copy("pod", "1", id="new")
    assert sorted(_told(_plan(GOALS, new, side, main, *other))) == [
        ("create", "side1@n0"),
        ("drain", "main1"),
        ("drain", "side1"),
    ]


def test_the_last_to_stop_are_first_sidecars_then_the_network() -> None:
    done: dict[str, Any] = {"is_draining": True, "is_drained": True}
    owner = _copy("pod", "1", **done)
    side, main = (_copy(each, "1", "n0", "pod1", **done) for each in ("side", "main"))
    assert _told(_plan((), owner, side, main)) == [("stop", "main1")]
    assert _told(_plan((), owner, side)) == [("stop", "side1")]
    assert _told(_plan((), owner)) == [("stop", "pod1")]


def test_a_sidecar_that_is_ill_stops_while_what_it_serves_goes_on() -> None:
    owner, _, main = _pod("1")
    ill = _copy(
        "side", "1", "n0", owner.id, health=Health.UNHEALTHY, is_draining=True, is_drained=True
    )
    assert _told(_plan(GOALS, owner, ill, main, *_pod("2", "n1"))) == [("stop", "side1")]


def test_members_have_the_slots_of_their_pod_when_it_shrinks() -> None:
    goals = (_goal("pod", "1"), *GOALS[1:])
    found = _told(_plan(goals, *_pod("1"), *_pod("2", "n1")))
    slots = {each[-1] for _, each in found}
    assert len(slots) == 1
    assert len(found) == 3
