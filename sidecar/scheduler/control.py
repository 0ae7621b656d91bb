"""What is wanted, kept as keys, and what the loop saw last: the desk of the scheduler.

Every order of a person becomes keys first. They are read back, and only what was read is wanted;
so it makes no difference which scheduler was asked, and a restart finds the same.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from sidecar.errors import ApiError, StoreConflict
from sidecar.runtime.log import get_logger
from sidecar.scheduler import labels
from sidecar.scheduler.actions import Alarm, Create, Pending
from sidecar.scheduler.bundle import Bundle, stack_in
from sidecar.scheduler.cluster import Cluster, Goal
from sidecar.scheduler.compose.document import Problems
from sidecar.scheduler.explaining import lines_of
from sidecar.scheduler.goals import Told, goals_of, recovered, told_of
from sidecar.scheduler.journal import Journal
from sidecar.scheduler.memory import Memory
from sidecar.scheduler.model import Availability, Refusal
from sidecar.scheduler.plan import Plan
from sidecar.scheduler.recipe import Recipe, key_of, spec_of, unpacked
from sidecar.scheduler.spec import Mode, ServiceSpec
from sidecar.scheduler.wanted import (
    AVAILABILITY,
    STACKS,
    Change,
    Stack,
    Wanted,
    deploy,
    move,
    say,
    wanted_of,
)
from sidecar.stores.base import KeyValue

__all__ = ["Control", "Scene"]

_TRIES: Final = 3
_MOST_PLACED: Final = 10_000
_log = get_logger("scheduler")


@dataclass(frozen=True, slots=True)
class Scene:
    """What the loop saw and decided at its last look."""

    cluster: Cluster = field(default_factory=lambda: Cluster((), {}))
    memory: Memory = field(default_factory=Memory)
    now: float = 0.0
    refusals: tuple[tuple[str, Refusal], ...] = ()
    """With the service's key."""
    alarms: tuple[str, ...] = ()
    looks: int = 0


class _Stopped(NamedTuple):
    stack: str
    service: str
    spec: str


class Control:
    """Says what is wanted; takes orders; remembers what was seen."""

    name = "control"

    def __init__(
        self,
        keys: KeyValue,
        journal: Journal,
        *,
        wall: Callable[[], float],
        lost_after: float = 15.0,
    ) -> None:
        """Keep what is wanted in ``keys``; ``wall`` tells the time of day."""
        self.changed = asyncio.Event()
        self.journal = journal
        self.scene = Scene()
        self._keys = keys
        self._wall = wall
        self._lost_after = lost_after
        self._wanted = Wanted()
        self._told: dict[str, Told] = {}
        self._recipes: dict[str, Recipe] = {}
        self._labelled: dict[str, Recipe] = {}
        self._placed: dict[str, None] = {}
        self._stopped: asyncio.Queue[_Stopped] = asyncio.Queue()
        self._lock = asyncio.Lock()
        self.is_synced = False

    # --- the desk ----------------------------------------------------------------------------

    def goals(self, cluster: Cluster) -> Sequence[Goal]:
        """Return a goal per service, in the order in which services must start."""
        self._read_labels(cluster)
        goals = [
            goal
            for name in sorted(self._told)
            for goal in goals_of(
                self._told[name],
                lambda service, stack=name: self._labelled.get(key_of(stack, service)),
                lost_after=self._lost_after,
            )
        ]
        lost, recipes = recovered(cluster, self._told)
        self._recipes.update(recipes)
        return [*goals, *lost]

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
            elif isinstance(action, Alarm):
                self.journal.note("alarm", text=action.text)
        for service, spec in plan.memory.paused - self.scene.memory.paused:
            stack, _, name = service.partition("/")
            if stack in self._told:
                self._stopped.put_nowait(_Stopped(stack, name, spec))
        alarms = tuple(each.text for each in plan.actions if isinstance(each, Alarm))
        looks = self.scene.looks + 1
        self.scene = Scene(cluster, plan.memory, now, tuple(refusals), alarms, looks)

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
                known = self._labelled.get(key)
                if key not in newest or newest[key][0] < age:
                    recipe = unpacked(text) if known is None or text != _text(known) else known
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
            group.create_task(self._keep_stopped(), name="scheduler:stopped")

    async def _follow(self, prefix: str) -> None:
        async for _ in self._keys.watch(prefix):
            await self._reread()

    async def _keep_stopped(self) -> None:
        while True:
            each = await self._stopped.get()
            await self._order(each.stack, lambda stack, each=each: say(
                stack, each.service, stopped=each.spec
            ))  # fmt: skip

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
        return {
            name: told_of(stack, self._told.get(name)) for name, stack in wanted.stacks.items()
        }

    # --- orders ------------------------------------------------------------------------------

    @property
    def stacks(self) -> dict[str, Told]:
        """Return the stacks that are told of."""
        return dict(self._told)

    async def deploy(self, name: str, bundle: Bundle | None, *, source: str = "") -> int:
        """Put a stack in force; None takes it down. Returns its revision. Raises ApiError."""
        if bundle is not None:
            problems = Problems()
            spec = await asyncio.to_thread(stack_in, bundle, problems)
            if problems.errors:
                raise ApiError(400, "\n".join(map(str, problems.errors)))
            if not spec.services:
                raise ApiError(400, f"{name} has no services")
        elif name not in self._told or self._told[name].stack.newest.bundle is None:
            raise ApiError(404, self._no_stack(name))
        at = self._wall()
        await self._order(name, lambda stack: deploy(stack, bundle, at=at, source=source))
        number = self._told[name].stack.newest.number
        kind = "deployed" if bundle is not None else "taken down"
        self.journal.note(kind, stack=name, revision=number, source=source or "api")
        return number

    async def scale(self, stack: str, service: str, replicas: int | None, *, by: str) -> None:
        """Have so many replicas from now on; None: as many as the stack says. Raises ApiError."""
        found = self._service(stack, service)
        if found.mode is Mode.GLOBAL:
            raise ApiError(400, f"{service} is global: it has one container on each node")
        await self._order(stack, lambda known: say(known, service, replicas=replicas))
        number = found.replicas if replicas is None else replicas
        self.journal.note(
            "scaled", stack=stack, service=key_of(stack, service), replicas=number, by=by
        )

    async def pause(self, stack: str, service: str) -> None:
        """Begin no update of another slot. Raises ApiError."""
        self._service(stack, service)
        await self._order(stack, lambda known: say(known, service, is_paused=True))
        self.journal.note("paused", stack=stack, service=key_of(stack, service))

    async def resume(self, stack: str, service: str) -> None:
        """Go on with a rollout that was paused, or that failed. Raises ApiError."""
        self._service(stack, service)

        def go_on(known: Stack) -> Change:
            attempt = known.override(service).attempt + 1
            return say(known, service, is_paused=False, stopped="", attempt=attempt)

        await self._order(stack, go_on)
        self.journal.note("resumed", stack=stack, service=key_of(stack, service))

    async def rollback(self, stack: str, service: str) -> int:
        """Go back to what a service's containers were before. Returns the revision, or -1.

        Raises ApiError.
        """
        self._service(stack, service)
        before = self._told[stack].before(service)
        if before is None and key_of(stack, service) not in self._labelled:
            raise ApiError(409, f"{service} has no earlier spec that is kept")
        number = -1 if before is None else before[0].number

        def back(known: Stack) -> Change:
            attempt = known.override(service).attempt + 1
            return say(
                known, service, pinned=number, is_paused=False, stopped="", attempt=attempt
            )

        await self._order(stack, back)
        self.journal.note(
            "rolled back", stack=stack, service=key_of(stack, service), revision=number
        )
        return number

    async def promote(self, stack: str, service: str) -> None:
        """Find the canary of a service good. Raises ApiError."""
        spec = spec_of(self._service(stack, service).recipe)
        await self._order(stack, lambda known: say(known, service, promoted=spec))
        self.journal.note("promoted", stack=stack, service=key_of(stack, service), spec=spec)

    async def move(self, node: str, availability: Availability) -> None:
        """Empty a node, leave it as it is, or use it again. Raises ApiError."""
        known = {each.name for each in self.scene.cluster.nodes}
        if node not in known:
            raise ApiError(404, f"there is no node {node!r}; {_known(known)}")
        await self._write(move(node, availability))
        self.journal.note("node", node=node, availability=availability.value)

    def _service(self, stack: str, service: str) -> ServiceSpec:
        told = self._told.get(stack)
        if told is None:
            raise ApiError(404, self._no_stack(stack))
        found = told.now(service)
        if found is None:
            known = _known(each.name for each in told.newest.services)
            raise ApiError(404, f"{stack} has no service {service!r}; {known}")
        return found

    def _no_stack(self, name: str) -> str:
        known = [each for each, told in self._told.items() if told.stack.newest.bundle is not None]
        return f"there is no stack {name!r}; {_known(known)}"

    async def _order(self, name: str, order: "Callable[[Stack], Change]") -> None:
        for attempt in range(_TRIES):
            told = self._told.get(name)
            try:
                await self._write(order(told.stack if told else Stack(name=name)))
                return
            except StoreConflict:
                if attempt == _TRIES - 1:
                    raise
                await self._reread()

    async def _write(self, change: Change) -> None:
        for key, value in change.items():
            if value is None:
                await self._keys.delete(key)
            else:
                is_new = key.startswith(STACKS) and "/rev/" in key
                await self._keys.put(key, value, cas=0 if is_new else None)
        if change:
            await self._reread()


def _text(recipe: Recipe) -> str:
    from sidecar.scheduler.recipe import packed  # noqa: PLC0415

    return packed(recipe)


def _known(names: "Sequence[str] | set[str]") -> str:
    found = sorted(names)
    return f"known are {', '.join(found)}" if found else "there is none"
