"""Containers that lean on another: what shares its network, and what it works for. Pure.

A pod's first container has the network of all others. Without it they cannot be reached, so they
are made anew with it; and it ends after them. A sidecar ends after what it serves. What a service
depends on starts before it, and ends after it when both are wanted no more.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from sidecar.scheduler.actions import Action, Create, Drain, Stop
from sidecar.scheduler.cluster import Cluster, Copy, Goal, Health, Need, Stage
from sidecar.scheduler.memory import Memory
from sidecar.scheduler.model import Request
from sidecar.scheduler.spec import Condition

__all__ = ["Leaning"]

_SIDECAR = "sidecar:"
_MAIN = "main"


class Leaning:
    """What leans on what at one look."""

    def __init__(self, cluster: Cluster) -> None:
        """Take what was seen."""
        self._cluster = cluster
        self._slots: dict[str, tuple[str, ...]] = {}
        self._changing: set[str] = set()
        self._coming: set[str] = set()
        self._gone: set[str] = set()
        self._homes = {
            copy.id
            for copies in cluster.copies.values()
            for copy in copies
            if copy.stage is Stage.RUNNING and not copy.is_draining
        }

    def note(self, goal: Goal, actions: Iterable[Action], memory: Memory) -> None:
        """Remember how a service is: what needs it is looked at later."""
        alive = [
            copy
            for copy in self._cluster.copies.get(goal.service, ())
            if copy.stage is not Stage.EXITED
        ]
        if any(copy.spec != goal.spec for copy in alive):
            self._changing.add(goal.service)
        is_begun = any(
            isinstance(each, Create) and each.service == goal.service for each in actions
        )
        known = {(each.service, each.spec) for each in memory.failures}
        if (alive or is_begun) and (goal.service, goal.spec) not in known:
            self._coming.add(goal.service)

    def may_start(self, goal: Goal, slot: str, *, is_first: bool) -> bool:
        """Return whether all that a slot needs is there; what ran once waits for its pod only."""
        return all(
            self.is_met(need, slot) or not (need.is_required or need.service in self._coming)
            for need in goal.needs
            if is_first or need.is_same_slot
        )

    def may_change(self, goal: Goal) -> bool:
        """Return whether nothing is being replaced after which this service is to be replaced."""
        return not any(need.restarts and need.service in self._changing for need in goal.needs)

    def gone(self, copies: Iterable[Copy]) -> None:
        """Remember copies of a service that is wanted no more: they end in reverse order."""
        self._gone |= {copy.id for copy in copies if copy.id}

    def settled(self, goal: Goal) -> Goal:
        """Return the goal with the slots of its pod; must be asked for the pod before."""
        slots = self._slots.get(goal.pod)
        if goal.follows and slots is not None and goal.slots:
            pattern = next(iter(goal.slots.values()))
            goal = replace(goal, slots={slot: replace(pattern, slot=slot) for slot in slots})
        self._slots[goal.service] = tuple(goal.slots)
        return goal

    def home(self, goal: Goal, slot: str) -> Copy | None:
        """Return the container whose network a slot is to share, once it runs and if it stays."""
        found = [
            copy
            for copy in self._cluster.copies.get(goal.pod, ())
            if copy.slot == slot and copy.stage is Stage.RUNNING and not copy.is_draining
        ]
        return max(found, key=lambda each: each.age, default=None)

    def is_adrift(self, copy: Copy, goal: Goal) -> bool:
        """Return whether the network that a copy shares is gone, or about to be."""
        if not goal.pod or not copy.within:
            return False
        home = self.home(goal, copy.slot)
        return home is None or home.id != copy.within

    def bound(self, request: Request, goal: Goal) -> Request | None:
        """Return a request bound to where its pod is; None while that does not run."""
        if not goal.pod:
            return request
        home = self.home(goal, request.slot)
        return None if home is None else replace(request, only=home.node)

    def is_met(self, need: Need, slot: str) -> bool:
        """Return whether what a slot needs has come to be."""
        copies = self._needed(need, slot)
        if need.condition is Condition.COMPLETED:
            return any(copy.stage is Stage.EXITED and not copy.exit_code for copy in copies)
        running = [copy for copy in copies if copy.stage is Stage.RUNNING]
        if need.condition is Condition.HEALTHY:
            return any(copy.health is Health.HEALTHY for copy in running)
        return bool(running)

    def _needed(self, need: Need, slot: str) -> tuple[Copy, ...]:
        copies = self._cluster.copies.get(need.service, ())
        if not need.is_same_slot:
            return copies
        return tuple(
            copy
            for copy in copies
            if copy.slot == slot and not copy.is_draining and copy.within in {"", *self._homes}
        )

    def in_order(self, actions: Iterable[Action]) -> Iterator[Action]:
        """Leave out what must not stop yet; a later look finds it again."""
        found = list(actions)
        leaving = {each.copy.id for each in found if isinstance(each, Drain | Stop)}
        running = [
            copy
            for copies in self._cluster.copies.values()
            for copy in copies
            if copy.stage is Stage.RUNNING and copy.within
        ]
        for action in found:
            if isinstance(action, Drain | Stop) and self._is_needed(action, leaving):
                continue
            if not isinstance(action, Stop) or not _is_leant_on(action.copy, running, leaving):
                yield action

    def _is_needed(self, action: Drain | Stop, leaving: set[str]) -> bool:
        """Return whether what depends on a copy is ending too, and has not ended yet."""
        if action.copy.id not in self._gone:
            return False
        stack, _, name = action.service.rpartition("/")
        return any(
            other.stage is Stage.RUNNING
            and other.id in self._gone
            and (other.is_draining or other.id in leaving)
            for service, copies in self._cluster.copies.items()
            if service.rpartition("/")[0] == stack
            for other in copies
            if name in other.needs
        )


def _is_leant_on(copy: Copy, running: Iterable[Copy], leaving: set[str]) -> bool:
    for other in running:
        if other.within == copy.id:
            return True
        is_served = copy.role.startswith(_SIDECAR) and other.role == _MAIN
        is_leaving = other.is_draining or other.id in leaving
        if is_served and is_leaving and other.within == copy.within:
            return True
    return False
