"""A scheduler that is killed in a rollout, and engines that answer 500 or nothing; real ones.

``python -m bench.scheduler_faults``: two engines, each behind a door that can fail. The killed
scheduler is started again at once; at the end each slot must run once, on the new image, with no
container left that is neither running nor one of the two kept for their logs.
"""

import argparse
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.figures import Figure, report
from deploy.tools.engine import PrivateEngine
from tests.support.door import Door, Rule, hangs, passes, refuses
from tests.support.pinnace import Pinnace, until

STACK = """
services:
  web:
    image: {image}
    ports: ["80"]
    network_mode: bridge
    environment: {{ROUND: "{round}"}}
    x-pinnace: {{drain: 300ms, strategy: balanced}}
    deploy:
      replicas: {replicas}
      restart_policy: {{delay: 200ms}}
      update_config: {{parallelism: 1, order: {order}, monitor: 300ms}}
"""
DOWN_AFTER = 3.0
SLOTS = Counter("1234")


class Yard:
    """A program on two engines."""

    def __init__(
        self, here: Pinnace, file: Path, engines: dict[str, PrivateEngine], doors: dict[str, Door]
    ) -> None:
        """All are started by ``yard``."""
        self.here = here
        self.engines = engines
        self.doors = doors
        self._file = file
        self.round = 0

    def write(self, image: str, replicas: int = 4, order: str = "start-first") -> None:
        """Want that."""
        words = {"image": image, "replicas": replicas, "order": order, "round": self.round}
        self._file.write_text(STACK.format(**words))

    def containers(self, *, all_of_them: bool = False) -> list[tuple[str, str]]:
        """Return slot and image of what runs, or of all there is."""
        form = '{{.Label "pinnace.slot"}} {{.Image}}'
        words = ["ps", "--filter", "label=pinnace.stack", "--format", form]
        words += ["-a"] * all_of_them
        found = [each.docker(*words).splitlines() for each in self.engines.values()]
        return [(line.split()[0], line.split()[1]) for lines in found for line in lines]

    def is_over(self, image: str) -> bool:
        """Return whether each slot runs once, on that image."""
        found = self.containers()
        return Counter(slot for slot, _ in found) == SLOTS and {of for _, of in found} == {image}


@contextmanager
def yard() -> Iterator[Yard]:
    """Start two engines and the program."""
    with ExitStack() as stack:
        engines, doors = {}, {}
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "shop"
        folder.mkdir()
        for name in ("n1", "n2"):
            engine = stack.enter_context(PrivateEngine())
            engine.build_images("web")
            engine.docker("tag", "web", "web:2")
            engines[name] = engine
            door = Door(engine.root / "door.sock", engine.socket)
            doors[name] = stack.enter_context(door.standing())
        file, nodes = folder / "compose.yaml", folder / "nodes.json"
        listed = [{"name": name, "endpoint": door.url} for name, door in doors.items()]
        nodes.write_text(json.dumps(listed))
        file.write_text(STACK.format(image="web", replicas=0, order="start-first", round=0))
        env = {
            "XDG_RUNTIME_DIR": str(folder),
            "PINNACE_SCHEDULER__DOWN_AFTER": f"{DOWN_AFTER}s",
            "PINNACE_SCHEDULER__PROBE": "1s",
        }
        words = ("--stack", str(file), "--nodes", str(nodes))
        here = stack.enter_context(Pinnace("unix:///nowhere", *words, env=env, lb=False))
        yield Yard(here, file, engines, doors)


def kills(made: Yard, rounds: int, seed: int) -> tuple[list[float], int]:
    """Kill at so many moments; return how long each rollout took in all, and what was wrong."""
    chance, took, wrong = random.Random(seed), [], 0
    made.write("web")
    until(lambda: made.is_over("web"), limit=60)
    for number in range(rounds):
        image = ("web:2", "web")[number % 2]
        order = ("start-first", "stop-first")[number // 2 % 2]
        begun = time.monotonic()
        made.write(image, order=order)
        time.sleep(chance.uniform(0.1, 4.0))
        made.here.kill()
        made.here.start()
        most = 0

        def is_over(image: str = image) -> bool:
            nonlocal most
            slots = Counter(slot for slot, _ in made.containers())
            most = max(most, *slots.values(), 0)
            return made.is_over(image)

        until(is_over, limit=90)
        took.append(time.monotonic() - begun)
        time.sleep(1.5)
        left = Counter(slot for slot, _ in made.containers(all_of_them=True))
        limit = 2 if order == "start-first" else 1
        is_wrong = not made.is_over(image) or most > limit or max(left.values()) > 3
        wrong += is_wrong
        print(f"kill {number + 1}: {order}, {took[-1]:.1f} s, {'WRONG' if is_wrong else 'fine'}")
    return took, wrong


def faults(made: Yard, rule: Rule) -> float:
    """Let an engine fail at everything; return how long until all runs on the other one."""
    made.write("web", 0)
    until(lambda: not made.containers())
    made.round += 1
    made.write("web", 4)
    until(lambda: made.is_over("web"), limit=60)
    n2, begun = made.engines["n2"], time.monotonic()
    assert len(n2.docker("ps", "-q").split()) == 2
    made.doors["n1"].set(rule)
    until(lambda: len(n2.docker("ps", "-q").split()) == 4, limit=60)
    took = time.monotonic() - begun
    made.doors["n1"].set(passes)
    until(lambda: not made.engines["n1"].docker("ps", "-q"), limit=60)
    return took


def main() -> int:
    """Measure and print; return 1 when a target was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with yard() as made:
        took, wrong = kills(made, options.kills, options.seed)
        failing = [faults(made, refuses()) for _ in range(options.rounds)]
        silent = [faults(made, hangs) for _ in range(options.rounds)]
    limit = DOWN_AFTER + 5
    return report(
        [
            Figure("rollouts of a killed scheduler with a wrong end", "", 0, [wrong]),
            Figure("rollout of four with one kill", "s", 60, took),
            Figure("500 to all else running, down after 3 s", "s", limit, failing),
            Figure("no answer to all else running, down after 3 s", "s", limit, silent),
        ]
    )


if __name__ == "__main__":
    raise SystemExit(main())
