"""What the copies of one look are like: lost, reachable, current, ready. Pure.

It notes when an answer that depends on time will change (``look_again``).
"""

from typing import Final

from sidecar.scheduler.cluster import Cluster, Copy, Goal, Health, Stage
from sidecar.scheduler.model import Availability, State

__all__ = ["UNREACHABLE", "Sight"]

UNREACHABLE: Final = frozenset({State.SUSPECT, State.DOWN, State.FENCED})


class Sight:
    """Answers about copies at one moment."""

    def __init__(self, cluster: Cluster, now: float) -> None:
        """Take what was seen and when."""
        self.look_again: float | None = None
        self._cluster = cluster
        self._now = now
        self._nodes = {node.name: node for node in cluster.nodes}

    def is_lost(self, copy: Copy, goal: Goal) -> bool:
        """Return whether a copy is given up: its node is gone, fenced, or down for too long."""
        node = self._nodes.get(copy.node)
        if node is None:
            return True
        if node.state is State.FENCED:
            return goal.moves
        since = self._cluster.since.get(copy.node, self._now)
        if node.state is not State.DOWN or not goal.moves:
            return False
        if self._now - since >= goal.lost_after:
            return True
        self.wait(since + goal.lost_after)
        return False

    def is_current(self, copy: Copy, goal: Goal) -> bool:
        """Return whether a copy is what is wanted, and where it may stay."""
        node = self._nodes.get(copy.node)
        is_leaving = node is not None and node.availability is Availability.DRAIN
        return copy.spec == goal.spec and not is_leaving

    def is_reachable(self, copy: Copy) -> bool:
        """Return whether anything can be done to a copy."""
        node = self._nodes.get(copy.node)
        return node is not None and node.state not in UNREACHABLE

    def is_ready(self, copy: Copy, goal: Goal) -> bool:
        """Return whether a copy takes work."""
        if copy.stage is not Stage.RUNNING or copy.is_draining or not self.is_reachable(copy):
            return False
        if not copy.is_up:
            return False
        if copy.health is not Health.NONE:
            return copy.health is Health.HEALTHY
        if self._now - copy.since >= goal.min_healthy:
            return True
        self.wait(copy.since + goal.min_healthy)
        return False

    def is_watched(self, copy: Copy, goal: Goal) -> bool:
        """Return whether a copy is so young that its failure counts against its rollout."""
        begun = copy.since if copy.started is None else copy.started
        if self._now - begun >= goal.update.monitor:
            return False
        self.wait(begun + goal.update.monitor)
        return True

    def wait(self, until: float) -> None:
        """Note when to look again at the latest."""
        self.look_again = until if self.look_again is None else min(self.look_again, until)
