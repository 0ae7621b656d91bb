"""The commands that ask a scheduler, over its socket, on a simulated cluster."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sidecar.scheduler.cluster import Copy, Stage
from sidecar.scheduler.commands import asking
from sidecar.scheduler.explaining import why_of
from sidecar.scheduler.model import ContainerView, NodeView, Placement, Request
from sidecar.scheduler.simulation import Simulation
from sidecar.scheduler.telling import Teller
from tests.support.office import STACK, Office, office, ran
from tests.support.pinnace import until


@pytest.fixture
async def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    monkeypatch.setattr(asking, "_PAUSE", 0.01)
    monkeypatch.setattr(asking, "_PATIENCE", 0.3)
    async with office(tmp_path) as found:
        yield found


async def test_up_waits_until_everything_runs_and_tells_the_way(here: Office) -> None:
    told = await here.run("stack", "up", here.write(STACK))
    assert told.status == 0, told.err
    assert "shop/web: 2 of 2 ready" in told.err
    again = await here.run("stack", "up", here.write(STACK), "--json")
    found = json.loads(again.out)
    assert (found["revision"], again.status) == (1, 0), "the same file is no new revision"
    assert {each["service"] for each in found["services"]} == {"web", "db"}


async def test_detached_it_does_not_wait(here: Office) -> None:
    told = await here.run("stack", "up", here.write(STACK), "--detach")
    assert (told.status, told.out) == (0, "shop: revision 1 is in force\n")


async def test_what_has_no_place_ends_with_3_and_its_reasons(here: Office) -> None:
    text = STACK.replace("replicas: 2", "replicas: 2, placement: {constraints: [node.id==x]}")
    told = await here.run("stack", "up", here.write(text))
    assert told.status == 3
    assert "web.1 has no place: constraint node.id==x: 3" in told.err
    why = await here.run("why", "shop/web/1")
    assert why.status == 0
    assert "constraint node.id==x: 3" in why.out
    shown = await here.run("stack", "ps")
    assert "no place" in shown.out


def _fails(spec: str) -> object:
    def befall(world: Simulation) -> None:
        for copy in world.copies.get("shop/web", ()):
            if copy.stage is Stage.RUNNING and copy.spec != spec:
                world.crash(copy.name)

    return befall


async def test_a_rollout_that_fails_ends_with_4_and_goes_on_when_it_is_resumed(
    here: Office,
) -> None:
    path = here.write(STACK)
    assert (await here.run("stack", "up", path)).status == 0
    (spec,) = {each.spec for each in here.world.copies["shop/web"]}
    here.befall = _fails(spec)  # type: ignore[assignment]
    told = await here.run("stack", "up", here.write(STACK.replace("nginx", "nginx:2")))
    assert told.status == 4
    assert "paused: too much of" in told.err
    here.befall = lambda _: None
    resumed = await here.run("stack", "resume", "web")
    assert resumed.status == 0, resumed.err
    back = await here.run("stack", "rollback", "shop", "web")
    assert back.status == 0
    assert {each.spec for each in here.world.copies["shop/web"] if _runs(each.stage)} == {spec}
    none = await here.run("stack", "rollback", "shop/web")
    assert none.status == 1
    assert "no earlier spec" in none.err


async def test_what_restarts_with_another_does_so_when_that_is_rolled_back(here: Office) -> None:
    text = """
name: shop
services:
  db: {image: "db:1"}
  web: {image: web, depends_on: {db: {condition: service_started, restart: true}}}
  aside: {image: web, depends_on: [db]}
"""
    assert (await here.run("stack", "up", here.write(text))).status == 0
    first = _specs(here)
    assert (await here.run("stack", "up", here.write(text.replace("db:1", "db:2")))).status == 0
    second = _specs(here)
    assert {name for name in first if first[name] != second[name]} == {"shop/db", "shop/web"}
    assert (await here.run("stack", "rollback", "db")).status == 0
    await asyncio.to_thread(until, lambda: _specs(here) == first)
    recipe = here.control.recipe("shop/web", *first["shop/web"])
    assert recipe is not None
    assert [*recipe.build.after] == ["db"]


def _specs(here: Office) -> dict[str, set[str]]:
    found = here.world.copies.items()
    return {name: {each.spec for each in copies if _runs(each.stage)} for name, copies in found}


def _runs(stage: Stage) -> bool:
    return stage is Stage.RUNNING


async def test_a_pause_holds_a_rollout_until_it_is_resumed(here: Office) -> None:
    path = here.write(STACK)
    assert (await here.run("stack", "up", path)).status == 0
    assert (await here.run("stack", "pause", "web")).status == 0
    told = await here.run("stack", "up", here.write(STACK.replace("nginx", "nginx:2")))
    assert told.status == 3
    assert "paused by a person" in told.err
    assert (await here.run("stack", "resume", "web", "--json")).status == 0


async def test_scale_stays_when_the_stack_is_deployed_again(here: Office) -> None:
    path = here.write(STACK)
    await here.run("stack", "up", path)
    assert (await here.run("stack", "scale", "web=3")).status == 0
    await here.run("stack", "up", here.write(STACK.replace("replicas: 2", "replicas: 1")))
    assert sum(_runs(each.stage) for each in here.world.copies["shop/web"]) == 3
    assert (await here.run("stack", "scale", "shop", "web=file")).status == 0
    assert sum(_runs(each.stage) for each in here.world.copies["shop/web"]) == 1
    detached = await here.run("stack", "scale", "shop/web=2", "--detach", "--json")
    assert json.loads(detached.out) == {"stack": "shop", "services": ["web"]}


@pytest.mark.parametrize("words", [["web"], ["web=x"], ["shop", "web"], ["=3"]])
async def test_a_wrong_scale_is_a_mistake_of_usage(here: Office, words: list[str]) -> None:
    told = await here.run("stack", "scale", *words)
    assert (told.status, "write SERVICE=NUMBER" in told.err) == (2, True)


async def test_down_takes_everything_away(here: Office) -> None:
    await here.run("stack", "up", here.write(STACK))
    told = await here.run("stack", "down", "shop")
    assert (told.status, told.out) == (0, "shop is down\n")
    assert here.world.copies == {}
    again = await here.run("stack", "down", "shop")
    assert (again.status, "there is no stack 'shop'" in again.err) == (1, True)


async def test_a_node_is_emptied_and_used_again(here: Office) -> None:
    text = STACK.replace("replicas: 2", "replicas: 3")
    await here.run("stack", "up", here.write(text))
    assert (await here.run("node", "ls")).out.count("active") == 3
    paused = await here.run("node", "pause", "n2", "--json")
    assert json.loads(paused.out) == {"node": "n2", "availability": "pause"}
    assert "pause" in (await here.run("node", "ls")).out
    assert (await here.run("node", "undrain", "n2")).status == 0
    wrong = await here.run("node", "drain", "n9")
    assert (wrong.status, "known are n1, n2, n3" in wrong.err) == (1, True)
    assert (await here.run("node", "drain", "n3", "--detach")).out == "n3 is emptied\n"


async def test_ps_shows_what_runs_and_with_all_what_ran(here: Office) -> None:
    await here.run("stack", "up", here.write(STACK))
    await here.run("stack", "up", here.write(STACK.replace("nginx", "nginx:2")))
    short, whole = await here.run("stack", "ps"), await here.run("stack", "ps", "shop", "-a")
    assert short.out.count("web") < whole.out.count("web")
    assert "completed, old spec" in whole.out
    assert json.loads((await here.run("stack", "ps", "--json")).out)["scheduler"]["leads"]
    wrong = await here.run("stack", "ps", "none")
    assert (wrong.status, "known are shop" in wrong.err) == (1, True)


async def test_a_lost_node_shows_and_what_was_there_is_placed_elsewhere(here: Office) -> None:
    await here.run("stack", "up", here.write(STACK))
    (db,) = here.world.copies["shop/db"]
    lost = next(each for each in here.world.copies["shop/web"] if each.node != db.node)
    here.world.power_off(lost.node)
    told = await here.run("stack", "up", here.write(STACK))
    assert told.status == 0
    assert "down" in (await here.run("node", "ls")).out
    shown = (await here.run("stack", "ps")).out
    assert "unreachable, was running" in shown
    assert shown.count(" running ") == 4  # one of them is what the lost one was


async def test_events_and_why_tell_decisions(here: Office) -> None:
    await here.run("stack", "up", here.write(STACK))
    told = await here.run("stack", "events", "--json")
    found = [json.loads(line) for line in told.out.splitlines()]
    kinds = {each["kind"] for each in found}
    assert {"deployed", "placed"} <= kinds
    later = await here.run("stack", "events", "--after", str(found[-2]["number"]))
    assert len(later.out.splitlines()) == 1
    for target in ("web", "web.1", "shop/web/1", here.world.copies["shop/web"][0].name):
        why = await here.run("why", target)
        assert "placed on" in why.out
    document = json.loads((await here.run("why", "db", "--json")).out)
    assert document["slots"][0]["decided"]["strategy"] == "spread"
    assert (await here.run("why", "nobody")).status == 1


def _decided(here: Office, text: str) -> Any:
    """Return why a container is where it is of which only its label tells."""
    copy = Copy(name="x", node="n1", slot="7", spec="s", incarnation=3, id="abcdef")
    view = ContainerView(name="x", id="abcdef", labels={"pinnace.why": text})
    node = NodeView(name="n1", containers=(view,))
    scene = here.control.scene
    cluster = replace(scene.cluster, nodes=(node,), copies={"shop/web": (copy,)})
    here.control.scene = replace(scene, cluster=cluster)
    (slot,) = Teller(here.control, lambda: True).why("web/7")["slots"]
    return slot["decided"]


async def test_why_is_told_by_the_container_when_the_decision_is_forgotten(here: Office) -> None:
    await here.run("stack", "up", here.write(STACK))
    placement = Placement(Request(service="web"), "n1", (1, 2), "n9")
    found = _decided(here, why_of(placement, 5.5))
    assert (found["kind"], found["at"], found["strategy"]) == ("placed", 5.5, "spread")
    assert (found["rank"], found["runner_up"], found["incarnation"]) == ([1, 2], "n9", 3)
    for text in ("", "{", "[1]", '{"at": 1}', "9" * 5000):
        assert _decided(here, text) is None


async def test_names_must_be_clear(here: Office) -> None:
    await here.run("stack", "up", here.write(STACK))
    await here.run("stack", "up", here.write(STACK.replace("shop", "other")))
    told = await here.run("stack", "pause", "web")
    assert (told.status, "several stacks: other/web, shop/web" in told.err) == (1, True)
    told = await here.run("stack", "pause", "nix")
    assert "known are other/web, other/db" in told.err
    told = await here.run("stack", "pause", "shop/nix")
    assert "shop has no service 'nix'; known are db, web" in told.err


async def test_a_wrong_file_is_told_before_anything_is_asked(here: Office) -> None:
    told = await here.run("stack", "up", here.write("services: {a: {imag: x}}"))
    assert (told.status, "did you mean image?" in told.err) == (1, True)
    assert here.control.stacks == {}


async def test_when_nobody_listens_the_message_says_what_to_do(tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        pass
    told = await here.run("stack", "ps")
    assert told.status == 1
    assert "does a scheduler run there (pinnace up --stack FILE)?" in told.err


@pytest.mark.parametrize(
    "words",
    [
        ["stack"], ["node"], ["stack", "nix"], ["node", "drain"],
        ["stack", "events", "--after=-1"], ["stack", "events", "--after", "x"],
    ],
)  # fmt: skip
def test_usage_is_2(words: list[str]) -> None:
    assert ran(words[0], words[1:]).status == 2


async def test_a_plan_tells_what_would_change_here_and_changes_nothing(here: Office) -> None:
    first = await here.run("stack", "plan", here.write(STACK), "--json")
    assert first.status == 0, first.err
    found = json.loads(first.out)
    slots = [(each["service"], each["slot"]) for each in found["placements"]]
    assert sorted(slots) == [("db", 1), ("web", 1), ("web", 2)]
    assert (found["updates"], found["removals"], found["kept"]) == ([], [], [])
    assert here.control.stacks == {}
    await here.run("stack", "up", here.write(STACK))
    same = await here.run("stack", "plan", here.write(STACK))
    assert (same.status, same.out) == (0, "nothing to do: every slot has its container\n")
    await here.run("stack", "scale", "web=3")
    other = STACK.replace("nginx", "nginx:2").replace("  db:", "  cache:")
    told = json.loads((await here.run("stack", "plan", here.write(other), "--json")).out)
    assert [each["slot"] for each in told["updates"]] == [1, 2, 3], "what was scaled stays so"
    assert {each["how"] for each in told["updates"]} == {"start-first"}
    assert [each["service"] for each in told["removals"]] == ["db"]
    assert [each["service"] for each in told["placements"]] == ["cache"]
    assert here.control.stacks["shop"].stack.newest.number == 1
    shown = (await here.run("stack", "plan", here.write(other))).out
    assert "web.1                    is updated on" in shown
    assert "db.1                     is removed from" in shown


async def test_a_plan_that_cannot_come_true_ends_with_3_or_tells_the_mistake(here: Office) -> None:
    no_place = STACK.replace("replicas: 2", "replicas: 2, placement: {constraints: [node.id==x]}")
    told = await here.run("stack", "plan", here.write(no_place), "--json")
    assert told.status == 3
    assert json.loads(told.out)["refusals"][0] == {
        "service": "web", "slot": 1, "reasons": ["constraint node.id==x: 3"],
    }  # fmt: skip
    wrong = await here.run("stack", "plan", here.write("services: {a: {}}"))
    assert (wrong.status, "has no image" in wrong.err) == (1, True)
    usage = await here.run("stack", "plan", here.write(STACK), "--compat", "classic")
    assert (usage.status, "of --nodes" in usage.err) == (2, True)


async def test_a_plan_says_when_an_update_would_have_no_place(here: Office) -> None:
    text = "name: shop\nservices: {web: {image: x, ports: ['80:80'], scale: 3}}"
    assert (await here.run("stack", "up", here.write(text))).status == 0
    fits = text.replace("image: x", "image: z")
    told = await here.run("stack", "plan", here.write(fits), "--json")
    assert (told.status, len(json.loads(told.out)["updates"])) == (0, 3)
    wrong = fits.replace("scale: 3", "scale: 3, environment: ['constraint:node==n1']")
    told = await here.run("stack", "plan", here.write(wrong), "--json")
    found = json.loads(told.out)
    assert (told.status, len(found["updates"]), len(found["refusals"])) == (3, 1, 2)
    assert {tuple(each["reasons"]) for each in found["refusals"]} == {
        ("constraint node==n1: 2", "port 80/tcp busy: 1 (held by shop_web_1 on n1)")
    }


async def test_down_needs_no_name_for_the_file_here_or_the_only_stack(
    here: Office, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    none = await here.run("stack", "down")
    assert (none.status, none.err) == (1, "pinnace stack: name the stack; none is up\n")
    path = here.write(STACK, "shop.yaml")
    await here.run("stack", "up", path)
    assert (await here.run("stack", "down")).out == "shop is down\n"
    await here.run("stack", "up", path)
    await here.run("stack", "up", path, "--name", "other", "--detach")
    two = await here.run("stack", "down")
    assert (two.status, "name the stack; up are other, shop" in two.err) == (1, True)
    monkeypatch.chdir(tmp_path)
    usage = await here.run("stack", "up")
    assert (usage.status, "name the stack file: none of compose.yaml," in usage.err) == (2, True)
    here.write(STACK.replace("name: shop", "name: third"))
    strange = await here.run("stack", "down")
    assert (strange.status, "is the stack 'third', which is not up" in strange.err) == (1, True)
    here.write(STACK.replace("name: shop", "name: other"))
    assert (await here.run("stack", "down")).out == "other is down\n"
    assert (await here.run("stack", "plan")).status == 0


async def test_orders_that_mean_nothing_are_told(here: Office) -> None:
    await here.run("stack", "up", here.write(STACK))
    told = await here.run("stack", "promote", "web")
    assert (told.status, "web has no canary" in told.err) == (1, True)
    many = await here.run("stack", "pause", "shop", "web", "db")
    assert (many.status, "one service at a time" in many.err) == (2, True)
