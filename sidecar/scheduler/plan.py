"""From what is wanted and what is seen to the next actions. Pure, and level-triggered.

Every look begins anew: nothing depends on having seen an event.

``Memory`` holds what cannot be seen: when things failed. Losing it costs delays, no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sidecar.scheduler.actions import Action, Alarm
from sidecar.scheduler.cluster import Cluster, Goal
from sidecar.scheduler.looking import Look
from sidecar.scheduler.memory import Memory, counted
from sidecar.scheduler.model import Policy
from sidecar.scheduler.placing import Kept
from sidecar.scheduler.rebalancing import remembered
from sidecar.scheduler.sight import UNREACHABLE

__all__ = ["Plan", "plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, what to remember, and when to look again at the latest."""

    actions: tuple[Action, ...]
    memory: Memory
    look_again: float | None = None


def plan(
    goals: Sequence[Goal],
    cluster: Cluster,
    memory: Memory,
    *,
    now: float,
    policy: Policy,
    kept: Kept | None = None,
) -> Plan:
    """Return the next actions; ``goals`` are in the order in which services must start.

    ``kept`` is of the last look, and changes only how long this one takes.
    """
    away = [node for node in cluster.nodes if node.state in UNREACHABLE]
    if len(away) * 2 > len(cluster.nodes):
        text = f"{len(away)} of {len(cluster.nodes)} nodes cannot be reached: nothing is done"
        return Plan((Alarm(text),), replace(memory, cut_off=now))
    kept = kept or Kept()
    kept.calm.begin(cluster)
    memory = remembered(counted(memory, kept.calm.ailing(), now), cluster, now)
    look = Look(cluster, memory, now, kept=kept, policy=policy)
    for goal in goals:
        look.service(goal)
    known = {goal.service for goal in goals}
    for service in cluster.copies.keys() - known:
        look.retire_all(service)
    look.fence(goals)
    return Plan(
        tuple(look.leaning.in_order(look.actions)), look.parts.whole(), look.sight.look_again
    )
