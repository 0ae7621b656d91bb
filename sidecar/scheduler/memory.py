"""What cannot be seen and is remembered: when copies failed. Pure.

Losing it costs delays that begin anew, and no more.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from types import MappingProxyType
from typing import Final

from sidecar.scheduler.canary import Trial
from sidecar.scheduler.cluster import HEALED, Copy, Health, Stage
from sidecar.scheduler.model import NodeView

__all__ = ["Failure", "Memory", "Move", "ailing", "counted"]

_STRAIN: Final = 300.0
_NONE: Mapping[str, list["Failure"]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Failure:
    """A copy that ended or became unhealthy: of which slot and spec, where and when."""

    service: str
    slot: str
    spec: str
    node: str
    at: float
    age: float = 0.0
    """How long it had run, 0 when that is not known."""


@dataclass(frozen=True, slots=True)
class Move:
    """A copy that is to leave a node for a better one, and since when."""

    node: str
    at: float


@dataclass(frozen=True, slots=True)
class Memory:
    """What was seen to fail, and which failures were counted."""

    failures: tuple[Failure, ...] = ()
    counted: frozenset[tuple[str, int, float]] = frozenset()
    """Name, incarnation and time of each end that is in ``failures``."""
    updated: Mapping[str, float] = field(default_factory=dict)
    """When a slot of a service was updated last: begun, and later when it was done."""
    moving: frozenset[str] = frozenset()
    """Services of which an update of slots is under way."""
    trials: Mapping[str, Trial] = field(default_factory=dict)
    """Canaries, by service."""
    paused: frozenset[tuple[str, str]] = frozenset()
    """Rollouts that stopped: service and spec."""
    attempts: Mapping[str, int] = field(default_factory=dict)
    """``Goal.attempt`` of each service as it was seen last."""
    begun: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    """Which spec of a service was wanted last, and since when."""
    cut_off: float = -inf
    """When most nodes could not be reached, last: what is lost is counted anew from then on."""

    moves: Mapping[tuple[str, str, int], Move] = field(default_factory=dict)
    """Copies that move to other nodes: service, slot and incarnation of each."""
    moved: tuple[float, ...] = ()
    """When moves began of late."""
    unmoved: Mapping[str, float] = field(default_factory=dict)
    """When a move of a service failed."""
    _index: dict[tuple[str, str], dict[str, list[Failure]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """``failures`` by service and spec, then by slot; made when it is asked for first."""

    def late(self, service: str, copy: Copy, now: float) -> "Memory":
        """Return it with a copy that never became ready; taken once."""
        known = self.failures_of(service, copy.slot, copy.spec)
        if any(at >= copy.since for at in known):
            return self
        failure = Failure(service, copy.slot, copy.spec, copy.node, now)
        return replace(self, failures=(*self.failures, failure))

    def left(self, service: str, slot: str) -> frozenset[str]:
        """Return the nodes that copies of a slot are to leave."""
        moves = self.moves.items()
        return frozenset(move.node for (of, at, _), move in moves if (of, at) == (service, slot))

    def failures_of(self, service: str, slot: str, spec: str) -> list[float]:
        """Return when copies of a slot failed."""
        return [each.at for each in self._failed(service, spec).get(slot, ())]

    def failed_slots(self, service: str, spec: str, monitor: float = inf) -> set[str]:
        """Return the slots of which a copy of this spec failed when it had not run for long.

        What failed before the spec was wanted (the last time) does not count.
        """
        known, since = self.begun.get(service, (spec, -inf))
        return {
            slot
            for slot, failures in self._failed(service, spec).items()
            if any(each.age <= monitor and (known != spec or each.at >= since) for each in failures)
        }

    def times_failed(self, service: str, spec: str) -> int:
        """Return how many copies of this spec failed."""
        return sum(map(len, self._failed(service, spec).values()))

    def _failed(self, service: str, spec: str) -> Mapping[str, list[Failure]]:
        if self.failures and not self._index:
            for each in self.failures:
                by_slot = self._index.setdefault((each.service, each.spec), {})
                by_slot.setdefault(each.slot, []).append(each)
        return self._index.get((service, spec), _NONE)

    def strained(self, nodes: Iterable[NodeView], now: float) -> list[NodeView]:
        """Return nodes with how many copies failed there of late; the same where that is known."""
        found = Counter(each.node for each in self.failures if now - each.at < _STRAIN)
        return [
            node if node.strain == found[node.name] else replace(node, strain=found[node.name])
            for node in nodes
        ]


def ailing(copies: Iterable[Copy]) -> Sequence[Copy]:
    """Return the copies that ended badly or are unhealthy."""
    return [
        copy
        for copy in copies
        if copy.health is Health.UNHEALTHY or (copy.stage is Stage.EXITED and not copy.is_draining)
    ]


def counted(memory: Memory, found: Iterable[tuple[str, Sequence[Copy]]], now: float) -> Memory:
    """Return the memory with the failures that are seen for the first time.

    ``found`` are the copies that are ``ailing``, by service.
    """
    failures: list[Failure] = []
    marks: set[tuple[str, int, float]] = set()
    for service, copies in found:
        for copy in copies:
            mark = copy.name, copy.incarnation, copy.since
            marks.add(mark)
            if mark not in memory.counted:
                ended = copy.since if copy.stage is Stage.EXITED else now
                age = 0.0 if copy.started is None else ended - copy.started
                at = min(ended, now)
                failures.append(Failure(service, copy.slot, copy.spec, copy.node, at, age))
    if not failures and marks >= memory.counted:
        return memory
    recent = tuple(each for each in memory.failures if now - each.at < 2 * HEALED)
    return replace(memory, failures=(*recent, *failures), counted=frozenset(marks))
