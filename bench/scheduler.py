"""How fast places are decided, on one core: ``python -m bench.scheduler [--quick]``.

The decision alone, without commit and start. ``same``: nodes that are alike; ``mixed``: by labels,
capacities and what they hold. Then a simulation: a rack of a large cluster fails and comes
back.
"""

import argparse
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from sidecar.scheduler.board import Board
from sidecar.scheduler.cluster import Goal, Stage
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
from sidecar.scheduler.placing import Placer
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


def rack_failure(nodes: int, containers: int) -> None:
    """Let one of twenty racks fail and come back; check that nothing is doubled or lost."""
    request = Request(service="", resources=Resources(NANO // 100, 4 << 20))
    goals = [
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
    begun = time.process_time()
    world = Simulation(_nodes(nodes, mixed=False, racks=20), goals)
    world.until_quiet()
    first = world.now
    rack = [f"n{number:05}" for number in range(nodes) if number % 20 == 7]
    for name in rack:
        world.power_off(name)
    failed = world.now
    world.until_quiet()
    healed = world.now - failed
    for name in rack:
        world.set_node(name, State.UP)
    world.until_quiet()
    for goal in goals:
        running = [each.slot for each in world.copies[goal.service] if each.stage is Stage.RUNNING]
        if sorted(running) != sorted(goal.slots):
            raise SystemExit(f"{goal.service}: {len(running)} run")
    used = time.process_time() - begun
    print(
        f"{nodes} nodes, {containers} containers: all run after {first:.0f} s of the virtual clock,"
        f" a lost rack was replaced {healed:.0f} s after it failed; each slot runs once at the end"
        f" ({used:.0f} s of CPU time)"
    )


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    share = 0.1 if parser.parse_args().quick else 1.0
    placements(share)
    rack_failure(int(10_000 * share), int(100_000 * share))


if __name__ == "__main__":
    main()
