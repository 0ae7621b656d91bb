"""What a lost host costs on three real engines, with the default times; an update under load.

``python -m bench.healing``: each host in a network namespace of its own, HAProxy in front. Power
off: everything on a host ends at once, with its network. Frozen: its daemon is stopped, and takes
connections without an answer.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.figures import Figure, report
from tests.support.engine_host import EngineHost
from tests.support.load import Load
from tests.support.pinnace import Pinnace, until

STACK = """
services:
  front:
    image: {image}
    ports: ["80"]
    network_mode: bridge
    environment: {{LINGER_US: "200000"}}
    deploy: {{replicas: {replicas}}}
"""
DOWN_AFTER = 15.0
SUSPECT = 4.0
Loss = Callable[[EngineHost], None]


class Shop:
    """A program with a stack on three hosts."""

    def __init__(self, here: Pinnace, file: Path, hosts: dict[str, EngineHost]) -> None:
        """All are started by ``shop``."""
        self.here = here
        self.hosts = hosts
        self._file = file

    def write(self, replicas: int, image: str = "web") -> None:
        """Want so many, and wait until all answer."""
        self._file.write_text(STACK.format(image=image, replicas=replicas))
        until(lambda: len(self.answering(4 * replicas)) == replicas, limit=60)

    def answering(self, count: int = 12) -> set[str]:
        """Return who answers so many requests."""
        return self.here.bodies("front.localhost", count)


@contextmanager
def shop() -> Iterator[Shop]:
    """Start three hosts and a program that schedules on them."""
    with ExitStack() as stack:
        hosts: dict[str, EngineHost] = {}
        for number in (1, 2, 3):
            host = EngineHost()
            stack.callback(host.stop)
            host.start()
            host.build_images("web")
            host.docker("tag", "web", "web:2")
            hosts[f"n{number}"] = host
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "shop"
        folder.mkdir()
        file, nodes = folder / "compose.yaml", folder / "nodes.json"
        file.write_text(STACK.format(image="web", replicas=3))
        nodes.write_text(json.dumps([host.node(name) for name, host in hosts.items()]))
        env = {"XDG_RUNTIME_DIR": str(folder), "XDG_STATE_HOME": str(folder)}
        words = ("--stack", str(file), "--nodes", str(nodes))
        here = stack.enter_context(Pinnace("unix:///nowhere", *words, env=env))
        yield Shop(here, file, hosts)


def loss(shop: Shop, lose: Loss, regain: Loss) -> tuple[float, float]:
    """Lose a host; return after how long it got no more work, and had its replacement routed."""
    shop.write(3)
    name = "n2"
    until(lambda: shop.hosts[name].docker("ps", "-q"))
    (lost,) = shop.hosts[name].docker("ps", "-q").split()
    seen = len(shop.here.log("node"))
    begun = time.monotonic()
    lose(shop.hosts[name])
    until(lambda: any(each["node"] == name for each in shop.here.log("node")[seen:]))
    suspected = time.monotonic() - begun

    def is_over() -> bool:
        found = shop.answering()
        return len(found) == 3 and lost not in found

    until(is_over, limit=60)
    replaced = time.monotonic() - begun
    regain(shop.hosts[name])
    until(lambda: shop.here.log("node")[-1]["state"] == "up")
    until(lambda: not shop.hosts[name].docker("ps", "-q"))
    shop.write(1)
    return suspected, replaced


def update(shop: Shop) -> int:
    """Update six replicas under load; return how many requests failed."""
    shop.write(6)
    old = shop.answering(24)
    with Load(shop.here.lb_port, "front.localhost", clients=8, path="/cgi-bin/slow?30") as load:
        begun = time.monotonic()
        shop.write(6, "web:2")
        until(lambda: not old & shop.answering(24), limit=120)
        took = time.monotonic() - begun
    print(
        f"six replicas updated in {took:.1f} s, {load.total} requests, {len(load.failures)} failed"
    )
    return len(load.failures)


def main() -> int:
    """Measure and print; return 1 when a target was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds: int = parser.parse_args().rounds
    with shop() as made:
        off = [loss(made, EngineHost.power_off, EngineHost.power_on) for _ in range(rounds)]
        frozen = [loss(made, EngineHost.freeze, EngineHost.thaw) for _ in range(rounds)]
        failed = update(made)
    both, limit = off + frozen, DOWN_AFTER + 5
    return report(
        [
            Figure("lost host to no new work", "s", SUSPECT, [each for each, _ in both]),
            Figure("power off to replacement routed", "s", limit, [each for _, each in off]),
            Figure("frozen engine to replacement routed", "s", limit, [each for _, each in frozen]),
            Figure("failed requests in an update of six", "", 0, [failed]),
        ]
    )


if __name__ == "__main__":
    raise SystemExit(main())
