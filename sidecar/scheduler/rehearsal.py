"""A stack on a simulated cluster, with faults; and what came of it as a document. Pure."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from sidecar.scheduler.actions import Action, Alarm, Create, Fence, Pending
from sidecar.scheduler.explaining import lines_of
from sidecar.scheduler.faults import Fault, befall
from sidecar.scheduler.goals import Told, goals_of
from sidecar.scheduler.model import NodeView, Policy
from sidecar.scheduler.rollout import rollout_of
from sidecar.scheduler.sight import Sight
from sidecar.scheduler.simulation import Latency, Simulation
from sidecar.scheduler.sizing import sized
from sidecar.scheduler.spec import StackSpec
from sidecar.scheduler.wanted import Revision, Stack

__all__ = ["Rehearsal"]

_QUIET: Final = 30.0
"""So long without an action, and it is over."""


class Rehearsal:
    """One run."""

    def __init__(self, stack: StackSpec, nodes: Sequence[NodeView], policy: Policy) -> None:
        """Begin at 0 s."""
        told = Told(Stack(name=stack.name, revisions=(Revision(number=1),)), {1: stack})
        self._stack = stack
        self._policy = policy
        has_check = any(each.has_healthcheck for each in stack.services)
        latency = Latency(healthy=2.0 if has_check else 0.0)
        self._world = Simulation(nodes, goals_of(told, {}), latency=latency, policy=policy)
        self._events: list[dict[str, Any]] = []
        self._said: set[str] = set()
        self._acted = 0.0

    def run(
        self,
        faults: Sequence[Fault],
        seconds: float,
        tell: Callable[[float, int], None] = lambda *_: None,
    ) -> None:
        """Let so much time pass, or less when nothing happens any more.

        ``tell`` hears the time and how many events there were, at each look.
        """
        world, left = self._world, list(faults)
        while world.now < seconds and (left or world.now - self._acted <= _QUIET):
            while left and left[0].at <= world.now:
                fault = left.pop(0)
                self._note(f"fault: {fault.do}", fault.on)
                befall(world, fault, self._stack.name)
                self._acted = world.now
            found = world.look()
            tell(world.now, len(self._events))
            said = {self._told(each) for each in found.actions}
            self._said = said
            if found.look_again is not None:
                self._acted = max(self._acted, min(found.look_again, seconds) - _QUIET)
            world.turn(1.0)

    def _told(self, action: Action) -> str:
        """Note an action once; return what tells it from others."""
        if isinstance(action, Alarm):
            what, about, node = "alarm", action.text, ""
        elif isinstance(action, Pending):
            request = action.refusal.request
            about = f"{action.service}/{request.slot}: {'; '.join(lines_of(action.refusal))}"
            what, node = "no place", ""
        elif isinstance(action, Create):
            what, about = "create", f"{action.service}/{action.slot}"
            node = action.placement.node
        elif isinstance(action, Fence):
            what, about, node = type(action).__name__.lower(), str(action.fencing), action.node
        else:
            what, about = type(action).__name__.lower(), action.copy.name
            node = action.copy.node
        key = f"{what} {about} {node}"
        if key not in self._said:
            self._note(what, about, node)
            self._acted = self._world.now
        return key

    def _note(self, what: str, about: str, node: str = "") -> None:
        self._events.append({"at": self._world.now, "what": what, "about": about, "node": node})

    def document(self) -> dict[str, Any]:
        """Return what happened and how it ended."""
        world = self._world
        cluster, found = world.cluster(), world.look()
        sight = Sight(cluster, world.now)
        refused: dict[str, list[str]] = {}
        for each in found.actions:
            if isinstance(each, Pending):
                text = f"slot {each.refusal.request.slot}: {'; '.join(lines_of(each.refusal))}"
                refused.setdefault(each.service, []).append(text)
        services = []
        for goal in world.goals:
            rollout = rollout_of(sized(goal, cluster), cluster, world.memory, world.now, sight)
            services.append({
                "service": goal.service,
                "phase": rollout.phase.value,
                "wanted": rollout.wanted,
                "ready": rollout.ready,
                "why": rollout.why,
                "refusals": refused.get(goal.service, []),
                "nodes": sorted(
                    each.node
                    for each in cluster.copies.get(goal.service, ())
                    if each.stage.value == "running"
                ),
            })  # fmt: skip
        return {
            "stack": self._stack.name,
            "ended": world.now,
            "events": self._events,
            "services": services,
        }
