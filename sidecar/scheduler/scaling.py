"""Which services are scaled by measures, by what people want and by what the loop saw."""

from dataclasses import dataclass

from sidecar.scheduler.cluster import Cluster, Goal
from sidecar.scheduler.control import Control
from sidecar.scheduler.memory import Memory
from sidecar.scheduler.orders import Orders
from sidecar.scheduler.recipe import key_of
from sidecar.scheduler.sources.wanted import Autoscale

__all__ = ["Scaled", "Scaling"]


@dataclass(frozen=True, slots=True)
class Scaled:
    """A service that is scaled, as it is now."""

    stack: str
    name: str
    autoscale: Autoscale
    replicas: int
    goal: Goal


class Scaling:
    """Reads from the control, writes by orders."""

    def __init__(self, control: Control, orders: Orders) -> None:
        """Both are kept by who made them."""
        self._control = control
        self._orders = orders

    def scaled(self) -> list[Scaled]:
        """Return the services that are scaled by measures."""
        goals = {goal.service: goal for goal in self._control.wanted_goals}
        found: list[Scaled] = []
        for name, told in self._control.stacks.items():
            for each in told.newest.services if told.is_up else ():
                now = told.now(each.name) or each
                goal = goals.get(key_of(name, each.name))
                said = told.stack.override(each.name).replicas
                if now.conduct.autoscale is not None and goal is not None:
                    replicas = now.replicas if said is None else said
                    found.append(Scaled(name, each.name, now.conduct.autoscale, replicas, goal))
        return found

    def seen(self) -> tuple[Cluster, Memory, float]:
        """Return what the loop saw last, what it remembers, and when that was."""
        scene = self._control.scene
        return scene.cluster, scene.memory, scene.now

    async def scale(self, stack: str, service: str, replicas: int, *, by: str) -> None:
        """Have so many replicas from now on."""
        await self._orders.scale(stack, service, replicas, by=by)
