"""How fast places are decided, on one core: ``python -m bench.scheduler [--quick]``; the
simulation alone: ``--rack 10000 100000``.

The decision alone, without commit and start. ``same``: nodes that are alike; ``mixed``: by labels,
capacities and what they hold. Then a simulation: a rack of a large cluster fails and comes
back.
"""

import argparse
import random
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median

from sidecar.scheduler.board import Board
from sidecar.scheduler.cluster import Cluster, Goal, Stage
from sidecar.scheduler.memory import Memory
from sidecar.scheduler.model import (
    NANO,
    ContainerView,
    NodeView,
    Placement,
    Policy,
    Request,
    Resources,
    State,
    Strategy,
)
from sidecar.scheduler.placing import Kept, Placer
from sidecar.scheduler.plan import Plan, plan
from sidecar.scheduler.simulation import Simulation

CASES = ((1_000, 1, 5_000), (10_000, 1, 3_000), (10_000, 10, 10_000), (10_000, 100, 20_000))
TARGETS = {(1_000, 1): 5_000, (10_000, 10): 3_000, (10_000, 100): 20_000}


def _nodes(size: int, *, mixed: bool, racks: int = 3) -> list[NodeView]:
    drawn = random.Random(1)
    nodes = [
        NodeView(
            name=f"n{number:05}",
            labels={"rack": f"r{number % racks}", "ostype": "linux"},
            capacity=Resources(16 * NANO, 64 << 30),
        )
        for number in range(size)
    ]
    return [_different(node, drawn) for node in nodes] if mixed else nodes


def _different(node: NodeView, drawn: random.Random) -> NodeView:
    """Return a node as no other one is: at the least by a label of its own, as all of ours."""
    own = {"node": node.name, "disk": drawn.choice(("ssd", "hdd"))}
    return replace(
        node,
        labels={**node.labels, **own},
        capacity=Resources(drawn.choice((8, 16, 32)) * NANO, drawn.choice((32, 64)) << 30),
        containers=(_other(drawn),),
    )


def _other(drawn: random.Random) -> ContainerView:
    used = Resources(drawn.randrange(4 * NANO), drawn.randrange(16 << 30))
    return ContainerView(name="other", resources=used)


def _batches(batch: int, total: int, strategy: Strategy) -> Iterator[list[Request]]:
    wanted = Resources(NANO // 100, 4 << 20)
    for service in range(total // batch):
        request = Request(service=f"s{service}", strategy=strategy, resources=wanted)
        yield [replace(request, slot=str(slot)) for slot in range(batch)]


def _rate(nodes: Sequence[NodeView], batches: Sequence[Sequence[Request]]) -> float:
    placer = Placer(Board(nodes, Policy(domain="rack")))
    begun = time.process_time()
    decisions = [each for batch in batches for each in placer.place(batch)]
    used = time.process_time() - begun
    if not all(isinstance(each, Placement) for each in decisions):
        raise SystemExit("something was refused: the measure means nothing")
    return len(decisions) / used


def placements(share: float) -> None:
    """Print placements per second of CPU time."""
    print("placements per second of CPU time       same     mixed   target")
    for strategy in Strategy:
        for size, batch, total in CASES:
            batches = list(_batches(batch, int(total * share), strategy))
            same, mixed = (_rate(_nodes(size, mixed=each), batches) for each in (False, True))
            target = TARGETS.get((size, batch), 0)
            print(
                f"{strategy:<9} {size:>6} nodes, batches of {batch:<4}"
                f"{same:>9,.0f} {mixed:>9,.0f} {target or '':>8}"
            )


def singles(size: int) -> None:
    """Print how long one request takes whose like was never asked for, and a look with it."""
    print(f"one replica of a new shape, {size} nodes, ms of CPU time    same     mixed   target")
    nodes = [_nodes(size, mixed=mixed) for mixed in (False, True)]
    for strategy in Strategy:
        times = [_single(each, strategy) for each in nodes]
        first, later = ([each[at] for each in times] for at in (0, 1))
        _row(f"{strategy:<9} on a board that was never asked", first)
        _row(f"{strategy:<9} on a board that was, median of 50", later, "5.0")
    looks = [_looks(each) for each in nodes]
    for at, text in enumerate(
        ("the first look makes the board", "a look at which 10 nodes changed")
    ):
        _row(text, [each[at] for each in looks])


def _row(text: str, times: Sequence[float], target: str = "") -> None:
    print(f"{text:<50}{''.join(f'{1000 * each:>10.2f}' for each in times)} {target:>8}")


def _single(nodes: Sequence[NodeView], strategy: Strategy) -> tuple[float, float]:
    placer = Placer(Board(nodes, Policy(domain="rack")))
    times = []
    for number in range(51):
        wanted = Resources(NANO // 100 + number, 4 << 20)
        request = Request(service=f"s{number}", strategy=strategy, resources=wanted)
        begun = time.process_time()
        placer.place([request])
        times.append(time.process_time() - begun)
    return times[0], median(times[1:])


def _looks(nodes: Sequence[NodeView]) -> tuple[float, float]:
    kept, times = Kept(), []
    drawn = random.Random(2)
    seen = [*nodes]
    for number in range(11):
        for at in drawn.sample(range(len(seen)), 10):
            other = replace(_other(drawn), name=f"other{number}")
            seen[at] = replace(seen[at], containers=(*seen[at].containers, other))
        request = Request(service="one", resources=Resources(NANO // 100 + number, 4 << 20))
        goal = Goal(service="one", spec="one", slots={"1": request})
        cluster = Cluster(tuple(seen), {})
        begun = time.process_time()
        plan([goal], cluster, Memory(), now=float(number), policy=Policy(), kept=kept)
        times.append(time.process_time() - begun)
    return times[0], median(times[1:])


class _Watch:
    """Tells how far a simulation is, every few seconds; checks it where something is done."""

    def __init__(self, world: Simulation) -> None:
        self.looks = 0
        self._world = world
        self._due = time.monotonic() + 2.0

    def __call__(self, found: Plan) -> None:
        self.looks += 1
        if found.actions:
            self._check()
        if time.monotonic() >= self._due:
            text = f"{self.looks} looks, {len(found.actions)} actions at {self._world.now:.0f} s"
            print(f"{text} of the virtual clock", file=sys.stderr, flush=True)
            self._due = time.monotonic() + 2.0

    def _check(self) -> None:
        """Refuse a slot that runs twice where that can be seen, and a node that is too full."""
        cluster = self._world.cluster()
        up = {node.name for node in cluster.nodes if node.state is State.UP}
        for service, copies in cluster.copies.items():
            running = [
                each.slot for each in copies if each.stage is Stage.RUNNING and each.node in up
            ]
            if len(running) > len({*running}):
                raise SystemExit(f"{service}: a slot runs twice")
        for node in cluster.nodes:
            held = [each.resources for each in node.containers if not each.is_over]
            has = node.capacity
            if (
                sum(each.cpu for each in held) > has.cpu
                or sum(each.memory for each in held) > has.memory
            ):
                raise SystemExit(f"{node.name} holds more than it has")


def rack_failure(nodes: int, containers: int) -> None:
    """Let one of twenty racks fail and come back; check that nothing is doubled or lost."""
    begun = time.process_time()
    world = Simulation(_nodes(nodes, mixed=False, racks=20), _goals(containers))
    watch = _Watch(world)
    world.until_quiet(tell=watch)
    first = world.now
    rack = [f"n{number:05}" for number in range(nodes) if number % 20 == 7]
    for name in rack:
        world.power_off(name)
    failed = world.now
    world.until_quiet(tell=watch)
    healed = world.now - failed
    for name in rack:
        world.set_node(name, State.UP)
    world.until_quiet(tell=watch)
    for goal in world.goals:
        running = [each.slot for each in world.copies[goal.service] if each.stage is Stage.RUNNING]
        if sorted(running) != sorted(goal.slots):
            raise SystemExit(f"{goal.service}: {len(running)} run")
    used = time.process_time() - begun
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{nodes} nodes, {containers} containers: all run after {first:.0f} s of the virtual clock,"
        f" a lost rack was replaced {healed:.0f} s after it failed; each slot runs once at the end"
        f" ({watch.looks} looks, {used:.0f} s of CPU time, at most {most:.0f} MiB)"
    )
    _at_rest(world)


def _goals(containers: int) -> list[Goal]:
    request = Request(service="", resources=Resources(NANO // 100, 4 << 20))
    return [
        Goal(
            service=f"s{number}",
            spec="one",
            slots={
                str(slot): replace(request, service=f"s{number}", slot=str(slot))
                for slot in range(1, 101)
            },
        )
        for number in range(containers // 100)
    ]


def _at_rest(world: Simulation) -> None:
    """Print what a look costs when nothing changed, when a node dies, and when it is replaced."""
    rest = median(_look(world) for _ in range(9))
    world.power_off("n00000")
    dead = _look(world)
    world.run(14.0)
    replaced = max(_look(world) for _ in range(4))
    print(
        f"one look, ms of CPU time: {1000 * rest:.0f} when nothing changed, {1000 * dead:.0f} when"
        f" a node has died, {1000 * replaced:.0f} when what it had is placed elsewhere"
    )


def _look(world: Simulation) -> float:
    begun = time.process_time()
    world.look()
    used = time.process_time() - begun
    world.turn(1.0)
    return used


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument(
        "--rack", nargs=2, type=int, metavar=("NODES", "CONTAINERS"),
        help="only the simulation, of so many; tells on stderr how far it is",
    )  # fmt: skip
    options = parser.parse_args()
    if options.rack:
        rack_failure(*options.rack)
        return
    share = 0.1 if options.quick else 1.0
    placements(share)
    singles(int(10_000 * share))
    rack_failure(int(10_000 * share), int(100_000 * share))


if __name__ == "__main__":
    main()
