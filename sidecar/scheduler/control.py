"""What is wanted, kept as keys, and what the loop saw last: the desk of the scheduler.

Every order of a person becomes keys first. They are read back, and only what was read is wanted;
so it makes no difference which scheduler was asked, and a restart finds the same.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple

from sidecar.errors import PinnaceError, StoreConflict
from sidecar.runtime.log import get_logger
from sidecar.scheduler import labels
from sidecar.scheduler.actions import Alarm, Create, Pending
from sidecar.scheduler.bundle import Bundle
from sidecar.scheduler.canary import Trial, kept_of
from sidecar.scheduler.cluster import Cluster, Goal
from sidecar.scheduler.explaining import lines_of
from sidecar.scheduler.gauges import Gauges
from sidecar.scheduler.goals import Told, goals_of, recipes_of, recovered, running_of, told_of
from sidecar.scheduler.journal import Journal
from sidecar.scheduler.model import Availability, Refusal
from sidecar.scheduler.plan import Plan
from sidecar.scheduler.recipe import Recipe, key_of, spec_of, unpacked
from sidecar.scheduler.scene import Scene
from sidecar.scheduler.spec import StackSpec
from sidecar.scheduler.wanted import (
    AVAILABILITY,
    STACKS,
    Change,
    Stack,
    Wanted,
    deployed,
    say,
    wanted_of,
)
from sidecar.stores.base import KeyValue

__all__ = ["Control"]

_TRIES: Final = 3
_MOST_PLACED: Final = 10_000
_log = get_logger("scheduler")


class _Note(NamedTuple):
    """Something of a service that is written down, for a process that goes on from there."""

    service: str
    what: Mapping[str, Any]


class Control:
    """Says what is wanted; takes orders; remembers what was seen."""

    name = "control"

    def __init__(
        self,
        keys: KeyValue,
        journal: Journal,
        *,
        lost_after: float = 15.0,
    ) -> None:
        """Keep what is wanted in ``keys``; slots of a lost node are given up after so long."""
        self.changed = asyncio.Event()
        self.journal = journal
        self.scene = Scene()
        self._keys = keys
        self._lost_after = lost_after
        self._wanted = Wanted()
        self._told: dict[str, Told] = {}
        self._recipes: dict[str, Recipe] = {}
        self._goals: list[Goal] = []
        self._gauges = Gauges()
        self._labelled: dict[str, Recipe] = {}
        self._placed: dict[str, None] = {}
        self._notes: asyncio.Queue[_Note] = asyncio.Queue()
        self._lock = asyncio.Lock()
        self.is_synced = False

    # --- the desk ----------------------------------------------------------------------------

    def goals(self, cluster: Cluster) -> Sequence[Goal]:
        """Return a goal per service, in the order in which services must start."""
        self._read_labels(cluster)
        running = running_of(cluster)
        goals: list[Goal] = []
        for _, told in sorted(self._told.items()):
            found = goals_of(told, self._labelled, running, lost_after=self._lost_after)
            self._recipes.update(recipes_of(told, found))
            goals += found
        lost, recipes = recovered(cluster, self._told)
        self._recipes.update(recipes)
        self._goals = [*goals, *lost]
        return self._goals

    def goals_with(self, name: str, bundle: Bundle, spec: StackSpec) -> Sequence[Goal]:
        """Return the goals of one stack as they were if this were deployed now."""
        told = self._told.get(name)
        stack = told.stack if told is not None else Stack(name=name)
        following = deployed(stack, bundle)
        specs = {**(told.specs if told is not None else {}), following.newest.number: spec}
        running = running_of(self.scene.cluster)
        return goals_of(
            Told(following, specs), self._labelled, running, lost_after=self._lost_after
        )

    def recipe(self, service: str, spec: str) -> Recipe | None:
        """Return how containers of a goal are made; None when that is not known (any more)."""
        stack, _, name = service.partition("/")
        told = self._told.get(stack)
        for revision in reversed(told.stack.revisions if told else ()):
            found = told.service(name, revision) if told else None
            if found is not None and spec_of(found.recipe) == spec:
                return found.recipe
        return self._recipes.get(spec)

    def availability(self, node: str) -> Availability:
        """Return what an operator wants of a node."""
        return self._wanted.availability.get(node, Availability.ACTIVE)

    def looked(self, cluster: Cluster, plan: Plan, now: float) -> None:
        """Take what was seen and decided."""
        refusals = []
        for action in plan.actions:
            if isinstance(action, Create) and action.key not in self._placed:
                self._note_placement(action)
            elif isinstance(action, Pending):
                refusals.append((action.service, action.refusal))
                self._note_refusal(action.service, action.refusal)
        for service, spec in plan.memory.paused - self.scene.memory.paused:
            self._notes.put_nowait(_Note(service, {"stopped": spec}))
        self._note_trials(plan.memory.trials, now)
        alarms = tuple(each.text for each in plan.actions if isinstance(each, Alarm))
        looks = self.scene.looks + 1
        self.scene = Scene(cluster, plan.memory, now, tuple(refusals), alarms, looks)
        self._gauges.take(self._goals, self.scene)

    def _note_trials(self, trials: Mapping[str, Trial], now: float) -> None:
        """Write down each step of a trial; what is over is left to the next one to replace."""
        before = self.scene.memory.trials
        for service, trial in trials.items():
            known = before.get(service)
            if known is None or (known.spec, known.phase, known.number) != (
                trial.spec, trial.phase, trial.number
            ):  # fmt: skip
                kept = kept_of(trial, now, self.journal.wall())
                self._notes.put_nowait(_Note(service, {"trial": kept}))

    def _note_placement(self, action: Create) -> None:
        self._placed[action.key] = None
        if len(self._placed) > _MOST_PLACED:
            del self._placed[next(iter(self._placed))]
        found = action.placement
        self.journal.note(
            "placed", service=action.service, slot=action.slot, node=found.node, spec=action.spec,
            incarnation=action.incarnation, strategy=found.request.strategy.value,
            rank=list(found.key), runner_up=found.runner_up,
        )  # fmt: skip

    def _note_refusal(self, service: str, refusal: Refusal) -> None:
        self.journal.note(
            "refused", service=service, slot=refusal.request.slot, reasons=lines_of(refusal),
            relaxation=refusal.relaxation,
        )  # fmt: skip

    def _read_labels(self, cluster: Cluster) -> None:
        newest: dict[str, tuple[int, Recipe]] = {}
        for node in cluster.nodes:
            for view in node.containers:
                text = view.labels.get(labels.PREV, "")
                if not text or not labels.is_ours(view.labels):
                    continue
                key, age = key_of(view.stack, view.service), labels.number(view.labels, labels.REV)
                if key not in newest or newest[key][0] < age:
                    recipe = _unpacked(text)
                    if recipe is not None:
                        newest[key] = age, recipe
        self._labelled = {key: recipe for key, (_, recipe) in newest.items()}
        self._recipes.update((spec_of(each), each) for each in self._labelled.values())

    # --- the component -----------------------------------------------------------------------

    async def run(self, ready: Callable[[], None]) -> None:
        """Follow the keys until cancelled."""
        await self._reread()
        ready()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(STACKS), name="scheduler:stacks")
            group.create_task(self._follow(AVAILABILITY), name="scheduler:availability")
            group.create_task(self._keep_notes(), name="scheduler:notes")

    async def _follow(self, prefix: str) -> None:
        async for _ in self._keys.watch(prefix):
            await self._reread()

    async def _keep_notes(self) -> None:
        while True:
            each = await self._notes.get()
            stack, _, name = each.service.partition("/")
            if stack not in self._told:
                continue
            try:
                await self.order(stack, partial(say, service=name, **each.what))
            except PinnaceError:
                self._notes.put_nowait(each)  # we are started again
                raise

    async def _reread(self) -> None:
        async with self._lock:
            entries = [
                *(await self._keys.list(STACKS)).entries,
                *(await self._keys.list(AVAILABILITY)).entries,
            ]
            wanted = await asyncio.to_thread(
                wanted_of, [(each.key, each.value) for each in entries]
            )
            if wanted == self._wanted and self.is_synced:
                return
            for key in {*wanted.unreadable} - {*self._wanted.unreadable}:
                _log.error("key cannot be read", key=key)
            self._told = await asyncio.to_thread(self._tell, wanted)
            self._wanted = wanted
            self.is_synced = True
            self.changed.set()

    def _tell(self, wanted: Wanted) -> dict[str, Told]:
        return {name: told_of(stack, self._told.get(name)) for name, stack in wanted.stacks.items()}

    @property
    def wanted_goals(self) -> Sequence[Goal]:
        """Return the goals of the last look."""
        return self._goals

    # --- orders ------------------------------------------------------------------------------

    @property
    def stacks(self) -> dict[str, Told]:
        """Return the stacks that are told of."""
        return dict(self._told)

    def before(self, stack: str, service: str) -> int | None:
        """Return the revision that a service goes back to, -1 for what labels say, or None."""
        key = key_of(stack, service)
        recipe = self._labelled.get(key)
        running = running_of(self.scene.cluster).get(key, ())
        ran = spec_of(recipe) if recipe is not None else ""
        found = self._told[stack].before(service, running, ran)
        if found is not None:
            return found[0].number
        return None if recipe is None else -1

    async def order(self, name: str, order: Callable[[Stack], Change]) -> None:
        """Change what is wanted of a stack; it is in force on return. Raises PinnaceError."""
        for attempt in range(_TRIES):
            told = self._told.get(name)
            try:
                await self.write(order(told.stack if told else Stack(name=name)))
                return
            except StoreConflict:
                if attempt == _TRIES - 1:
                    raise
                await self._reread()

    async def write(self, change: Change) -> None:
        """Write keys, and read them back."""
        for key, value in change.items():
            if value is None:
                await self._keys.delete(key)
            else:
                is_new = key.startswith(STACKS) and "/rev/" in key
                await self._keys.put(key, value, cas=0 if is_new else None)
        if change:
            await self._reread()


_unpacked = lru_cache(maxsize=1_000)(unpacked)
