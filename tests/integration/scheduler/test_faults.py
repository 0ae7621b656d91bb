"""Engines that answer 500 or nothing, images that crash or are missing, nodes that are full."""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.tools.engine import PrivateEngine
from tests.support.door import Door, hangs, passes, refuses
from tests.support.pinnace import Pinnace, until

pytestmark = [pytest.mark.engine]

WEB = """
services:
  front:
    image: web
    ports: ["80"]
    network_mode: bridge
    environment: {{ROUND: "{round}"}}
    deploy: {{replicas: {replicas}, restart_policy: {{delay: 200ms}}}}
    x-pinnace: {{drain: 100ms}}
"""
DRAIN = "x-pinnace: {drain: 100ms}"
WELL = "test: [CMD, 'true'], interval: 200ms, retries: 50}"
MISSING = "127.0.0.1:1/only-there"


@dataclass
class Yard:
    """Two engines, each behind a door, and a program that schedules on both."""

    here: Pinnace
    file: Path
    engines: dict[str, PrivateEngine]
    doors: dict[str, Door]
    round: int = 0
    """Makes each test's specification another one, which has failed nowhere yet."""

    def text(self, replicas: int) -> str:
        """Return a stack file."""
        return WEB.format(replicas=replicas, round=self.round)

    def write(self, replicas: int, more: str = "") -> None:
        """Change the stack file."""
        self.file.write_text(self.text(replicas) + more)

    def running(self, service: str = "front") -> Counter[str]:
        """Return how many copies run on each host."""
        return Counter({name: len(self.ids(name, service)) for name in self.engines})

    def ids(self, node: str, service: str = "front") -> set[str]:
        """Return what runs of a service on a host, whatever its door does; of all: empty."""
        label = f"pinnace.service={service}" if service else "pinnace.stack"
        return set(self.engines[node].docker("ps", "-q", "--filter", f"label={label}").split())

    def told(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """Return what was logged."""
        return [each for each in self.here.log(event) if fields.items() <= each.items()]

    def state(self, node: str) -> str:
        """Return the state of a host as it was told last."""
        return str(self.told("node", node=node)[-1]["state"])

    def is_even(self, each: int) -> bool:
        """Return whether so many run on each host and are in the catalogue."""
        even = Counter(dict.fromkeys(self.engines, each))
        return self.running() == even and len(self.here.instances("front")) == 2 * each


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    folder = tmp_path_factory.mktemp("faults")
    with ExitStack() as stack:
        engines, doors = {}, {}
        for name in ("n1", "n2"):
            engine = stack.enter_context(PrivateEngine())
            engine.build_images("web")
            engines[name] = engine
            doors[name] = stack.enter_context(
                Door(engine.root / "door.sock", engine.socket).standing()
            )
        engines["n2"].docker("tag", "web", MISSING)
        (folder / "shop").mkdir()
        file, nodes = folder / "shop" / "compose.yaml", folder / "nodes.json"
        file.write_text(WEB.format(replicas=0, round=0))
        listed = [{"name": name, "endpoint": door.url} for name, door in doors.items()]
        nodes.write_text(json.dumps(listed))
        env = {
            "XDG_RUNTIME_DIR": str(folder),
            "PINNACE_SCHEDULER__DOWN_AFTER": "3s",
            "PINNACE_SCHEDULER__PROBE": "1s",
        }
        words = ("--stack", str(file), "--nodes", str(nodes))
        here = stack.enter_context(Pinnace("unix:///nowhere", *words, env=env, lb=False))
        yield Yard(here, file, engines, doors)


@pytest.fixture
def yard(made: Yard) -> Yard:
    """One copy on each host."""
    if made.round == 0 or made.running("").total() != 2 or not made.is_even(1):
        made.write(0)
        until(lambda: not made.running("").total())
        made.round += 1
        made.write(2)
        until(lambda: made.is_even(1))
    return made


def test_an_engine_that_makes_nothing_more_is_passed_over_and_left_in_peace(yard: Yard) -> None:
    yard.doors["n1"].set(refuses("POST"))
    before, begun = yard.doors["n1"].count("containers/create"), time.monotonic()
    yard.write(4)
    until(lambda: yard.running() == {"n1": 1, "n2": 3})
    time.sleep(1.5)
    tried = yard.doors["n1"].count("containers/create") - before
    # Two slots of one look, then after 5 s, then after 10 s.
    assert 1 <= tried <= 2 + (time.monotonic() - begun) / 2.5
    assert any("on fire" in str(each["reason"]) for each in yard.told("create failed"))
    assert yard.doors["n1"].count("GET") > 0
    yard.doors["n1"].set(passes)


def test_an_engine_that_answers_nothing_is_down_and_what_it_ran_ends_when_it_is_back(
    yard: Yard,
) -> None:
    (old,) = yard.ids("n1")
    yard.doors["n1"].set(hangs)
    until(lambda: yard.running() == {"n1": 1, "n2": 2})
    until(lambda: len(yard.here.instances("front")) == 2)
    assert not any(old in each for each in yard.here.instances("front"))
    yard.doors["n1"].set(passes)
    until(lambda: not yard.ids("n1"))
    assert yard.engines["n1"].docker("inspect", "-f", "{{.State.ExitCode}}", old) == "0"
    until(lambda: yard.state("n1") == "up")


def test_nothing_moves_while_most_engines_do_not_answer(yard: Yard) -> None:
    before = yard.ids("n1") | yard.ids("n2")
    for door in yard.doors.values():
        door.set(hangs)
    until(lambda: {yard.state(name) for name in yard.doors} == {"down"})
    assert len(yard.here.instances("front")) == 2
    for door in yard.doors.values():
        door.set(passes)
    until(lambda: {yard.state(name) for name in yard.doors} == {"up"})
    assert yard.ids("n1") | yard.ids("n2") == before


def test_a_missing_image_is_looked_for_elsewhere_and_its_registry_left_in_peace(yard: Yard) -> None:
    before = yard.doors["n1"].count("images/create")
    yard.write(2, f"  only: {{image: '{MISSING}', deploy: {{replicas: 2}}, {DRAIN}}}\n")
    until(lambda: yard.running("only") == {"n1": 0, "n2": 2})
    time.sleep(1)
    assert yard.doors["n1"].count("images/create") - before <= 2  # one for each slot
    assert yard.doors["n2"].count("images/create") == 0


def test_what_has_no_room_says_why_and_is_placed_when_there_is_some(yard: Yard) -> None:
    half = "{reservations: {cpus: '%g'}}" % (0.6 * (os.cpu_count() or 1))
    big = f"deploy: {{replicas: REPLICAS, resources: {half}}}"
    more = f"  big: {{image: web, {DRAIN}, {big}}}\n"
    yard.write(2, more.replace("REPLICAS", "3"))
    until(lambda: yard.running("big").total() == 2)
    until(lambda: any("big.3 has no place: " in each["event"] for each in yard.told("")))
    small = more.replace("big", "small").replace("REPLICAS", "1")
    yard.write(2, more.replace("REPLICAS", "2") + small)
    until(lambda: any("small.1 has no place: " in each["event"] for each in yard.told("")))
    yard.write(2, more.replace("REPLICAS", "1") + small)
    until(lambda: yard.running("small").total() == 1)


def test_all_of_a_pod_are_on_one_engine_and_move_together(yard: Yard) -> None:
    side = "entrypoint: [sleep, '1000'], stop_grace_period: 0s, healthcheck: !override {" + WELL
    pod = f"pod_image: web, sidecars: [{{git-sync: {{image: web, {side}}}}}], drain: 100ms"
    more = f"  two: {{image: web, deploy: {{replicas: 2}}, x-pinnace: {{{pod}}}}}\n"
    parts = ("two", "two-git-sync", "two-pod")
    yard.write(0, more)
    until(lambda: all(yard.running(part) == {"n1": 1, "n2": 1} for part in parts))
    yard.doors["n1"].set(hangs)
    until(lambda: all(yard.running(part)["n2"] == 2 for part in parts))
    owners = Counter(
        yard.engines["n2"].docker("inspect", "-f", "{{.HostConfig.NetworkMode}}", id_)
        for part in parts[:2]
        for id_ in yard.ids("n2", part)
    )
    assert [*owners.values()] == [2, 2]
    yard.doors["n1"].set(passes)
    until(lambda: not yard.ids("n1", ""))


def test_what_always_crashes_is_started_ever_more_rarely_and_its_update_taken_back(
    yard: Yard,
) -> None:
    def made(service: str) -> int:
        return sum(door.count(f"containers/create?name=shop_{service}_") for door in doors)

    doors = [*yard.doors.values()]
    policy = "restart_policy: {delay: 200ms}"
    crash = f"  crash: {{image: web, entrypoint: [sh, -c, exit 3], deploy: {{{policy}}}}}\n"
    kept, begun = [yard.ids(name) for name in yard.engines], time.monotonic()
    yard.write(2, crash)
    until(lambda: made("crash") == 4)
    assert time.monotonic() - begun > 0.2 + 0.4 + 0.8
    bad = "update_config: {monitor: 1s, failure_action: rollback}"
    text = yard.text(2).replace("deploy: {", f"deploy: {{{bad}, ")
    before = made("front")
    yard.file.write_text(text.replace("image: web", "image: web\n    entrypoint: ['false']"))
    until(lambda: made("front") > before)
    until(lambda: yard.is_even(1))
    time.sleep(1)
    assert [yard.ids(name) for name in yard.engines] == kept
