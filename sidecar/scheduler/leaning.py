"""Containers that lean on another: what shares its network, and what it works for. Pure.

A pod's first container has the network of all others. Without it they cannot be reached, so they
are made anew with it; and it ends after them. A sidecar ends after what it serves. What a service
depends on starts before it, and ends after it when both are wanted no more.
"""

from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from sidecar.scheduler.actions import Action, Create, Drain, Stop
from sidecar.scheduler.calm import Told
from sidecar.scheduler.cluster import Cluster, Copy, Goal, Health, Need, Stage
from sidecar.scheduler.memory import Memory
from sidecar.scheduler.model import Request
from sidecar.scheduler.slots import like
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
        self._by_slot: dict[str, dict[str, list[Copy]]] = {}
        self._met: dict[tuple[str, Condition, str], bool] = {}

    @cached_property
    def _homes(self) -> frozenset[str]:
        """Return the containers whose network may be shared."""
        return frozenset(
            copy.id
            for copies in self._cluster.copies.values()
            for copy in copies
            if copy.stage is Stage.RUNNING and not copy.is_draining
        )

    def note(self, goal: Goal, actions: Iterable[Action], memory: Memory) -> None:
        """Remember how a service is: what needs it is looked at later.

        ``actions`` and ``memory`` are of this service.
        """
        alive = [
            copy
            for copy in self._cluster.copies.get(goal.service, ())
            if copy.stage is not Stage.EXITED
        ]
        if any(copy.spec != goal.spec for copy in alive):
            self._changing.add(goal.service)
        is_begun = any(isinstance(each, Create) for each in actions)
        if (alive or is_begun) and not memory.times_failed(goal.service, goal.spec):
            self._coming.add(goal.service)

    def told(self, service: str) -> Told:
        """Return what was noted of a service."""
        return Told(self.slots(service), service in self._changing, service in self._coming)

    def repeat(self, service: str, told: Told) -> None:
        """Note what was told of a service at another look."""
        self._slots[service] = told.slots
        if told.is_changing:
            self._changing.add(service)
        if told.is_coming:
            self._coming.add(service)

    def slots(self, service: str) -> tuple[str, ...]:
        """Return the slots of a service that was looked at; none of any other."""
        return self._slots.get(service, ())

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
            goal = replace(goal, slots=like(pattern, slots))
        self._slots[goal.service] = tuple(goal.slots)
        return goal

    def home(self, goal: Goal, slot: str) -> Copy | None:
        """Return the container whose network a slot is to share, once it runs and if it stays."""
        found = [
            copy
            for copy in self._of_slot(goal.pod, slot)
            if copy.stage is Stage.RUNNING and not copy.is_draining
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
        key = need.service, need.condition, slot if need.is_same_slot else ""
        if key not in self._met:
            self._met[key] = self._has_come(need, self._needed(need, slot))
        return self._met[key]

    @staticmethod
    def _has_come(need: Need, copies: Collection[Copy]) -> bool:
        if need.condition is Condition.COMPLETED:
            return any(copy.stage is Stage.EXITED and not copy.exit_code for copy in copies)
        running = [copy for copy in copies if copy.stage is Stage.RUNNING]
        if need.condition is Condition.HEALTHY:
            return any(copy.health is Health.HEALTHY for copy in running)
        return bool(running)

    def _needed(self, need: Need, slot: str) -> Collection[Copy]:
        if not need.is_same_slot:
            return self._cluster.copies.get(need.service, ())
        return [
            copy
            for copy in self._of_slot(need.service, slot)
            if not copy.is_draining and (not copy.within or copy.within in self._homes)
        ]

    def _of_slot(self, service: str, slot: str) -> Sequence[Copy]:
        if service not in self._by_slot:
            found = self._by_slot[service] = {}
            for copy in self._cluster.copies.get(service, ()):
                found.setdefault(copy.slot, []).append(copy)
        return self._by_slot[service].get(slot, ())

    def in_order(self, actions: Iterable[Action]) -> Iterator[Action]:
        """Leave out what must not stop yet; a later look finds it again."""
        found = list(actions)
        leaving = {each.copy.id for each in found if isinstance(each, Drain | Stop)}
        within = self._within() if leaving else {}
        needed = self._needed_by_gone(leaving) if self._gone else frozenset()
        for action in found:
            if isinstance(action, Drain | Stop) and action.copy.id in self._gone:
                stack, _, name = action.service.rpartition("/")
                if (stack, name) in needed:
                    continue
            if not isinstance(action, Stop) or not _is_leant_on(action.copy, within, leaving):
                yield action

    def _within(self) -> Mapping[str, Sequence[Copy]]:
        """Return what runs in the network of another container, by that one's id."""
        found: dict[str, list[Copy]] = {}
        for copies in self._cluster.copies.values():
            for copy in copies:
                if copy.stage is Stage.RUNNING and copy.within:
                    found.setdefault(copy.within, []).append(copy)
        return found

    def _needed_by_gone(self, leaving: Container[str]) -> Collection[tuple[str, str]]:
        """Return stack and name of what is needed by copies that are ending and have not yet."""
        return {
            (service.rpartition("/")[0], name)
            for service, copies in self._cluster.copies.items()
            for other in copies
            if other.needs
            and other.stage is Stage.RUNNING
            and other.id in self._gone
            and (other.is_draining or other.id in leaving)
            for name in other.needs
        }


def _is_leant_on(copy: Copy, within: Mapping[str, Sequence[Copy]], leaving: Container[str]) -> bool:
    if copy.id in within:
        return True
    if not copy.role.startswith(_SIDECAR):
        return False
    return any(
        other.role == _MAIN and (other.is_draining or other.id in leaving)
        for other in within.get(copy.within, ())
    )
