"""Whether a node can be reached: a function of what was heard of it, and of the time. Pure.

Three things are heard: answers to probes and looks, questions that were not answered in time, and
that the stream of events broke. Two misses, or one after the stream broke, make a node *suspect*:
it gets nothing new at once. When it has been so for ``down_after`` seconds since the last answer,
it is *down*. A node that answers again is *up* only when all it holds was looked at: what it ran
meanwhile must be known before anything is decided.
"""

from dataclasses import dataclass, replace
from typing import Final

from sidecar.scheduler.model import State

__all__ = ["Heard", "Reach", "reach_of"]

_MISSES: Final = 2
_LATE: Final = 25
"""What a late answer takes from a node's health of 100; a missed probe takes twice that."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard of a node; times are monotonic."""

    good: float
    """When it was last known to do what it should; before that, when it was first asked."""
    missed: int = 0
    """Probes in a row that were not answered in time."""
    failed: int = 0
    """Looks in a row that failed though probes were answered."""
    late: int = 0
    """More or less how many of the last answers were late."""
    is_broken: bool = False
    """The stream of events is not open."""
    is_known: bool = False
    """All it holds was looked at since it came into reach."""
    was_known: bool = False
    is_fenced: bool = False

    @property
    def is_in_reach(self) -> bool:
        """Whether it does what it should."""
        return self.missed + self.is_broken < _MISSES and self.failed < _MISSES

    def answered(self, now: float, *, is_late: bool = False) -> "Heard":
        """Return what is known after the answer to a probe."""
        late = min(self.late + 1, 3) if is_late else max(self.late - 1, 0)
        found = replace(self, missed=0, late=late)
        return replace(found, good=now) if found.is_in_reach and found.is_known else found

    def looked(self, now: float) -> "Heard":
        """Return what is known after a look at all it holds."""
        return replace(self, good=now, missed=0, failed=0, is_known=True, was_known=True)

    def missing(self) -> "Heard":
        """Return what is known after a probe without an answer."""
        return _settled(replace(self, missed=self.missed + 1))

    def failing(self) -> "Heard":
        """Return what is known after a look that failed."""
        return _settled(replace(self, failed=self.failed + 1))

    def stream(self, *, is_open: bool) -> "Heard":
        """Return what is known when the stream of events opened or broke."""
        return _settled(replace(self, is_broken=not is_open))


def _settled(heard: Heard) -> Heard:
    return heard if heard.is_in_reach else replace(heard, is_known=False)


@dataclass(frozen=True, slots=True)
class Reach:
    """A node's state, since when, and classic's indicator of health."""

    state: State
    since: float
    health: int = 100


def reach_of(heard: Heard, now: float, *, down_after: float) -> Reach:
    """Return how a node stands; what is down is so since it was last good."""
    if heard.is_fenced:
        return Reach(State.FENCED, heard.good, 0)
    health = max(100 - _LATE * (heard.late + 2 * heard.missed), 0)
    if heard.is_in_reach and heard.is_known:
        return Reach(State.UP, heard.good, max(health, 1))
    if now - heard.good >= down_after:
        return Reach(State.DOWN, heard.good, 0)
    return Reach(State.SUSPECT if heard.was_known else State.JOINING, heard.good, health)
