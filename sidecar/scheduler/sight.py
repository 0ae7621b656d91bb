"""What the copies of one look are like: lost, reachable, current, ready. Pure.

It notes when an answer that depends on time will change (``look_again``).
"""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from math import inf
from typing import Final

from sidecar.scheduler.actions import Fence, Unfence
from sidecar.scheduler.cluster import WELL, Cluster, Copy, Goal, Health, Stage
from sidecar.scheduler.conduct import Keeps
from sidecar.scheduler.fencing import Fencing
from sidecar.scheduler.model import Availability, Request, State

__all__ = ["UNREACHABLE", "Sight"]

UNREACHABLE: Final = frozenset({State.SUSPECT, State.DOWN, State.FENCED})

_GONE: Final = frozenset({State.DOWN, State.FENCED})


class Sight:
    """Answers about copies at one moment."""

    def __init__(
        self,
        cluster: Cluster,
        now: float,
        *,
        cut_off: float = -inf,
        moving: Container[tuple[str, str, int]] = (),
    ) -> None:
        """Take what was seen and when; ``cut_off``: when it was us who reached nobody, last.

        ``moving`` are service, slot and incarnation of copies that are to leave their node.
        """
        self.look_again: float | None = None
        self.to_fence: set[Fence] = set()
        """What keeps slots on lost nodes from being placed elsewhere."""
        self._cut_off = cut_off
        self._moving = moving
        self._cluster = cluster
        self._now = now
        self._nodes = {node.name: node for node in cluster.nodes}
        self._homes = {
            node.name
            for node in cluster.nodes
            if node.state not in UNREACHABLE and node.availability is not Availability.DRAIN
        }
        """Nodes that can be reached and keep what they have."""
        self._manning: dict[str, dict[str, set[str]]] = {}
        """In which networks a service has something that does its work, by slot."""

    def is_at_home(self, copy: Copy) -> bool:
        """Return whether nothing about its node speaks against a copy."""
        return copy.node in self._homes

    def is_steady(self, copies: Sequence[Copy], goal: Goal) -> bool:
        """Return whether there is nothing to do, to wait for or to weigh about a slot.

        It has one copy, which is what is wanted, where it may stay, and takes work.
        """
        if len(copies) != 1 or goal.pod or goal.members:
            return False
        (copy,) = copies
        return (
            copy.stage is Stage.RUNNING
            and copy.spec == goal.spec
            and copy.node in self._homes
            and not copy.is_draining
            and copy.is_up
            and copy.health in WELL
            and (copy.health is Health.HEALTHY or self._now - copy.since >= goal.min_healthy)
            and (goal.service, copy.slot, copy.incarnation) not in self._moving
        )

    def is_lost(self, copy: Copy, goal: Goal) -> bool:
        """Return whether a copy is given up: its node is gone, fenced, or down for too long."""
        node = self._nodes.get(copy.node)
        if node is None:
            return True
        if node.state is State.FENCED:
            return goal.moves
        since = max(self._cluster.since.get(copy.node, self._now), self._cut_off)
        if node.state is not State.DOWN or not goal.moves:
            return False
        if self._now - since >= goal.lost_after:
            return self._is_shut_out(copy.node, goal.fencing)
        self.wait(since + goal.lost_after)
        return False

    def _is_shut_out(self, node: str, fencing: Fencing) -> bool:
        fences = self._cluster.fences
        if fences.is_over(node, fencing, self._now):
            return True
        if node in fences.denied and fencing is Fencing.SELF:
            self.wait(fences.over_at(node))
        else:
            self.to_fence.add(Fence(node, fencing))
        return False

    @staticmethod
    def claim(copy: Copy, goal: Goal) -> tuple[float, float]:
        """Return what tells which of two copies of a slot stays: the one with more of it."""
        epoch, incarnation = copy.age
        if goal.keeps is Keeps.ORIGINAL:
            return -epoch, -incarnation
        return (-copy.since, 0) if goal.keeps is Keeps.LONGEST else (epoch, incarnation)

    def is_withheld(self, copy: Copy, goal: Goal) -> bool:
        """Return whether a copy must leave the catalogue: its node is down, if not yet given up.

        At a suspicion its node gets no work already, which can be taken back if it is us.
        """
        if copy.stage is Stage.EXITED or not copy.is_registered:
            return False
        node = self._nodes.get(copy.node)
        if goal.fencing is Fencing.NONE or (node is not None and node.state not in _GONE):
            return False
        if self._now - self._cut_off >= goal.lost_after:
            return True
        self.wait(self._cut_off + goal.lost_after)
        return False

    def allowed(self, request: Request, goal: Goal) -> Request:
        """Return a request that goes only to nodes whose agent could stop it."""
        if goal.fencing is not Fencing.SELF:
            return request
        return replace(request, avoid=request.avoid | self._unleased)

    @cached_property
    def _unleased(self) -> frozenset[str]:
        fences = self._cluster.fences
        return frozenset(self._nodes.keys() - fences.leased | fences.denied.keys())

    def returned(self, goals: Iterable[Goal]) -> Iterator[Unfence]:
        """Return the nodes that are back and on which nothing runs any more that was given up."""
        fences = self._cluster.fences
        own = {goal.service for goal in goals if goal.fencing is Fencing.SELF}
        busy = {
            copy.node
            for service in own
            for copy in self._cluster.copies.get(service, ())
            if copy.stage is Stage.RUNNING
        }
        for name, node in sorted(self._nodes.items()):
            if node.state is not State.UP:
                continue
            if name in fences.denied and name not in busy:
                yield Unfence(name, Fencing.SELF)
            if name in fences.cleared:
                yield Unfence(name, Fencing.EXEC)

    def is_current(self, copy: Copy, goal: Goal) -> bool:
        """Return whether a copy is what is wanted, and where it may stay."""
        node = self._nodes.get(copy.node)
        is_leaving = node is not None and node.availability is Availability.DRAIN
        if is_leaving or (goal.service, copy.slot, copy.incarnation) in self._moving:
            return False
        return copy.spec == goal.spec

    def is_reachable(self, copy: Copy) -> bool:
        """Return whether anything can be done to a copy."""
        node = self._nodes.get(copy.node)
        return node is not None and node.state not in UNREACHABLE

    def is_ready(self, copy: Copy, goal: Goal) -> bool:
        """Return whether a copy takes work."""
        if copy.stage is not Stage.RUNNING or copy.is_draining or not self.is_reachable(copy):
            return False
        if not copy.is_up or not all(self._is_manned(copy, each) for each in goal.members):
            return False
        if copy.health is not Health.NONE:
            return copy.health is Health.HEALTHY
        if self._now - copy.since >= goal.min_healthy:
            return True
        self.wait(copy.since + goal.min_healthy)
        return False

    def _is_manned(self, pod: Copy, member: str) -> bool:
        """Return whether a pod has a member that is well, or has done its work."""
        if member not in self._manning:
            found = self._manning[member] = {}
            for copy in self._cluster.copies.get(member, ()):
                if _is_manning(copy):
                    found.setdefault(copy.slot, set()).add(copy.within)
        return not self._manning[member].get(pod.slot, frozenset()).isdisjoint(("", pod.id))

    def is_late(self, copy: Copy, goal: Goal) -> bool:
        """Return whether a copy should have become ready by now: healthy, and sent work."""
        if copy.health is not Health.STARTING and copy.is_up:
            return False
        deadline = copy.since + goal.update.deadline
        if deadline > self._now:
            self.wait(deadline)
        return deadline <= self._now

    def is_watched(self, copy: Copy, goal: Goal) -> bool:
        """Return whether a copy is so young that its failure counts against its rollout."""
        begun = copy.since if copy.started is None else copy.started
        if self._now - begun >= goal.update.monitor:
            return False
        self.wait(begun + goal.update.monitor)
        return True

    def leave(self, moving: Container[tuple[str, str, int]]) -> None:
        """Take other copies for those that are to leave their node."""
        self._moving = moving

    def is_moving(self, copies: Sequence[Copy], goal: Goal) -> bool:
        """Return whether an update of a slot has begun and what is new is not ready yet."""
        alive = [copy for copy in copies if copy.stage is not Stage.EXITED]
        news = [copy for copy in alive if self.is_current(copy, goal)]
        olds = [copy for copy in alive if not self.is_current(copy, goal)]
        had = any(not self.is_current(copy, goal) for copy in copies)
        if any(copy.is_draining for copy in olds) or (olds and news) or (had and not alive):
            return True
        return had and any(not self.is_ready(copy, goal) for copy in news[:1])

    def is_settling(self, copies: Sequence[Copy], goal: Goal) -> bool:
        """Return whether a slot was updated so lately that it is still watched."""
        news = [c for c in copies if c.stage is not Stage.EXITED and self.is_current(c, goal)]
        had = any(not self.is_current(copy, goal) for copy in copies)
        return had and any(self.is_watched(copy, goal) for copy in news[:1])

    def alone(self, ask: Callable[[], None]) -> float | None:
        """Ask things; return what they wait for, which is not noted."""
        others, self.look_again = self.look_again, None
        ask()
        own, self.look_again = self.look_again, others
        return own

    def wait(self, until: float) -> None:
        """Note when to look again at the latest."""
        self.look_again = until if self.look_again is None else min(self.look_again, until)


def _is_manning(copy: Copy) -> bool:
    """Return whether a member of a pod is well, or has done its work."""
    if copy.is_draining:
        return False
    if copy.stage is Stage.EXITED:
        return not copy.exit_code
    return copy.stage is Stage.RUNNING and copy.health in WELL
