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
from sidecar.scheduler.plan import Plan, plan
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
        """``goals`` may be exchanged at any time."""
        self.now = 0.0
        self.wall = 0.0
        self.goals = list(goals)
        self.memory = Memory()
        self.plans: list[Plan] = []
        self._latency = latency or Latency()
        self._policy = policy or Policy()
        self._nodes = {node.name: node for node in nodes}
        self._since = dict.fromkeys(self._nodes, 0.0)
        self._copies: dict[str, tuple[str, Copy]] = {}
        self._views: dict[str, ContainerView] = {}
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._busy: set[str] = set()
        self._count = 0
        self._dead: dict[str, list[str]] = {}

    @property
    def copies(self) -> Mapping[str, tuple[Copy, ...]]:
        """All copies by service, in the order of their creation."""
        found: dict[str, list[Copy]] = {}
        for service, copy in self._copies.values():
            found.setdefault(service, []).append(copy)
        return {service: tuple(copies) for service, copies in found.items()}

    def cluster(self) -> Cluster:
        """Return what a scheduler sees."""
        held: dict[str, list[ContainerView]] = {}
        for name, (_, copy) in self._copies.items():
            is_over = copy.stage is Stage.EXITED
            view = replace(self._views[name], running=not is_over, is_over=is_over)
            held.setdefault(copy.node, []).append(view)
        nodes = tuple(
            replace(node, containers=tuple(held.get(name, ())))
            for name, node in self._nodes.items()
        )
        return Cluster(nodes, self.copies, dict(self._since), wall=self.wall)

    def look(self) -> Plan:
        """Let the scheduler look once, and begin what it says."""
        found = plan(self.goals, self.cluster(), self.memory, now=self.now, policy=self._policy)
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

    def until_quiet(self, limit: float = 3600.0) -> float:
        """Run until nothing is to be done or under way; return when. Raises TimeoutError.

        What only waits to be removed one day is no work.
        """
        while self.now < limit:
            found = self.look()
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
            key
            for key, (_, copy) in self._copies.items()
            if copy.node == name and copy.stage is Stage.RUNNING
        ]

    def drain_node(self, name: str) -> None:
        """Ask for a node to be emptied."""
        self._nodes[name] = replace(self._nodes[name], availability=Availability.DRAIN)

    def crash(self, name: str, exit_code: int = 1) -> None:
        """End a copy."""
        self._change(name, stage=Stage.EXITED, exit_code=exit_code, since=self.now)

    def sicken(self, name: str) -> None:
        """Make a copy unhealthy."""
        self._change(name, health=Health.UNHEALTHY)

    def _change(self, name: str, **what: object) -> None:
        if name in self._copies:
            service, copy = self._copies[name]
            self._copies[name] = service, replace(copy, **what)  # type: ignore[arg-type]

    def _begin(self, action: Action) -> None:
        key = getattr(action, "key", "")
        if not key or key in self._busy:
            return
        match action:
            case Create():
                self._later(key, self._latency.create, lambda: self._create(action))
            case Start(copy=copy):
                self._later(key, self._latency.start, lambda: self._start(copy.name))
            case Drain(copy=copy):
                self._change(copy.name, is_draining=True)
                self._later(
                    key, self._latency.drain, lambda: self._change(copy.name, is_drained=True)
                )
            case Stop(copy=copy):
                self._later(
                    key,
                    self._latency.stop,
                    lambda: self._change(
                        copy.name, stage=Stage.EXITED, is_draining=True, since=self.now
                    ),
                )
            case Weigh(copy=copy, share=share):
                self._change(copy.name, share=share)
            case Deregister(copy=copy):
                self._change(copy.name, is_registered=False)
            case Remove(copy=copy):
                self._copies.pop(copy.name, None)
                self._views.pop(copy.name, None)

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
        if name in self._copies or self._nodes[node].state is not State.UP:
            return
        copy = Copy(
            name=name, node=node, slot=action.slot, spec=action.spec,
            incarnation=action.incarnation, stage=Stage.CREATED, since=self.now,
        )  # fmt: skip
        self._copies[name] = action.service, copy
        self._views[name] = replace(container_of(action.placement.request), name=name)

    def _start(self, name: str) -> None:
        if name not in self._copies:
            return
        has_check = self._latency.healthy > 0
        health = Health.STARTING if has_check else Health.NONE
        self._change(name, stage=Stage.RUNNING, health=health, since=self.now, started=self.now)
        if has_check:
            self._later(f"healthy/{name}", self._latency.healthy, lambda: self._heal(name))

    def _heal(self, name: str) -> None:
        if name in self._copies and self._copies[name][1].health is Health.STARTING:
            self._change(name, health=Health.HEALTHY)
