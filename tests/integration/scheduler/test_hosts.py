"""Three hosts, each alone in its namespace: without power, cut off, frozen; updated under load."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.tools.engine import EngineError
from tests.support.engine_host import EngineHost
from tests.support.load import Load
from tests.support.pace import allowed
from tests.support.pinnace import Pinnace, until

pytestmark = [pytest.mark.engine, pytest.mark.haproxy]

DOWN_AFTER = 4.0
SHOP = """
services:
  front:
    image: {image}
    ports: ["80"]
    network_mode: bridge
    environment: {{LINGER_US: "200000"}}
    x-pinnace: {{drain: 5s}}
    deploy:
      replicas: {replicas}
      restart_policy: {{delay: 1s}}
      update_config: {{parallelism: 2, order: start-first, monitor: 1s}}
"""
Hosts = dict[str, EngineHost]


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    made: Hosts = {}
    try:
        for number in (1, 2, 3):
            host = EngineHost()
            made[f"n{number}"] = host
            host.start()
            host.build_images("web")
            host.docker("tag", "web", "web:2")
        yield made
    finally:
        for host in made.values():
            host.stop()


@pytest.fixture(scope="module")
def program(hosts: Hosts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pinnace]:
    """A program that schedules on all hosts."""
    folder = tmp_path_factory.mktemp("hosts") / "shop"
    folder.mkdir()
    nodes = folder / "nodes.json"
    nodes.write_text(json.dumps([host.node(name) for name, host in hosts.items()]))
    file = folder / "compose.yaml"
    file.write_text(SHOP.format(image="web", replicas=3))
    env = {
        "XDG_RUNTIME_DIR": str(folder),
        "XDG_STATE_HOME": str(folder),
        "PINNACE_SCHEDULER__DOWN_AFTER": f"{DOWN_AFTER}s",
        "PINNACE_SCHEDULER__PROBE_TIMEOUT": "1500ms",
    }
    words = ("--stack", str(file), "--nodes", str(nodes))
    with Pinnace("unix:///nowhere", *words, env=env) as pinnace:
        yield pinnace


@dataclass(frozen=True)
class Shop:
    """The program with a stack of three that runs on three hosts."""

    here: Pinnace

    def write(self, image: str, replicas: int) -> None:
        """Change the stack file."""
        words = self.here.command
        file = Path(words[words.index("--stack") + 1])
        file.write_text(SHOP.format(image=image, replicas=replicas))

    def routed(self, count: int = 12) -> set[str]:
        """Return who answers so many requests."""
        return self.here.bodies("front.localhost", count)

    def is_without(self, old: str) -> bool:
        """Return whether three answer, and one not any more."""
        found = self.routed()
        return len(found) == 3 and old not in found

    def told(self, node: str) -> list[dict[str, object]]:
        """Return what was logged of a node."""
        return [each for each in self.here.log() if each.get("node") == node]


@pytest.fixture
def shop(program: Pinnace, hosts: Hosts) -> Shop:
    """One copy on each host, all of them routed."""
    found = Shop(program)
    for _ in range(5):  # a host that is silent for a moment, on a busy machine, gets none
        found.write("web", 0)
        until(lambda: not any(map(running, hosts.values())))
        found.write("web", 3)
        until(lambda: len(found.routed()) == 3)
        if [len(running(host)) for host in hosts.values()] == [1, 1, 1]:
            break
    return found


def running(host: EngineHost) -> list[str]:
    """Return the ids of what runs on a host; nothing when it does not answer."""
    try:
        return host.docker("ps", "-q", timeout=5).split()
    except EngineError:
        return []


def test_a_host_without_power_is_replaced_and_the_replacement_is_routed(
    shop: Shop, hosts: Hosts
) -> None:
    (lost,) = running(hosts["n2"])
    begun = time.monotonic()
    hosts["n2"].power_off()
    until(lambda: shop.is_without(lost))
    assert time.monotonic() - begun < allowed(DOWN_AFTER + 5)
    assert len(running(hosts["n1"])) + len(running(hosts["n3"])) == 3
    hosts["n2"].power_on()
    until(lambda: shop.told("n2")[-1].get("state") == "up")
    assert running(hosts["n2"]) == []


def test_a_host_that_was_cut_off_loses_its_old_copy_by_a_drain_and_a_stop(
    shop: Shop, hosts: Hosts
) -> None:
    (old,) = running(hosts["n3"])
    hosts["n3"].cut_off()
    until(lambda: shop.is_without(old))
    assert running(hosts["n3"]) == [old]
    hosts["n3"].join()
    until(lambda: running(hosts["n3"]) == [])
    state = hosts["n3"].docker("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", old)
    assert state == "exited 0"  # it was asked to end, and did; it is kept
    until(lambda: shop.told("n3")[-1]["event"] == "stop")
    words = [each["event"] for each in shop.told("n3")]
    assert [word for word in words if word != "node"][-2:] == ["drain", "stop"]
    assert len(shop.routed()) == 3


def test_a_frozen_engine_is_worked_around_and_taken_back(shop: Shop, hosts: Hosts) -> None:
    (old,) = running(hosts["n1"])
    hosts["n1"].freeze()
    until(lambda: shop.is_without(old))
    hosts["n1"].thaw()
    until(lambda: running(hosts["n1"]) == [])
    assert len(shop.routed()) == 3


def test_no_request_fails_while_six_replicas_are_updated(shop: Shop, hosts: Hosts) -> None:
    shop.write("web", 6)
    until(lambda: len(shop.routed(24)) == 6)
    old = shop.routed(24)
    with Load(shop.here.lb_port, "front.localhost", clients=4, path="/cgi-bin/slow?30") as load:
        shop.write("web:2", 6)
        until(lambda: not old & shop.routed(24), limit=60)
        until(lambda: sum(len(running(host)) for host in hosts.values()) == 6)
    assert load.failures == []
    assert load.total > 100


def test_a_scheduler_that_is_killed_in_a_rollout_goes_on_with_it(shop: Shop, hosts: Hosts) -> None:
    shop.write("web:2", 3)
    for word in ("create", "drain"):
        count = len(shop.here.log(word))
        until(lambda: len(shop.here.log(word)) > count)  # noqa: B023
        shop.here.kill()
        shop.here.start()
    until(lambda: sorted(images(hosts)) == ["web:2"] * 3)
    until(lambda: len(shop.routed()) == 3)
    time.sleep(1)
    assert sorted(images(hosts)) == ["web:2"] * 3
    assert slots(hosts) == {"1", "2", "3"}


def images(hosts: Hosts) -> list[str]:
    return [
        image
        for host in hosts.values()
        for image in host.docker("ps", "--format", "{{.Image}}").split()
    ]


def slots(hosts: Hosts) -> set[str]:
    form = '{{.Label "pinnace.slot"}}'
    return {slot for host in hosts.values() for slot in host.docker("ps", "--format", form).split()}
