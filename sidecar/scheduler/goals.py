"""From what people want to what the plan is made for: a goal per service. Pure.

Stacks that nobody tells of any more (their file and keys are lost) stay as their labels say.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from sidecar.scheduler import labels
from sidecar.scheduler.bundle import stack_in
from sidecar.scheduler.cluster import Cluster, Goal, Need, Stage
from sidecar.scheduler.compose.document import Problems
from sidecar.scheduler.model import ContainerView, Request
from sidecar.scheduler.recipe import Recipe, key_of, remade, spec_of, unpacked
from sidecar.scheduler.spec import Mode, ServiceSpec, StackSpec, requests_of
from sidecar.scheduler.wanted import Revision, Stack

__all__ = ["Told", "goals_of", "recipes_of", "recovered", "running_of", "told_of"]

_NOTHING: Final[Mapping[str, Collection[str]]] = MappingProxyType({})
_OF_LABEL = -1
"""``Override.pinned``: what the label of a running container tells is gone back to."""


@dataclass(frozen=True, slots=True)
class Told:
    """A stack with its revisions read."""

    stack: Stack
    specs: Mapping[int, StackSpec] = field(default_factory=dict)
    """By number of revision."""

    @property
    def newest(self) -> StackSpec:
        """Return the stack that is in force."""
        return self.specs.get(self.stack.newest.number, StackSpec(name=self.stack.name))

    @property
    def is_up(self) -> bool:
        """Whether it was not taken down."""
        return self.stack.newest.bundle is not None

    def service(self, name: str, revision: Revision) -> ServiceSpec | None:
        """Return a service as a revision has it."""
        spec = self.specs.get(revision.number)
        found = spec.services if spec else ()
        return next((each for each in found if each.name == name), None)

    def now(self, name: str) -> ServiceSpec | None:
        """Return a service as it is to be, a rollback minded."""
        return self.service(name, self.stack.revision_of(name))

    def before(
        self, name: str, running: Collection[str] = (), ran: str = ""
    ) -> tuple[Revision, ServiceSpec] | None:
        """Return the revision to go back to: the last in which a service's containers were others.

        One of which copies run (specs in ``running``), then one that they came after (``ran``),
        goes before one that never came to that.
        """
        here = self.stack.revision_of(name)
        now = self.service(name, here)
        if now is None:
            return None
        spec = spec_of(now.recipe)
        found = [
            (revision, other)
            for revision in reversed(self.stack.revisions)
            if revision.number < here.number
            and (other := self.service(name, revision)) is not None
            and spec_of(other.recipe) != spec
        ]
        alive = [each for each in found if spec_of(each[1].recipe) in running]
        past = [each for each in found if spec_of(each[1].recipe) == ran]
        return next(iter(alive or past or found), None)


def told_of(stack: Stack, known: Told | None = None) -> Told:
    """Return a stack with its revisions read; what ``known`` has read is not read again."""
    before = {each.number: each for each in known.stack.revisions} if known else {}
    specs = {}
    for revision in stack.revisions:
        if known is not None and before.get(revision.number) == revision:
            specs[revision.number] = known.specs[revision.number]
        elif revision.bundle is not None:
            specs[revision.number] = stack_in(revision.bundle, Problems())
        else:
            specs[revision.number] = StackSpec(name=stack.name)
    return Told(stack, specs)


def goals_of(
    told: Told,
    labelled: Mapping[str, Recipe],
    running: Mapping[str, Collection[str]] = _NOTHING,
    *,
    lost_after: float = 15.0,
) -> list[Goal]:
    """Return a goal per service of a stack, in the order in which they must start.

    ``labelled`` has what the labels of running containers say was before, ``running`` the specs of
    those that run, both by ``key_of``.
    """
    goals = []
    specs: dict[str, str] = {}
    for each in told.newest.services:
        kept = told.now(each.name) or each
        now = _following(kept, specs)
        said = told.stack.override(each.name)
        scaled = told.stack.override(each.scaled_as or each.name).replicas
        key = key_of(told.stack.name, each.name)
        recipe, alive = labelled.get(key), running.get(key, ())
        prior = told.before(each.name, alive, spec_of(recipe) if recipe is not None else "")
        goal = _goal(told.stack.name, now, lost_after)
        if now is not kept and spec_of(kept.recipe) in alive:
            prior = told.stack.revision_of(each.name), kept
        elif prior is not None and spec_of(prior[1].recipe) == goal.spec:
            prior = None
        if said.pinned == _OF_LABEL and recipe is not None:
            goal = replace(goal, spec=spec_of(recipe), is_rollback=True)
            previous = None
        elif prior is not None:
            previous = _goal(told.stack.name, prior[1], lost_after)
        else:
            is_other = recipe is not None and spec_of(recipe) != goal.spec
            previous = replace(goal, spec=spec_of(recipe)) if recipe and is_other else None
        specs[each.name] = goal.spec
        is_rollback = goal.is_rollback or said.pinned > 0
        goals.append(
            replace(
                goal,
                previous=previous,
                size=None if goal.is_everywhere else _size(now, scaled),
                update=goal.rollback if is_rollback else goal.update,
                is_rollback=is_rollback,
                is_paused=said.is_paused,
                is_stopped=said.stopped == goal.spec,
                attempt=said.attempt,
                promoted=said.promoted,
                trial=said.trial,
            )
        )
    return [replace(each, members=_members(each, goals)) for each in goals]


def recipes_of(told: Told, goals: Iterable[Goal]) -> dict[str, Recipe]:
    """Return recipes by spec that no revision has: those made anew with what was rolled back."""
    prefix = key_of(told.stack.name, "")
    specs = {each.service.removeprefix(prefix): each.spec for each in goals}
    found = {}
    for each in told.newest.services:
        kept = told.now(each.name) or each
        now = _following(kept, specs)
        if now is not kept:
            found[spec_of(now.recipe)] = now.recipe
    return found


def _following(service: ServiceSpec, specs: Mapping[str, str]) -> ServiceSpec:
    """Return a service to be made anew with others as they are to be (``depends_on.restart``)."""
    after = service.recipe.build.after
    wanted = {name: specs.get(name, spec) for name, spec in after.items()}
    if wanted == after:
        return service
    return replace(service, recipe=remade(service.recipe, wanted))


def _members(owner: Goal, goals: Iterable[Goal]) -> tuple[str, ...]:
    return tuple(each.service for each in goals if each.follows and each.pod == owner.service)


def _size(service: ServiceSpec, said: int | None) -> int:
    return service.replicas if said is None else said


def _goal(stack: str, service: ServiceSpec, lost_after: float) -> Goal:
    (pattern,) = requests_of(stack, replace(service, replicas=1))
    conduct = service.conduct
    is_everywhere = service.mode is Mode.GLOBAL
    return Goal(
        service=key_of(stack, service.name),
        spec=spec_of(service.recipe),
        slots={"": pattern},
        restart=conduct.restart,
        update=conduct.update,
        rollback=conduct.rollback,
        needs=tuple(
            Need(
                key_of(stack, each.service),
                each.condition,
                each.is_same_slot,
                each.is_required,
                each.restarts,
            )
            for each in service.depends_on
        ),
        min_healthy=conduct.min_healthy,
        fencing=conduct.fencing,
        keeps=conduct.keeps,
        canary=conduct.canary,
        moves=conduct.moves and not is_everywhere,
        lost_after=lost_after if conduct.lost_after is None else conduct.lost_after,
        size=None if is_everywhere else service.replicas,
        is_everywhere=is_everywhere,
        adopts=service.adopts,
        rebalances=conduct.rebalances and conduct.moves and not service.volumes,
        orphan_keep=conduct.orphan_keep,
        pod=key_of(stack, service.pod) if service.pod else "",
        follows=bool(service.pod and service.scaled_as),
    )


def running_of(cluster: Cluster) -> dict[str, set[str]]:
    """Return the specs of which copies run, by service."""
    return {
        service: {each.spec for each in copies if each.stage is Stage.RUNNING}
        for service, copies in cluster.copies.items()
    }


def recovered(cluster: Cluster, known: Iterable[str]) -> tuple[list[Goal], dict[str, Recipe]]:
    """Return goals, and recipes by spec, of the stacks that only labels tell of."""
    stacks = {*known}
    newest: dict[str, ContainerView] = {}
    slots: dict[str, set[str]] = {}
    for view in _ours(cluster):
        if view.stack in stacks:
            continue
        key = key_of(view.stack, view.service)
        slots.setdefault(key, set()).add(view.slot)
        best = newest.get(key)
        if best is None or _age(view) > _age(best):
            newest[key] = view
    goals, recipes = [], {}
    for key, view in sorted(newest.items()):
        spec = view.labels[labels.SPEC]
        recipe = unpacked(view.labels.get(labels.RECIPE, ""))
        if recipe is not None:
            recipes[spec] = recipe
        pattern = _request(view)
        found = {slot: replace(pattern, slot=slot) for slot in sorted(slots[key])}
        goals.append(Goal(service=key, spec=spec, slots=found, moves=recipe is not None))
    return goals, recipes


def _ours(cluster: Cluster) -> Iterator[ContainerView]:
    for node in cluster.nodes:
        for view in node.containers:
            if labels.is_ours(view.labels):
                yield view


def _age(view: ContainerView) -> tuple[int, int]:
    return labels.number(view.labels, labels.REV), labels.number(view.labels, labels.INCARNATION)


def _request(view: ContainerView) -> Request:
    return Request(
        stack=view.stack,
        service=view.service,
        image=view.image,
        resources=view.resources,
        ports=view.ports,
        host_network=view.host_network,
        exposed=view.exposed,
        volumes=view.volumes,
    )
