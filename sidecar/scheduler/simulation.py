"""A cluster that exists in numbers only: virtual clock, thousands of nodes, the real plan. Pure.

Engines do what they are told after a latency that is drawn from a seed; nodes fail and come back,
copies crash or become unhealthy. Nothing here decides anything: ``plan`` does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from heapq import heappop, heappush
from math import inf
from typing import Final

from sidecar.scheduler.actions import Action, Create, Deregister, Drain, Remove, Start, Stop, Weigh
from sidecar.scheduler.cluster import Cluster, Copy, Goal, Health, Stage
from sidecar.scheduler.memory import Memory
from sidecar.scheduler.model import Availability, ContainerView, NodeView, Policy, State
from sidecar.scheduler.placing import Kept
from sidecar.scheduler.plan import Plan, plan
from sidecar.scheduler.population import Population
from sidecar.scheduler.standing import container_of

__all__ = ["Latency", "Simulation"]

_SOON: Final = 900.0


@dataclass(frozen=True, slots=True)
class Latency:
    """How long things take, at most; seconds."""

    create: float = 1.0
    start: float = 1.0
    drain: float = 2.0
    stop: float = 1.0
    healthy: float = 0.0
    """Until a health check passes; 0: the service has none."""


class Simulation:
    """Nodes, copies and a clock that stands still until it is turned."""

    def __init__(
        self,
        nodes: Sequence[NodeView],
        goals: Sequence[Goal],
        *,
        latency: Latency | None = None,
        policy: Policy | None = None,
    ) -> None:
        """``goals`` may be exchanged at any time; of what ``nodes`` hold only others' stays."""
        self.now = 0.0
        self.wall = 0.0
        self.goals = list(goals)
        self.memory = Memory()
        self.plans: list[Plan] = []
        self._latency = latency or Latency()
        self._policy = policy or Policy()
        self._kept = Kept()
        self._foreign = {node.name: _foreign(node) for node in nodes}
        self._nodes = {
            node.name: replace(node, containers=self._foreign[node.name]) for node in nodes
        }
        self._since = dict.fromkeys(self._nodes, 0.0)
        self._population = Population()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._busy: set[str] = set()
        self._count = 0
        self._dead: dict[str, list[str]] = {}

    @property
    def copies(self) -> Mapping[str, tuple[Copy, ...]]:
        """All copies by service, in the order of their creation."""
        return self._population.copies()

    def cluster(self) -> Cluster:
        """Return what a scheduler sees; what did not change is the same object as before."""
        for name, held in self._population.moved():
            containers = *self._foreign.get(name, ()), *held
            self._nodes[name] = replace(self._nodes[name], containers=containers)
        return Cluster(tuple(self._nodes.values()), self.copies, dict(self._since), wall=self.wall)

    def look(self) -> Plan:
        """Let the scheduler look once, and begin what it says."""
        found = plan(
            self.goals,
            self.cluster(),
            self.memory,
            now=self.now,
            policy=self._policy,
            kept=self._kept,
        )
        self.memory = found.memory
        self.plans.append(found)
        for action in found.actions:
            self._begin(action)
        return found

    def run(self, seconds: float, step: float = 1.0) -> None:
        """Turn the clock, with a look at every step."""
        end = self.now + seconds
        while self.now < end:
            self.look()
            self.turn(step)

    def turn(self, seconds: float) -> None:
        """Turn the clock; what is due happens in its order."""
        end = self.now + seconds
        while self._due and self._due[0][0] <= end:
            self.now, _, happen = heappop(self._due)
            happen()
        self.now = end

    def until_quiet(
        self, limit: float = 3600.0, tell: Callable[[Plan], None] = lambda _: None
    ) -> float:
        """Run until nothing is to be done or under way; return when. Raises TimeoutError.

        What only waits to be removed one day is no work. ``tell`` hears of each look.
        """
        while self.now < limit:
            found = self.look()
            tell(found)
            is_idle = (found.look_again or inf) - self.now > _SOON
            if not found.actions and not self._due and is_idle:
                return self.now
            self.turn(1.0)
        raise TimeoutError(f"not quiet after {limit} s: {self.plans[-1].actions[:3]}")

    def set_node(self, name: str, state: State) -> None:
        """Let a node fail or come back; what runs on it goes on unseen."""
        if state is State.UP:
            for copy_name in self._dead.pop(name, ()):
                self.crash(copy_name, 137)
        self._nodes[name] = replace(self._nodes[name], state=state)
        self._since[name] = self.now

    def power_off(self, name: str) -> None:
        """Let a node fail with all that runs on it; that is seen when it is back."""
        self.set_node(name, State.DOWN)
        self._dead[name] = [
            copy.name for copy in self._population.on(name) if copy.stage is Stage.RUNNING
        ]

    def drain_node(self, name: str) -> None:
        """Ask for a node to be emptied."""
        self._nodes[name] = replace(self._nodes[name], availability=Availability.DRAIN)

    def crash(self, name: str, exit_code: int = 1) -> None:
        """End a copy."""
        self._population.change(name, stage=Stage.EXITED, exit_code=exit_code, since=self.now)

    def sicken(self, name: str) -> None:
        """Make a copy unhealthy."""
        self._population.change(name, health=Health.UNHEALTHY)

    def _begin(self, action: Action) -> None:
        key = getattr(action, "key", "")
        if not key or key in self._busy:
            return
        found = self._population
        match action:
            case Create():
                self._later(key, self._latency.create, lambda: self._create(action))
            case Start(copy=copy):
                self._later(key, self._latency.start, lambda: self._start(copy.name))
            case Drain(copy=copy):
                found.change(copy.name, is_draining=True)
                self._later(
                    key, self._latency.drain, lambda: found.change(copy.name, is_drained=True)
                )
            case Stop(copy=copy):
                self._later(key, self._latency.stop, lambda: self._stop(copy.name))
            case Weigh(copy=copy, share=share):
                found.change(copy.name, share=share)
            case Deregister(copy=copy):
                found.change(copy.name, is_registered=False)
            case Remove(copy=copy):
                found.remove(copy.name)

    def _later(self, key: str, longest: float, happen: Callable[[], None]) -> None:
        digest = blake2b(f"{self._policy.seed}/{key}".encode(), digest_size=4).digest()
        share = int.from_bytes(digest) / 2**32
        self._busy.add(key)

        def do() -> None:
            self._busy.discard(key)
            happen()

        self._count += 1
        heappush(self._due, (self.now + longest * share, self._count, do))

    def _create(self, action: Create) -> None:
        name = f"{action.service}_{action.slot}_{action.incarnation}"
        node = action.placement.node
        if self._population.copy(name) is not None or self._nodes[node].state is not State.UP:
            return
        copy = Copy(
            name=name, node=node, slot=action.slot, spec=action.spec,
            incarnation=action.incarnation, stage=Stage.CREATED, since=self.now,
        )  # fmt: skip
        view = replace(container_of(action.placement.request), name=name)
        self._population.add(action.service, copy, view)

    def _start(self, name: str) -> None:
        if self._population.copy(name) is None:
            return
        has_check = self._latency.healthy > 0
        self._population.change(
            name,
            stage=Stage.RUNNING,
            health=Health.STARTING if has_check else Health.NONE,
            since=self.now,
            started=self.now,
        )
        if has_check:
            self._later(f"healthy/{name}", self._latency.healthy, lambda: self._heal(name))

    def _stop(self, name: str) -> None:
        self._population.change(name, stage=Stage.EXITED, is_draining=True, since=self.now)

    def _heal(self, name: str) -> None:
        copy = self._population.copy(name)
        if copy is not None and copy.health is Health.STARTING:
            self._population.change(name, health=Health.HEALTHY)


def _foreign(node: NodeView) -> tuple[ContainerView, ...]:
    return tuple(each for each in node.containers if not each.service)
