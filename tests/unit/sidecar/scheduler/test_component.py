"""The whole loop on engines in memory, in virtual time."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from sidecar.errors import EngineRefused, EngineUnavailable
from sidecar.scheduler.cluster import Copy
from sidecar.scheduler.fencer import Fencer
from sidecar.scheduler.fencing import Fences, Fencing
from sidecar.scheduler.model import Availability
from tests.support.desk import Harness, OneDesk, Sending
from tests.support.dockyard import Dock, Yard
from tests.support.virtual import LoopClock, run_virtually

ONE = """
services:
  web:
    image: web
    network_mode: bridge
    deploy: {replicas: 3, update_config: {parallelism: 1, order: start-first}}
"""
TWO = ONE.replace("image: web", "image: web:2")
DAILY = "image: web\n    pull_policy: daily"
LABELLED = ONE.replace("network", "labels: {pinnace.http.host: a.example.org}\n    network")
PODDED = """
services:
  web:
    image: web:2
    network_mode: bridge
    healthcheck: {test: [CMD, /bin/true]}
    x-pinnace: {pod_image: web, sidecars: [exporter:jmx: {image: web}]}
"""
CHECKED = ONE.replace("network_mode", "healthcheck: {test: [CMD, /bin/true]}\n    network_mode")
THREE = Counter("123")

Scene = Callable[[Harness], Awaitable[None]]


def play(scene: Scene, text: str = ONE, names: str = "n1 n2 n3") -> Harness:
    """Let a scheduler with a stack run through a scene."""

    async def main() -> Harness:
        clock = LoopClock()
        harness = Harness(OneDesk(text), Yard(clock, names), clock=clock)
        harness.traffic = Sending(harness.yard)
        harness.begin()
        try:
            await scene(harness)
        finally:
            await harness.end()
        return harness

    return run_virtually(main())


def slots(harness: Harness, image: str = "web") -> Counter[str]:
    return Counter(slot for slot, of, _ in harness.running() if of == image)


def nodes(harness: Harness) -> Counter[str]:
    return Counter(node for _, _, node in harness.running())


def changes(harness: Harness) -> int:
    changing = {"create", "start", "stop", "remove"}
    docks = harness.yard.docks.values()
    return sum(call[0] in changing for dock in docks for call in dock.calls)


def check(harness: Harness, status: Callable[[str], str]) -> None:
    """Let health checks say something of each image, five seconds after the start."""

    def checks(dock: Dock) -> Callable[[dict[str, Any]], None]:
        def begin(document: dict[str, Any]) -> None:
            found = status(document["Config"]["Image"])
            asyncio.get_running_loop().call_later(5, dock.set_health, document["Id"], found)

        return begin

    for dock in harness.yard.docks.values():
        dock.on_start = checks(dock)


def test_what_is_wanted_runs_within_seconds_and_then_nothing_is_changed() -> None:
    async def scene(harness: Harness) -> None:
        assert await harness.until(lambda: slots(harness) == THREE) < 2
        assert nodes(harness) == {"n1": 1, "n2": 1, "n3": 1}
        await harness.settle(quiet=100)
        assert changes(harness) == 6

    play(scene)


def test_what_is_seen_stays_the_same_object_over_full_looks_until_it_changes() -> None:
    async def scene(harness: Harness) -> None:
        def copies() -> dict[str, Copy]:
            assert harness.scheduler is not None
            seen = harness.scheduler._picture.taken(harness.clock.monotonic())
            return {copy.id: copy for copy in seen.copies["shop/web"]}

        await harness.until(lambda: slots(harness) == THREE)
        await harness.settle(quiet=20)
        before = copies()
        await harness.settle(quiet=100)
        assert [copies()[id_] is copy for id_, copy in before.items()] == [True] * 3
        _, _, on = harness.running()[0]
        dock = harness.yard.docks[on]
        (crashed,) = (id_ for id_, copy in before.items() if copy.node == on)
        dock.die(crashed)
        await harness.until(lambda: copies()[crashed] is not before[crashed])
        await harness.settle(quiet=20)
        now = copies()
        assert [now[id_] is copy for id_, copy in before.items() if id_ != crashed] == [True] * 2

    play(scene)


def test_what_is_seen_at_the_start_is_not_started_a_second_time() -> None:
    async def scene(harness: Harness) -> None:
        await harness.until(lambda: slots(harness) == THREE)
        await harness.end()
        harness.yard.docks["n3"].took["containers"] = 5.0
        harness.begin()
        await harness.settle()
        assert changes(harness) == 6

    play(scene)


def test_a_copy_that_ended_is_replaced_and_each_end_makes_the_next_wait_longer() -> None:
    async def scene(harness: Harness) -> None:
        dock = harness.yard.docks["n1"]

        def crash(document: dict[str, Any]) -> None:
            asyncio.get_running_loop().call_later(0.5, dock.die, document["Id"])

        dock.on_start = crash
        starts: list[float] = []
        while len(starts) < 6:
            count = changes(harness)
            await harness.until(lambda: changes(harness) > count, limit=1000)  # noqa: B023
            starts.append(harness.clock.monotonic())
            await asyncio.sleep(3)
        gaps = [b - a for a, b in pairwise(starts[1:])]
        assert gaps == sorted(gaps)
        assert gaps[-1] > 30

    play(scene, ONE.replace("replicas: 3", "replicas: 1"), "n1")


def test_an_engine_that_is_gone_gives_its_slots_to_others_and_its_copies_get_no_work() -> None:
    async def scene(harness: Harness) -> None:
        await harness.until(lambda: slots(harness) == THREE)
        (lost,) = harness.yard.docks["n2"].documents
        harness.yard.docks["n2"].crash(containers_too=True)
        took = await harness.until(lambda: slots(harness) == THREE)
        assert 13 < took < 18
        assert isinstance(harness.traffic, Sending)
        assert harness.traffic.withdrawn == [lost]
        assert ("suspend", "n2") in harness.traffic.told

    play(scene)


def test_when_most_engines_go_one_by_one_work_is_sent_as_before_and_nothing_moves() -> None:
    async def scene(harness: Harness) -> None:
        await harness.until(lambda: slots(harness) == THREE)
        before = changes(harness)
        assert isinstance(harness.traffic, Sending)
        told = harness.traffic.told
        harness.yard.docks["n1"].is_frozen = True
        await harness.until(lambda: ("suspend", "n1") in told)
        harness.yard.docks["n2"].is_frozen = True
        assert await harness.until(lambda: told[-1:] == [("resume", "n1")]) < 5
        assert harness.scheduler is not None
        await asyncio.sleep(60)
        assert "2 of 3 nodes cannot be reached" in str(harness.scheduler.trouble())
        assert ("alarm", harness.scheduler.trouble()) in [
            (kind, fields.get("text")) for kind, fields in harness.book.notes
        ]
        for name in ("n1", "n2"):
            harness.yard.docks[name].is_frozen = False
        await harness.until(lambda: harness.scheduler.trouble() is None)  # type: ignore[union-attr]
        await asyncio.sleep(30)
        assert changes(harness) == before
        assert harness.traffic.withdrawn == []

    play(scene)


class _SlowHook(Fencer):
    """A command for ``fencing: exec`` that takes half a minute for each node."""

    def __init__(self, harness: Harness) -> None:
        super().__init__(None, margin=1.0, clock=harness.clock)
        self.begun: list[str] = []
        self.done: set[str] = set()

    async def fence(self, node: str, fencing: Fencing, epoch: int) -> None:
        assert (fencing, epoch) == (Fencing.EXEC, 2)
        self.begun.append(node)
        await asyncio.sleep(30)
        self.done.add(node)
        self.changed.set()

    def fences(self, now: float) -> Fences:
        return replace(super().fences(now), cleared=frozenset(self.done))


def test_a_command_that_fences_a_lost_node_is_not_broken_off_by_the_next_look() -> None:
    async def scene(harness: Harness) -> None:
        await harness.end()
        harness.fencer = hook = _SlowHook(harness)
        harness.begin()
        await harness.until(lambda: slots(harness) == THREE)
        harness.yard.docks["n2"].crash(containers_too=True)
        await harness.until(lambda: bool(hook.begun))
        for _ in range(5):
            await asyncio.sleep(3)
            harness.desk.changed.set()  # look again
        assert slots(harness) != THREE
        assert await harness.until(lambda: slots(harness) == THREE) < 20
        assert hook.begun == ["n2"]

    play(scene, ONE + "    x-pinnace: {fencing: exec}\n")


def test_a_frozen_engine_gets_nothing_new_within_four_seconds() -> None:
    async def scene(harness: Harness) -> None:
        await harness.until(lambda: slots(harness) == THREE)
        harness.yard.docks["n2"].is_frozen = True
        assert isinstance(harness.traffic, Sending)
        told = harness.traffic.told
        assert await harness.until(lambda: ("suspend", "n2") in told) <= 4.1
        await harness.until(lambda: nodes(harness)["n1"] + nodes(harness)["n3"] == 3)

    play(scene)


def test_a_node_that_comes_back_loses_its_old_copy_by_a_drain_and_a_stop() -> None:
    async def scene(harness: Harness) -> None:
        await harness.until(lambda: slots(harness) == THREE)
        dock = harness.yard.docks["n2"]
        (old,) = dock.documents
        dock.crash()
        await harness.until(lambda: len(harness.running()) == 4)
        dock.return_()
        await harness.until(lambda: slots(harness) == THREE)
        assert isinstance(harness.traffic, Sending)
        told = harness.traffic.told
        assert told.index(("drain", old)) < told.index(("drained", old))
        assert ("stop", old) in dock.calls
        await harness.settle()
        assert not dock.documents[old]["State"]["Running"]  # kept, for its logs and its data

    play(scene)


def test_an_engine_that_restarts_within_its_time_keeps_what_it_has() -> None:
    async def scene(harness: Harness) -> None:
        await harness.until(lambda: slots(harness) == THREE)
        harness.yard.docks["n2"].crash()
        await asyncio.sleep(10)
        harness.yard.docks["n2"].return_()
        await harness.settle()
        assert changes(harness) == 6

    play(scene)


def test_when_most_nodes_are_gone_nothing_moves_and_an_alarm_says_so() -> None:
    async def scene(harness: Harness) -> None:
        await harness.until(lambda: slots(harness) == THREE)
        for name in ("n2", "n3"):
            harness.yard.docks[name].crash()
        await asyncio.sleep(120)
        assert changes(harness) == 6
        assert harness.scheduler is not None
        assert "2 of 3 nodes" in (harness.scheduler.trouble() or "")
        assert isinstance(harness.traffic, Sending)
        assert [each for each in harness.traffic.told if each[0] == "suspend"] == []
        for name in ("n2", "n3"):
            harness.yard.docks[name].return_()
        await harness.settle()
        assert changes(harness) == 6
        assert harness.scheduler.trouble() is None

    play(scene)


def test_when_most_nodes_go_one_after_the_other_the_first_gets_its_work_back() -> None:
    async def scene(harness: Harness) -> None:
        await harness.until(lambda: slots(harness) == THREE)
        harness.yard.docks["n2"].crash()
        assert isinstance(harness.traffic, Sending)
        told = harness.traffic.told
        await harness.until(lambda: ("suspend", "n2") in told)
        harness.yard.docks["n3"].crash()
        await harness.until(lambda: ("resume", "n2") in told)
        await asyncio.sleep(120)
        assert changes(harness) == 6
        assert ("suspend", "n3") not in told

    play(scene)


def test_a_node_without_the_image_is_passed_over() -> None:
    async def scene(harness: Harness) -> None:
        dock = harness.yard.docks["n2"]
        dock.has.clear()
        dock.failing["pull"] = EngineRefused("no registry answers")
        await harness.until(lambda: slots(harness) == THREE)
        assert nodes(harness)["n2"] == 0
        assert ("failed", "no registry answers") in [
            (kind, each.get("reason")) for kind, each in harness.book.notes
        ]

    play(scene)


def test_an_image_is_pulled_only_where_it_is_missing() -> None:
    async def scene(harness: Harness) -> None:
        harness.yard.docks["n2"].has.clear()
        await harness.until(lambda: slots(harness) == THREE)

    harness = play(scene)
    assert [dock.pulled for dock in harness.yard.docks.values()] == [[], ["web"], []]


def test_an_engine_that_answers_500_is_left_alone_and_used_again() -> None:
    async def scene(harness: Harness) -> None:
        dock = harness.yard.docks["n2"]
        dock.failing["create"] = EngineUnavailable("500 no space left on device")
        await harness.until(lambda: slots(harness) == THREE)
        assert nodes(harness)["n2"] == 0
        del dock.failing["create"]
        await asyncio.sleep(10)
        harness.desk.write(ONE.replace("replicas: 3", "replicas: 5"))
        await harness.until(lambda: len(harness.running()) == 5)
        assert nodes(harness)["n2"] > 0

    play(scene)


def test_an_engine_that_answers_nothing_but_pings_is_down_at_last() -> None:
    async def scene(harness: Harness) -> None:
        await harness.until(lambda: slots(harness) == THREE)
        dock = harness.yard.docks["n2"]
        for call in ("info", "containers", "inspect", "images"):
            dock.failing[call] = EngineUnavailable("500 oops")
        await harness.until(lambda: nodes(harness)["n1"] + nodes(harness)["n3"] == 3)

    play(scene)


def test_a_call_that_hangs_holds_up_nobody_else() -> None:
    async def scene(harness: Harness) -> None:
        harness.yard.docks["n2"].took["create"] = 500.0
        await harness.until(lambda: nodes(harness)["n1"] + nodes(harness)["n3"] == 2, limit=5)
        harness.desk.write(ONE.replace("replicas: 3", "replicas: 5"))
        await harness.until(lambda: nodes(harness)["n1"] + nodes(harness)["n3"] >= 3, limit=5)

    play(scene)


def test_a_full_node_is_told_of_and_used_when_there_is_room() -> None:
    text = ONE.replace("network_mode", "mem_reservation: 6g\n    network_mode")

    async def scene(harness: Harness) -> None:
        await harness.until(lambda: len(harness.running()) == 2)
        await harness.settle()
        kind, note = next(each for each in harness.book.notes if each[0] == "pending")
        assert (kind, "memory short" in str(note["text"])) == ("pending", True)
        harness.yard.docks["n1"].memory = 1 << 36
        await harness.until(lambda: len(harness.running()) == 3)

    play(scene, text, "n1")


def test_a_rollout_waits_for_health_and_replaces_one_after_the_other() -> None:
    async def scene(harness: Harness) -> None:
        healthy: list[str] = []
        check(harness, lambda _: "healthy")
        await harness.until(lambda: slots(harness) == THREE)
        await asyncio.sleep(10)
        harness.desk.write(CHECKED.replace("image: web", "image: web:2"))
        least = 3

        def over() -> bool:
            nonlocal least
            ready = [
                each
                for each in harness.yard.containers()
                if each["State"].get("Health", {}).get("Status") == "healthy"
            ]
            least = min(least, len(ready))
            return slots(harness, "web:2") == THREE and not slots(harness)

        assert await harness.until(over) > 15
        assert (least, healthy) == (3, [])

    play(scene, CHECKED)


def test_a_rollout_of_what_never_becomes_healthy_stops_with_the_old_copies_running() -> None:
    async def scene(harness: Harness) -> None:
        check(harness, lambda image: "healthy" if image == "web" else "unhealthy")
        await harness.until(lambda: slots(harness) == THREE)
        await asyncio.sleep(10)
        harness.desk.write(CHECKED.replace("image: web", "image: web:2"))
        await harness.settle(quiet=200, limit=3000)
        assert slots(harness) == THREE
        assert any("stopped" in str(each.get("text")) for _, each in harness.book.notes)

    play(scene, CHECKED)


def test_a_copy_that_the_load_balancer_never_has_is_a_failed_one() -> None:
    text = ONE.replace("deploy:", "x-pinnace: {rollout: {healthy_deadline: 60s}}\n    deploy:")

    async def scene(harness: Harness) -> None:
        await harness.until(lambda: slots(harness) == THREE)
        await asyncio.sleep(20)
        assert isinstance(harness.traffic, Sending)
        harness.traffic.routed = False
        harness.desk.write(text.replace("image: web", "image: web:2"))
        begun = harness.clock.monotonic()
        await harness.until(lambda: len(harness.running()) == 4)
        await harness.until(lambda: slots(harness, "web:2") == Counter())
        assert 60 <= harness.clock.monotonic() - begun < 75
        await harness.settle(quiet=100, limit=2000)
        assert slots(harness) == THREE

    play(scene, text)


def test_a_drained_node_is_emptied_without_a_slot_missing() -> None:
    async def scene(harness: Harness) -> None:
        await harness.until(lambda: slots(harness) == THREE)
        harness.desk.nodes["n1"] = Availability.DRAIN
        harness.desk.changed.set()
        least = 3

        def over() -> bool:
            nonlocal least
            least = min(least, len(slots(harness)))
            return nodes(harness)["n1"] == 0 and slots(harness) == THREE

        await harness.until(over)
        assert least == 3

    play(scene)


def test_another_leader_ends_what_was_begun_and_nothing_more_is_done() -> None:
    async def scene(harness: Harness) -> None:
        await harness.until(lambda: slots(harness) == THREE)
        election = harness.sole
        election.epoch = None
        election.changed.set()
        await asyncio.sleep(1)
        for dock in harness.yard.docks.values():
            for id_ in dock.documents:
                dock.die(id_)
        await asyncio.sleep(60)
        assert harness.running() == []
        election.epoch = 7
        election.changed.set()
        await harness.until(lambda: slots(harness) == THREE)
        epochs = {each["Config"]["Labels"]["pinnace.epoch"] for each in harness.yard.containers()}
        assert epochs == {"7"}

    play(scene)


def test_what_is_under_way_is_let_go_when_another_one_leads() -> None:
    async def scene(harness: Harness) -> None:
        for dock in harness.yard.docks.values():
            dock.took["create"] = 5.0
        await asyncio.sleep(2)
        harness.sole.epoch = None
        harness.sole.changed.set()
        await asyncio.sleep(60)
        assert harness.yard.containers(running=False) == []

    play(scene)


def test_what_was_running_before_is_not_waited_for_at_the_load_balancer() -> None:
    async def scene(harness: Harness) -> None:
        await harness.until(lambda: slots(harness) == THREE)
        await asyncio.sleep(400)
        await harness.end()
        assert isinstance(harness.traffic, Sending)
        harness.traffic.routed = False
        harness.begin()
        await harness.settle()
        assert changes(harness) == 6

    play(scene)


def test_when_we_are_slow_ourselves_nobody_else_is_taken_for_lost() -> None:
    async def scene(harness: Harness) -> None:
        await harness.until(lambda: slots(harness) == THREE)
        assert isinstance(harness.clock, LoopClock)
        assert isinstance(harness.traffic, Sending)
        harness.yard.docks["n2"].took["ping"] = 0.2
        for _ in range(200):
            await asyncio.sleep(0.05)
            harness.clock.stall(3.0)
        assert ("suspend", "n2") not in harness.traffic.told
        await harness.settle()
        assert changes(harness) == 6

    play(scene)


@pytest.mark.parametrize("jump", [-7200.0, 7200.0], ids=["back", "ahead"])
def test_a_clock_that_jumps_moves_nothing(jump: float) -> None:
    async def scene(harness: Harness) -> None:
        await harness.until(lambda: slots(harness) == THREE)
        assert isinstance(harness.clock, LoopClock)
        harness.clock.wall_offset += jump
        harness.yard.docks["n1"].offset -= jump
        await harness.settle(quiet=100)
        assert changes(harness) == 6
        (id_,) = harness.yard.docks["n2"].documents
        harness.yard.docks["n2"].die(id_)
        assert await harness.until(lambda: slots(harness) == THREE, limit=30) < 10

    play(scene)


def test_a_name_that_somebody_else_has_is_no_loop() -> None:
    async def scene(harness: Harness) -> None:
        dock = harness.yard.docks["n1"]
        id_ = await dock.create("shop_web_1", {"Image": "other", "Labels": {}})
        await dock.start(id_)
        await harness.until(lambda: slots(harness) == Counter("1"))
        assert changes(harness) == 4

    play(scene, ONE.replace("replicas: 3", "replicas: 1"), "n1")


def test_what_was_made_and_not_started_is_started_by_the_next() -> None:
    async def scene(harness: Harness) -> None:
        dock = harness.yard.docks["n1"]
        dock.took["start"] = 100.0
        await harness.until(lambda: len(dock.documents) == 1)
        await harness.end()
        del dock.took["start"]
        assert harness.running() == []
        harness.begin()
        await harness.until(lambda: slots(harness) == Counter("1"))
        assert len(dock.documents) == 1

    play(scene, ONE.replace("replicas: 3", "replicas: 1"), "n1")


def test_what_is_wanted_no_more_is_drained_stopped_and_removed() -> None:
    async def scene(harness: Harness) -> None:
        await harness.until(lambda: slots(harness) == THREE)
        harness.desk.clear()
        await harness.until(lambda: harness.yard.containers(running=False) == [])

    harness = play(scene)
    assert isinstance(harness.traffic, Sending)
    assert Counter(word for word, _ in harness.traffic.told) == {"drain": 3, "drained": 3}


def test_what_docker_compose_made_serves_on_until_ours_has_taken_its_place() -> None:
    text = ONE.replace("deploy:", "x-pinnace: {adopt: true}\n    deploy:")
    made = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}

    async def scene(harness: Harness) -> None:
        await harness.end()
        dock = harness.yard.docks["n1"]
        id_ = ""
        for number in "123":
            labels = {**made, "com.docker.compose.container-number": number}
            id_ = await dock.create(f"shop-web-{number}", {"Image": "web", "Labels": labels})
            await dock.start(id_)
        once = {**made, "com.docker.compose.container-number": "1"}
        once["com.docker.compose.oneoff"] = "True"
        await dock.start(await dock.create("run", {"Image": "web", "Labels": once}))
        harness.begin()
        least = 4

        def over() -> bool:
            nonlocal least
            least = min(least, len(harness.yard.containers()))
            return slots(harness) == THREE and len(harness.yard.containers()) == 4

        await harness.until(over)
        assert least == 4
        await harness.settle()
        assert dock.documents[id_]["State"]["Status"] == "exited"

    play(scene, text, "n1 n2")


def test_what_docker_compose_made_is_left_alone_unless_it_is_said() -> None:
    made = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}
    labels = {**made, "com.docker.compose.container-number": "1"}

    async def scene(harness: Harness) -> None:
        dock = harness.yard.docks["n1"]
        await dock.start(await dock.create("shop-web-1", {"Image": "web", "Labels": labels}))
        await harness.until(lambda: slots(harness) == THREE)
        await harness.settle()
        assert len(harness.yard.containers()) == 4

    play(scene, names="n1")


def test_an_image_is_asked_for_again_when_it_is_as_old_as_it_may_be() -> None:
    async def scene(harness: Harness) -> None:
        await harness.until(lambda: slots(harness) == Counter("1"))
        dock = harness.yard.docks["n1"]
        assert dock.pulled == ["web"], "nobody knows how old it is"

        async def again(after: float) -> list[str]:
            await asyncio.sleep(after)
            before = changes(harness)
            dock.die(next(each["Id"] for each in harness.yard.containers()))
            await harness.until(lambda: changes(harness) > before + 1, limit=100)
            await harness.until(lambda: slots(harness) == Counter("1"))
            return dock.pulled

        assert await again(3600) == ["web"]
        assert await again(86_400) == ["web", "web"]
        dock.failing["pull"] = EngineUnavailable("no registry")
        assert await again(86_400) == ["web", "web"], "the old one does"

    daily = ONE.replace("replicas: 3", "replicas: 1").replace("image: web", DAILY)
    play(scene, daily, "n1")


def test_labels_that_only_we_read_change_without_another_container() -> None:
    async def scene(harness: Harness) -> None:
        await harness.until(lambda: slots(harness) == THREE)
        await harness.settle()
        before = changes(harness)
        assert isinstance(harness.traffic, Sending)
        assert harness.traffic.labels == {}
        harness.desk.write(LABELLED.replace("a.example", "b.example"))
        await harness.until(lambda: len(harness.traffic.labels) == 3)  # type: ignore[attr-defined]
        for labels in harness.traffic.labels.values():
            assert labels["pinnace.http.host"] == "b.example.org"
        await harness.settle()
        assert changes(harness) == before
        harness.desk.write(LABELLED)
        await harness.until(lambda: harness.traffic.labels == {})  # type: ignore[attr-defined]
        assert changes(harness) == before

    play(scene, LABELLED)


def test_a_pod_gets_work_when_its_main_container_is_well_and_none_when_that_ended() -> None:
    async def scene(harness: Harness) -> None:
        assert isinstance(harness.traffic, Sending)
        check(harness, lambda image: "healthy" if image == "web:2" else "")
        hidden = harness.traffic.labels

        def main() -> list[str]:
            return [each for _, each, _ in harness.running() if each == "web:2"]

        await harness.until(lambda: len(main()) == 1, limit=30)
        (pod,) = hidden
        assert hidden[pod]["SERVICE_IGNORE"] == "true"
        assert hidden[pod]["pinnace.role"] == "pod"
        assert 4 < await harness.until(lambda: hidden == {}) < 7, "it is healthy after five seconds"
        (found,) = [
            each
            for each in harness.yard.containers()
            if each["Config"]["Labels"]["pinnace.role"] == "main"
        ]
        harness.yard.docks["n1"].die(found["Id"])
        assert await harness.until(lambda: [*hidden] == [pod]) < 1
        await harness.until(lambda: hidden == {}, limit=60)
        assert len(main()) == 1

    play(scene, PODDED, "n1")
