"""The scheduler: looks, plans, acts, and begins anew. The only loop that decides.

Theory. Nothing is remembered that matters: what is wanted comes from the desk, what there is from
the engines, and the difference is worked out from nothing at each look. Events, answers and the
clock only say when to look. What was begun and is not seen yet is part of the picture, so that
nothing is begun twice; what fails is tried again because it is still missing at the next look.

Nothing is decided before every node was looked at once or is known to be down: what runs already
must not be started a second time.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from sidecar.errors import PinnaceError
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from sidecar.scheduler.acting import Actor, NotLeading
from sidecar.scheduler.actions import (
    Action,
    Alarm,
    Create,
    Deregister,
    Drain,
    Pending,
    Remove,
    Start,
    Stop,
)
from sidecar.scheduler.adopting import with_adopted
from sidecar.scheduler.cluster import Cluster, Copy, Goal
from sidecar.scheduler.counting import Counting
from sidecar.scheduler.creating import Lacking
from sidecar.scheduler.desk import Desk, Election, Journal
from sidecar.scheduler.explaining import lines_of
from sidecar.scheduler.failing import Failing
from sidecar.scheduler.fencer import Fencer
from sidecar.scheduler.memory import Memory
from sidecar.scheduler.model import Policy
from sidecar.scheduler.nodes.links import Links
from sidecar.scheduler.picture import Picture
from sidecar.scheduler.plan import Plan, plan
from sidecar.scheduler.traffic import Traffic
from sidecar.scheduler.underway import key_of_slot, with_under_way, without

__all__ = ["Scheduler"]

_SETTLE: Final = 0.02  # seconds for what comes together, as the events of a start, to be one look
_AT_ONCE: Final = 4
"""Actions on one node at a time; drains and stops, which wait, do not count."""
_log = get_logger("scheduler")


class Scheduler:
    """Component: keeps what the desk wants running on the nodes."""

    name = "scheduler"

    def __init__(
        self,
        links: Links,
        desk: Desk,
        election: Election,
        traffic: Traffic,
        *,
        fencer: Fencer,
        journal: Journal,
        clock: Clock,
        policy: Policy | None = None,
    ) -> None:
        """The connections of ``links`` are closed by who made them."""
        self._links = links
        self._desk = desk
        self._election = election
        self._traffic = traffic
        self._journal = journal
        self._fencer = fencer
        self._clock = clock
        self._policy = policy or Policy()
        self._start_over()

    def _start_over(self) -> None:
        self._actor = Actor(self._links, self._desk, self._election, self._traffic, self._fencer)
        self._memory = Memory()
        self._failing = Failing()
        self._under_way: dict[str, tuple[Action, asyncio.Task[None]]] = {}
        self._gates: dict[str, asyncio.Semaphore] = {}
        self._picture = Picture(self._links, self._desk, self._traffic)
        self._counting = Counting(self._traffic, self._clock)
        self._said: frozenset[str] = frozenset()
        self._wake = asyncio.Event()
        self._wake.set()
        self.last: Plan | None = None
        self._cluster: Cluster | None = None

    # For people

    def trouble(self) -> str | None:
        """Return what is wrong in one line, or None."""
        actions = self.last.actions if self.last is not None else ()
        alarms = (each for each in actions if isinstance(each, Alarm) and each.is_trouble)
        return next((each.text for each in alarms), None)

    # The loop

    async def run(self, ready: Callable[[], None]) -> None:
        """Keep until cancelled; what runs then runs on."""
        self._start_over()
        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(self._links.run(self._wake.set), name="nodes")
            group.create_task(self._election.run(), name="election")
            group.create_task(self._fencer.run(), name="fencer")
            group.create_task(self._counting.run(), name="counts of canaries")
            sources = self._desk, self._election, self._traffic, self._fencer, self._counting
            for changed in (each.changed for each in sources):
                group.create_task(self._forward(changed), name="scheduler changes")
            ready()
            await self._keep()

    async def _forward(self, changed: asyncio.Event) -> None:
        while True:
            await changed.wait()
            changed.clear()
            self._wake.set()

    async def _keep(self) -> None:
        while True:
            found = self._look() if self._links.are_known else None
            await self._woken(self._look_again(found))

    async def _woken(self, until: float | None) -> None:
        pause = None if until is None else max(until - self._clock.monotonic(), _SETTLE)
        try:
            async with asyncio.timeout(pause):
                await self._wake.wait()
        except TimeoutError:
            return
        await self._clock.sleep(_SETTLE)
        self._wake.clear()

    def _look_again(self, found: Plan | None) -> float | None:
        times = [self._failing.look_again(self._clock.monotonic())]
        if found is not None:
            times.append(found.look_again)
        return min((each for each in times if each is not None), default=None)

    def _look(self) -> Plan | None:
        now = self._clock.monotonic()
        actions = [action for action, _ in self._under_way.values()]
        fences, sides = self._fencer.fences(now), self._counting.sides()
        seen = replace(
            self._picture.taken(now), fences=fences, sides=sides, wall=self._clock.wall()
        )
        left = {node for action in actions if (node := _node_of(action))} - self._links.keys()
        for name in self._picture.suspend(seen) | left:
            self._cancel(name)
        goals = [self._avoiding(goal, now) for goal in self._desk.goals(seen)]
        self._cluster = with_under_way(
            with_adopted(seen, goals), actions, drained=self._actor.drained, now=now
        )
        try:
            self._actor.lead()
        except NotLeading:
            self._stop_acting()
            self._memory = Memory()  # whoever leads now goes on without us
            return None
        found = plan(goals, self._cluster, self._memory, now=now, policy=self._policy)
        self._memory, self.last = found.memory, found
        self._counting.want(found.memory.trials, self._cluster)
        self._desk.looked(self._cluster, found, now)
        self._say(found.actions)
        for action in found.actions:
            self._begin(action)
        for node, pod in self._actor.resting.over(self._cluster):
            self._group.create_task(self._actor.resting.wake(node, pod), name=f"wake {pod}")
        leaving = {each.copy.id for each in found.actions if isinstance(each, Drain | Stop)}
        self._picture.resume(seen, but=leaving)
        return found

    def _avoiding(self, goal: Goal, now: float) -> Goal:
        nodes = self._failing.nodes(goal.service, goal.spec, now)
        return replace(goal, slots=without(goal.slots, nodes)) if nodes else goal

    # Acting

    def _begin(self, action: Action) -> None:
        if isinstance(action, Alarm | Pending):
            return
        key = key_of_slot(action)
        if key in self._under_way:
            return
        if isinstance(action, Start | Drain | Stop | Remove) and not action.copy.id:
            return  # it is being made
        if not isinstance(action, Create) and self._is_held(action):
            return
        task = self._group.create_task(self._do(action), name=action.key)
        self._under_way[key] = action, task
        task.add_done_callback(lambda _: self._done(key))

    def _is_held(self, action: Action) -> bool:
        now = self._clock.monotonic()
        return bool(self._failing.nodes(*_about(action), now))

    def _done(self, key: str) -> None:
        self._under_way.pop(key, None)
        self._wake.set()

    def _cancel(self, node: str) -> None:
        for action, task in [*self._under_way.values()]:
            if _node_of(action) == node:
                task.cancel()

    def _stop_acting(self) -> None:
        for _, task in [*self._under_way.values()]:
            task.cancel()

    async def _do(self, action: Action) -> None:
        node = _node_of(action)
        try:
            if isinstance(action, Create):
                async with self._gates.setdefault(node, asyncio.Semaphore(_AT_ONCE)):
                    await self._actor.do(action)
            else:
                await self._actor.do(action)
        except NotLeading:
            self._wake.set()
        except (PinnaceError, Lacking) as error:
            self._failed(action, error)
        else:
            self._worked(action)

    def _worked(self, action: Action) -> None:
        what = type(action).__name__.lower()
        about = _about(action)
        self._failing = self._failing.worked(*about, _node_of(action))
        if isinstance(action, Deregister):
            self._picture.withdrawn(action.copy)
        key = getattr(action, "key", "")
        _log.info(what, action=key, node=_node_of(action))
        self._journal.note(what, action=key, node=_node_of(action))

    def _failed(self, action: Action, error: Exception) -> None:
        what = type(action).__name__.lower()
        now = self._clock.monotonic()
        self._failing = self._failing.failed(*_about(action), _node_of(action), now)
        key = getattr(action, "key", "")
        _log.warning(f"{what} failed", action=key, node=_node_of(action), reason=error)
        self._journal.note("failed", action=key, node=_node_of(action), reason=str(error))

    def _say(self, actions: Iterable[Action]) -> None:
        """Tell each alarm and each slot without a place once, until it is over."""
        said: set[str] = set()
        for action in actions:
            if isinstance(action, Alarm):
                text = action.text
            elif isinstance(action, Pending):
                reasons = "; ".join(lines_of(action.refusal))
                text = f"{action.service}.{action.refusal.request.slot} has no place: {reasons}"
            else:
                continue
            said.add(text)
            if text not in self._said:
                _log.warning(text)
                kind = "alarm" if isinstance(action, Alarm) else "pending"
                self._journal.note(kind, text=text)
        self._said = frozenset(said)


def _node_of(action: Action) -> str:
    if isinstance(action, Create):
        return action.placement.node
    copy = getattr(action, "copy", None)
    return copy.node if isinstance(copy, Copy) else ""


def _about(action: Action) -> tuple[str, str]:
    """Return what is left alone when it fails: a service's spec on a node, or one copy."""
    if isinstance(action, Create):
        return action.service, action.spec
    return key_of_slot(action), type(action).__name__
