"""The scheduler's surroundings for its own tests: a desk with one stack, and the rest."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from math import inf

from sidecar.catalog.work import Drains
from sidecar.scheduler.cluster import Cluster, Goal, Need
from sidecar.scheduler.compose.document import Problems
from sidecar.scheduler.compose.stack import stack_of
from sidecar.scheduler.model import Availability
from sidecar.scheduler.plan import Plan
from sidecar.scheduler.recipe import Recipe, key_of, spec_of
from sidecar.scheduler.spec import ServiceSpec, requests_of

__all__ = ["Book", "OneDesk", "Sole", "Still"]


class OneDesk:
    """Wants what a stack file says; all recipes that ever were are known."""

    def __init__(self, text: str, name: str = "shop") -> None:
        self.changed = asyncio.Event()
        self.nodes: dict[str, Availability] = {}
        self._recipes: dict[tuple[str, str], Recipe] = {}
        self._goals: list[Goal] = []
        self._name = name
        self.write(text)

    def write(self, text: str) -> None:
        """Want this from now on."""
        problems = Problems()
        stack = stack_of(
            text, "compose.yaml", problems, name=self._name, base="/", read=lambda _: None
        )
        assert not problems.errors, problems.errors
        self._goals = [self._goal(each) for each in stack.services]
        self.changed.set()

    def _goal(self, service: ServiceSpec) -> Goal:
        key, spec = key_of(self._name, service.name), spec_of(service.recipe)
        self._recipes[key, spec] = service.recipe
        (request,) = requests_of(self._name, replace(service, replicas=1))
        return Goal(
            service=key,
            spec=spec,
            slots={"": request},
            size=service.replicas,
            restart=service.conduct.restart,
            update=service.conduct.update,
            needs=tuple(
                Need(key_of(self._name, each.service), each.condition)
                for each in service.depends_on
            ),
            min_healthy=service.conduct.min_healthy,
            moves=service.conduct.moves,
        )

    def goals(self, _: Cluster) -> Sequence[Goal]:
        return self._goals

    def looked(self, _cluster: Cluster, _plan: Plan, _now: float) -> None:
        return None

    def recipe(self, service: str, spec: str) -> Recipe | None:
        return self._recipes.get((service, spec))

    def availability(self, node: str) -> Availability:
        return self.nodes.get(node, Availability.ACTIVE)


class Sole:
    """An election without another candidate."""

    def __init__(self, epoch: int = 1) -> None:
        self.changed = asyncio.Event()
        self.epoch: int | None = epoch

    async def run(self) -> None:
        await asyncio.get_running_loop().create_future()

    def left(self) -> float:
        return inf


class Book:
    """A journal that can be read."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, Mapping[str, object]]] = []

    def note(self, kind: str, **fields: object) -> None:
        self.notes.append((kind, fields))


class Still:
    """Nobody sends any work."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()

    def drains(self, _node: str) -> Drains | None:
        return None

    def withdraw(self, _node: str, _id: str) -> None:
        return None

    def suspend(self, _node: str, *, on: bool, but: Collection[str] = ()) -> None:
        return None

    def forget(self, _ids: Collection[str]) -> None:
        return None

    def is_routed(self, _node: str, _id: str) -> bool | None:
        return None
