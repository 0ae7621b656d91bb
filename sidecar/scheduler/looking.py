"""One look at all services: what each lacks, and what is done about it. Pure.

Per service, in this order: what is wanted no more is retired; of two copies of a slot the older
goes; what ended is started again by its policy; what is missing is placed; a new spec is rolled
out, so many slots at a time.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from sidecar.scheduler.actions import Action, Alarm, Create, Deregister, Pending, Start
from sidecar.scheduler.cluster import Cluster, Copy, Goal, Health, Order, Stage
from sidecar.scheduler.ending import due_of, retired, swept
from sidecar.scheduler.leaning import Leaning
from sidecar.scheduler.memory import Memory
from sidecar.scheduler.model import Placement, Policy
from sidecar.scheduler.parts import Parts
from sidecar.scheduler.placing import Kept, Placer
from sidecar.scheduler.rebalancing import most_moves, rebalanced
from sidecar.scheduler.rollout import (
    begun,
    can_begin,
    effective,
    ended_group,
    judged,
    over,
    recalled,
    resumed,
)
from sidecar.scheduler.sight import Sight
from sidecar.scheduler.sizing import sized
from sidecar.scheduler.trying import tried

__all__ = ["Look"]


class Look:
    """One pass over all services."""

    def __init__(
        self, cluster: Cluster, memory: Memory, now: float, *, kept: Kept, policy: Policy
    ) -> None:
        """``kept.calm`` has taken the cluster."""
        self.actions: list[Action] = []
        self.parts = Parts(memory)
        self.sight = Sight(cluster, now, cut_off=memory.cut_off)
        self.leaning = Leaning(cluster)
        self._cluster = cluster
        self._now = now
        self._whole = memory
        self._kept = kept
        self._policy = policy
        self._is_open = False
        """Whether a slot of a service lacks what it should have."""
        self._last: dict[str, int] = {}
        self._ready: set[str] = set()
        self._over: Collection[str] = ()
        self._groups = set[str]()  # whose slots are updated from this look on, together

    def service(self, goal: Goal) -> None:
        """Look at one service, unless nothing of it changed since there was nothing to do."""
        known, pod = self.parts.of(goal.service), self.leaning.slots(goal.pod)
        found = self._kept.calm.find(goal, pod, known, self._now)
        if found is not None:
            told, until = found
            self.leaning.repeat(goal.service, told)
        else:
            begin, fences = len(self.actions), len(self.sight.to_fence)
            until = self.sight.alone(lambda: self._service(goal, known))
            is_idle = (len(self.actions), len(self.sight.to_fence)) == (begin, fences)
            if is_idle and self._memory is known and not self._is_open:
                self._kept.calm.note(goal, pod, known, until, self.leaning.told(goal.service))
        if until is not None:
            self.sight.wait(until)

    def _service(self, goal: Goal, known: Memory) -> None:
        begin, self._is_open = len(self.actions), goal.rebalances or goal.is_everywhere
        self._memory = recalled(known, goal)
        goal = self.leaning.settled(effective(sized(goal, self._cluster), self._memory))
        self._memory = begun(self._memory, goal, self._now)
        self.sight.leave(self._memory.moves)
        split = tried(goal, self._cluster, self._memory, self.sight, self._now)
        self._memory = split.memory
        self.actions += split.actions
        if len(split.parts) > 1:
            self._is_open = True
        elif goal.rebalances:  # no canary
            self._rebalance(*split.parts[0])
        for part, copies in split.parts:
            self._part(part, copies)
        self.leaning.note(goal, self.actions[begin:], self._memory)
        if self._memory is not known:
            self.parts.put(goal.service, self._memory)

    def _rebalance(self, goal: Goal, copies: Iterable[Copy]) -> None:
        """Choose which copy moves to another node next: it counts as outdated from now on."""
        memory = replace(self._memory, moved=self.parts.moved)
        after = rebalanced(
            goal, copies, memory, self.sight, self._placer.board, self._now, self._most_moves
        )
        if after is not memory:
            self.parts.moved = after.moved
            self._memory = replace(after, moved=())
            self.sight.leave(self._memory.moves)

    @cached_property
    def _placer(self) -> Placer:
        """Return who places; where nothing is to be placed there is no need of a board."""
        nodes = self._whole.strained(self._cluster.nodes, self._now)
        return self._kept.placer(nodes, self._policy)

    @cached_property
    def _most_moves(self) -> int:
        return most_moves(self._cluster)

    def _part(self, goal: Goal, copies: Iterable[Copy]) -> None:
        """Look at the slots of one spec."""
        slots = self._held(goal, copies)
        steady = {slot for slot, held in slots.items() if self.sight.is_steady(held, goal)}
        rest = {slot: held for slot, held in slots.items() if slot not in steady}
        if rest:
            held = [each for held in slots.values() for each in held]
            self._memory = resumed(self._memory, goal, held)
        self._ready = steady.union(
            slot
            for slot, held in rest.items()
            if any(self.sight.is_ready(copy, goal) for copy in held)
        )
        self._over = over(goal, rest)
        judgement = judged(self._memory, goal, self._now)
        if judgement is not self._memory:
            self._memory = judgement
            text = f"the rollout of {goal.service} stopped: too much of it failed"
            self.actions.append(Alarm(text))
        moving = [
            slot not in self._over and self.sight.is_moving(held, goal)
            for slot, held in rest.items()
        ]
        self._memory = ended_group(self._memory, goal, now=self._now, is_moving=any(moving))
        in_flux = sum(
            is_moving or self.sight.is_settling(held, goal)
            for is_moving, held in zip(moving, rest.values(), strict=True)
        )
        for slot, held in self._in_order(rest):
            in_flux += self._slot(goal, slot, held, in_flux)

    def _held(self, goal: Goal, copies: Iterable[Copy]) -> dict[str, list[Copy]]:
        """Return the copies of each slot that are not given up; retire those of no slot."""
        slots: dict[str, list[Copy]] = {slot: [] for slot in goal.slots}
        self._last = dict.fromkeys(slots, 0)
        for copy in copies:
            held = slots.get(copy.slot)
            if held is None:
                self._retire(goal.service, copy)
                continue
            self._last[copy.slot] = max(self._last[copy.slot], copy.incarnation)
            if self.sight.is_at_home(copy):
                held.append(copy)
                continue
            if not self.sight.is_lost(copy, goal):
                held.append(copy)
            if self.sight.is_withheld(copy, goal):
                self.actions.append(Deregister(goal.service, copy))
        return slots

    def retire_all(self, service: str) -> None:
        """Retire all copies of a service that is wanted no more."""
        copies = self._cluster.copies.get(service, ())
        self.leaning.gone(copies)
        for copy in copies:
            self._retire(service, copy)

    def fence(self, goals: Iterable[Goal]) -> None:
        """Shut out lost nodes whose copies must have ended first; let in those that are back."""
        self.actions += [*sorted(self.sight.to_fence), *self.sight.returned(goals)]

    def _in_order(self, slots: Mapping[str, list[Copy]]) -> list[tuple[str, list[Copy]]]:
        """Return first the slots that lack most: an update begins where nothing runs."""
        return sorted(
            slots.items(), key=lambda each: (each[0] in self._ready, len(each[0]), each[0])
        )

    def _slot(self, goal: Goal, slot: str, copies: Sequence[Copy], in_flux: int) -> int:
        """Look at one slot; return how many updates it has begun."""
        alive = [copy for copy in copies if copy.stage is not Stage.EXITED]
        alive.sort(key=lambda each: self.sight.claim(each, goal))
        ended = [copy for copy in copies if copy.stage is Stage.EXITED]
        for copy in [each for each in alive if self.leaning.is_adrift(each, goal)]:
            alive.remove(copy)
            self._retire(goal.service, copy)
        news = [copy for copy in alive if self.sight.is_current(copy, goal)]
        olds = [copy for copy in alive if not self.sight.is_current(copy, goal)]
        self.actions += swept(goal, copies, self.sight, self._now)
        if news:
            self._settle(goal, news, olds)
            return 0
        self._is_open = True
        if olds:
            return self._update(goal, slot, olds, in_flux)
        self._fill(goal, slot, ended)
        return 0

    def _settle(self, goal: Goal, news: Sequence[Copy], olds: Sequence[Copy]) -> None:
        """Bring the newest copy up; retire the others when it is ready."""
        *duplicates, newest = news
        if self.sight.is_reachable(newest):
            if newest.stage is Stage.CREATED:
                self.actions.append(Start(goal.service, newest))
            elif self._has_failed(goal, newest):
                self._retire(goal.service, newest)
        others = [*olds, *duplicates]
        if others and (self.sight.is_ready(newest, goal) or goal.update.order is Order.STOP_FIRST):
            for copy in others:
                self._retire(goal.service, copy)

    def _has_failed(self, goal: Goal, copy: Copy) -> bool:
        if copy.health is Health.UNHEALTHY or copy.is_draining:
            return True
        if not self.sight.is_late(copy, goal):
            return False
        self._memory = self._memory.late(goal.service, copy, self._now)
        return True

    def _update(self, goal: Goal, slot: str, olds: Sequence[Copy], in_flux: int) -> int:
        """Begin the update of a slot if it is its turn; go on with one that has begun."""
        if any(copy.is_draining for copy in olds):
            for copy in olds:
                self._retire(goal.service, copy)
            return 0
        reachable = all(self.sight.is_reachable(copy) for copy in olds)
        is_new = any(copy.spec != goal.spec for copy in olds)  # else it only goes to another node
        if not reachable or not self._may_update(goal, slot, in_flux, is_new=is_new):
            for copy in olds:  # the old spec is kept alive meanwhile
                if copy.stage is Stage.CREATED and self.sight.is_reachable(copy):
                    self.actions.append(Start(goal.service, copy))
            return 0
        if goal.update.order is Order.STOP_FIRST:
            self._ready.discard(slot)
            for copy in olds:
                self._retire(goal.service, copy)
        elif not self._create(goal, slot):
            return 0
        if is_new:
            updated = {**self._memory.updated, goal.service: self._now}
            self._memory = replace(self._memory, updated=updated)
        return 1

    def _may_update(self, goal: Goal, slot: str, in_flux: int, *, is_new: bool) -> bool:
        if not self.leaning.may_change(goal):
            return False
        ended = self._over if is_new else goal.slots  # nobody is waited for before a mere move
        if not can_begin(goal, self._memory, slot, in_flux=in_flux, ready=self._ready, over=ended):
            return False
        last = self._memory.updated.get(goal.service)
        is_of_group = goal.service in self._groups
        if last is not None and not is_of_group and self._now - last < goal.update.delay:
            self.sight.wait(last + goal.update.delay)
            return False
        self._groups.add(goal.service)
        return True

    def _fill(self, goal: Goal, slot: str, ended: Sequence[Copy]) -> None:
        """Start what ended again, or put a new copy where there is none."""
        last = max(ended, key=lambda each: (each.since, each.age), default=None)
        if last is not None and last.spec == goal.spec and not self._is_due(goal, last):
            return
        is_first = last is None and not self._last[slot]
        if self.leaning.may_start(goal, slot, is_first=is_first):
            self._create(goal, slot)

    def _is_due(self, goal: Goal, last: Copy) -> bool:
        """Return whether an ended copy is to be followed by another one now."""
        due = due_of(goal, last, self._memory, self._now)
        if due is not None and due > self._now:
            self.sight.wait(due)
        return due is not None and due <= self._now

    def _create(self, goal: Goal, slot: str) -> bool:
        request = self.leaning.bound(self.sight.allowed(goal.slots[slot], goal), goal)
        if request is None:
            return False
        if left := self._memory.left(goal.service, slot):
            request = replace(request, avoid=request.avoid | left)
        (decision,) = self._placer.place([request])
        if not isinstance(decision, Placement):
            self.actions.append(Pending(goal.service, decision))
            return False
        number = self._last[slot] + 1  # also after those that are lost
        self.actions.append(Create(goal.service, slot, goal.spec, number, decision))
        return True

    def _retire(self, service: str, copy: Copy) -> None:
        step = retired(service, copy, self.sight)
        if step is not None:
            self.actions.append(step)
