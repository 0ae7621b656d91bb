"""A scheduler that is killed at any moment of a rollout or of moves: the next finds the way."""

import asyncio
from collections import Counter

import pytest

from sidecar.scheduler.model import Availability
from tests.support.desk import Harness, OneDesk, Sending
from tests.support.dockyard import Yard
from tests.support.virtual import LoopClock, run_virtually

STACK = """
services:
  web:
    image: {image}
    networks: [front, back]
    volumes: ["data:/data"]
    configs: [{{source: greeting, target: /greeting}}]
    pre_stop: [{{command: [/bin/true]}}]
    deploy:
      replicas: 2
      update_config: {{parallelism: 1, order: {order}}}
networks: {{front: {{}}, back: {{}}}}
volumes: {{data: {{}}}}
configs: {{greeting: {{content: hello}}}}
"""
MOVING = """
services:
  web:
    image: web
    networks: [front, back]
    configs: [{source: greeting, target: /greeting}]
    x-pinnace: {rebalance: on-join}
    deploy: {replicas: 3}
networks: {front: {}, back: {}}
configs: {greeting: {content: hello}}
"""
ALL = Counter("12")


def _is_over(harness: Harness) -> bool:
    found = harness.running()
    return Counter(slot for slot, _, _ in found) == ALL and {of for _, of, _ in found} == {"web:2"}


async def _rollout(order: str, kill_at: int | None) -> int:
    """Roll a new image out, kill the scheduler at a step, begin another; return all steps."""
    clock = LoopClock()
    harness = Harness(OneDesk(STACK.format(image="web", order=order)), Yard(clock), clock=clock)
    harness.traffic = Sending(harness.yard)
    harness.begin()
    await harness.until(lambda: len(harness.running()) == 2)
    await asyncio.sleep(1)
    yard, begun, most = harness.yard, harness.yard.steps, 0

    def step() -> None:
        nonlocal most
        most = max(most, *Counter(slot for slot, _, _ in harness.running()).values(), 0)
        if kill_at is not None and yard.steps - begun == kill_at:
            harness.kill()

    yard.step = step
    harness.desk.write(STACK.format(image="web:2", order=order))
    await harness.until(lambda: harness.is_killed or _is_over(harness))
    steps = yard.steps - begun
    if harness.is_killed:
        await harness.end()
        harness.begin()
    await harness.until(lambda: _is_over(harness))
    await harness.settle(quiet=12)
    assert _is_over(harness), harness.state()
    assert most <= (2 if order == "start-first" else 1)
    await harness.end()
    _check_what_is_left(harness)
    return steps


def _check_what_is_left(harness: Harness) -> None:
    found = harness.yard.containers(running=False)
    assert {each["State"]["Status"] for each in found} <= {"running", "exited"}
    ended = [each for each in found if not each["State"]["Running"]]
    kept = Counter(each["Config"]["Labels"]["pinnace.slot"] for each in ended)
    assert all(count <= 2 for count in kept.values()), kept
    for dock in harness.yard.docks.values():
        for each in dock.documents.values():
            assert len(each["NetworkSettings"]["Networks"]) == 2, each
            assert each["Id"] in dock.archives


@pytest.mark.parametrize("order", ["start-first", "stop-first"])
def test_killed_at_every_step_it_converges_without_an_orphan_or_a_double(order: str) -> None:
    total = run_virtually(_rollout(order, None))
    assert total > 100
    for n in range(1, total + 1):
        run_virtually(_rollout(order, n))


async def _moves(kind: str, kill_at: int | None) -> int:
    """Let copies move to a node that joins, or from one that is emptied; return all steps."""
    clock = LoopClock()
    harness = Harness(OneDesk(MOVING), Yard(clock), clock=clock)
    harness.traffic = Sending(harness.yard)
    nodes = harness.desk.nodes
    if kind == "join":
        nodes["n2"] = Availability.DRAIN
    harness.begin()
    await harness.until(lambda: len(harness.running()) == 3)
    await harness.settle(quiet=12)
    yard, begun, most, least = harness.yard, harness.yard.steps, 0, 3

    def step() -> None:
        nonlocal most, least
        slots = Counter(slot for slot, _, _ in harness.running())
        most, least = max(most, *slots.values()), min(least, len(slots))
        if kill_at is not None and yard.steps - begun == kill_at:
            harness.kill()

    def is_over() -> bool:
        found = Counter(node for _, _, node in harness.running())
        return found == (Counter(n1=2, n2=1) if kind == "join" else Counter(n2=3))

    yard.step = step
    nodes.update({"n2": Availability.ACTIVE} if kind == "join" else {"n1": Availability.DRAIN})
    harness.desk.changed.set()
    await harness.until(lambda: harness.is_killed or is_over())
    steps = yard.steps - begun
    if harness.is_killed:
        await harness.end()
        harness.begin()
    await harness.until(is_over)
    await harness.settle(quiet=70)  # a minute may pass before the next one moves
    assert is_over(), harness.running()
    assert most <= 2
    assert least == 3  # of each slot one serves at each moment
    await harness.end()
    _check_what_is_left(harness)
    return steps


@pytest.mark.parametrize("kind", ["join", "drain"])
def test_killed_at_every_step_of_moves_no_copy_is_lost_or_left_twice(kind: str) -> None:
    total = run_virtually(_moves(kind, None))
    assert total > 40
    for n in range(1, total + 1):
        run_virtually(_moves(kind, n))
