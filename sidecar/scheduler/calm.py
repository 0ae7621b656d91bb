"""Services that are as they were when a look at them found nothing to do. Pure.

What a look finds of a service follows from its goal, its copies and those of its pod, the nodes
that these are on, what is remembered of it, who is fenced, and the time. While all of that is as it
was, and no moment has come that the look was to wait for, another one finds nothing either: so none
is taken. That is no memory of events. Whatever may differ is compared at each look, and losing all
of it costs one look at everything.

A service of which a slot has no copy as it should be is never calm: where one goes, or may be
replaced, depends on all else.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sidecar.scheduler.cluster import Cluster, Copy, Goal
from sidecar.scheduler.fencing import Fences
from sidecar.scheduler.memory import Memory, ailing
from sidecar.scheduler.model import Availability, NodeView, State

__all__ = ["Calm", "Told"]


class Told(NamedTuple):
    """What services that lean on one hear of it."""

    slots: tuple[str, ...]
    is_changing: bool
    is_coming: bool


@dataclass(frozen=True, slots=True)
class _Calm:
    goal: Goal
    copies: tuple[tuple[Copy, ...], ...]
    pod: tuple[str, ...]
    """The slots of its pod."""
    memory: Memory
    until: float | None
    told: Told
    nodes: frozenset[str]


class Calm:
    """Kept from look to look."""

    def __init__(self) -> None:
        """Begin with none."""
        self._services: dict[str, _Calm] = {}
        self._nodes: dict[str, tuple[State, Availability, float | None]] = {}
        self._fences = Fences()
        self._ailing: dict[str, tuple[tuple[Copy, ...], Sequence[Copy]]] = {}
        self._cluster = Cluster((), {})

    def begin(self, cluster: Cluster) -> None:
        """Take what is seen now; a service is not calm any more if a node of its copies changed."""
        self._cluster = cluster
        nodes = {node.name: _standing(node, cluster.since) for node in cluster.nodes}
        changed = {name for name, _ in nodes.items() ^ self._nodes.items()}
        self._nodes = nodes
        if cluster.fences != self._fences:
            self._fences = cluster.fences
            self._services.clear()
        if changed:
            self._services = {
                service: each
                for service, each in self._services.items()
                if each.nodes.isdisjoint(changed)
            }

    def ailing(self) -> Iterator[tuple[str, Sequence[Copy]]]:
        """Return the copies that ended badly or are unhealthy, by service."""
        before, self._ailing = self._ailing, {}
        for service, copies in self._cluster.copies.items():
            known = before.get(service)
            if known is None or known[0] is not copies:
                known = copies, ailing(copies)
            self._ailing[service] = known
            if known[1]:
                yield service, known[1]

    def find(
        self, goal: Goal, pod: tuple[str, ...], memory: Memory, now: float
    ) -> tuple[Told, float | None] | None:
        """Return what is told of a calm service, and when it is to be looked at; None: now.

        ``pod``: the slots of its pod; ``memory`` is of this service.
        """
        known = self._services.get(goal.service)
        if known is None:
            return None
        if (
            (known.until is None or now < known.until)
            and known.goal == goal
            and known.pod == pod
            and known.memory == memory
            and known.copies == self._copies(goal)
        ):
            return known.told, known.until
        del self._services[goal.service]
        return None

    def note(
        self, goal: Goal, pod: tuple[str, ...], memory: Memory, until: float | None, told: Told
    ) -> None:
        """Take a service for calm; ``until`` is what the look at it was to wait for."""
        copies = self._copies(goal)
        nodes = frozenset(copy.node for each in copies for copy in each)
        self._services[goal.service] = _Calm(goal, copies, pod, memory, until, told, nodes)

    def _copies(self, goal: Goal) -> tuple[tuple[Copy, ...], ...]:
        found = self._cluster.copies
        return tuple(found.get(each, ()) for each in (goal.service, goal.pod, *goal.members))


def _standing(
    node: NodeView, since: Mapping[str, float]
) -> tuple[State, Availability, float | None]:
    return node.state, node.availability, since.get(node.name)
