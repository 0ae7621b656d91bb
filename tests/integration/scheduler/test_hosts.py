"""Three hosts, each alone in its namespace: losing power, cut off, frozen; rolled out under load."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.tools.engine import EngineError
from tests.support.engine_host import EngineHost
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


@pytest.fixture
def shop(hosts: Hosts, tmp_path: Path) -> Iterator[Pinnace]:
    """A program that schedules on all hosts; nothing of it is left on them."""
    nodes = tmp_path / "nodes.json"
    nodes.write_text(json.dumps([host.node(name) for name, host in hosts.items()]))
    file = tmp_path / "shop" / "compose.yaml"
    file.parent.mkdir()
    file.write_text(SHOP.format(image="web", replicas=3))
    env = {
        "XDG_RUNTIME_DIR": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path),
        "PINNACE_SCHEDULER__DOWN_AFTER": f"{DOWN_AFTER}s",
    }
    words = ("--stack", str(file), "--nodes", str(nodes))
    with Pinnace("unix:///nowhere", *words, env=env) as pinnace:
        yield pinnace
    for host in hosts.values():
        host.thaw()
        host.join()
        host.start_daemon()
        found = host.docker("ps", "-aq").split()
        if found:
            host.docker("rm", "-f", "-v", *found)


def running(host: EngineHost) -> list[str]:
    """Return the ids of what runs on a host; nothing when it does not answer."""
    try:
        return host.docker("ps", "-q", timeout=5).split()
    except EngineError:
        return []


def routed(pinnace: Pinnace) -> set[str]:
    return pinnace.bodies("front.localhost", 12)


def test_a_host_without_power_is_replaced_and_the_replacement_is_routed(
    shop: Pinnace, hosts: Hosts
) -> None:
    until(lambda: len(routed(shop)) == 3)
    assert [len(running(host)) for host in hosts.values()] == [1, 1, 1]
    (lost,) = running(hosts["n2"])
    begun = time.monotonic()
    hosts["n2"].power_off()
    until(lambda: len(routed(shop)) == 3 and lost not in routed(shop))
    assert time.monotonic() - begun < allowed(DOWN_AFTER + 5)
    assert len(running(hosts["n1"])) + len(running(hosts["n3"])) == 3
    hosts["n2"].power_on()
    until(lambda: shop.log("node")[-1]["state"] == "up")
    assert running(hosts["n2"]) == []
