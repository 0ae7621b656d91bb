"""Choose one endpoint of several. Pure: chance comes in as an argument."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeVar

__all__ = ["POLICIES", "Choice", "Chooser"]

_LEAST: Final = 1e-6


class Choice(Protocol):
    """What is known of an endpoint that may be chosen."""

    @property
    def weight(self) -> float:
        """Its share; a ramp while it is new."""

    @property
    def zone(self) -> str:
        """Where it is."""

    @property
    def clients(self) -> int:
        """How many clients keep to it."""

    @property
    def outstanding(self) -> int:
        """How much is under way to it."""

    @property
    def latency(self) -> float:
        """Seconds that it took of late."""


C = TypeVar("C", bound=Choice)
Draw = Callable[[], float]


class Chooser:
    """Chooses by one policy."""

    def __init__(self, policy: str, draw: Draw, zone: str = "") -> None:
        """``draw`` returns [0, 1); ``zone`` is where we are."""
        self.is_sticky = policy in {"sticky", "zone_first"}
        self._policy = POLICIES[policy]
        self._draw = draw
        self._zone = zone
        self._turn = 0

    def choose(self, choices: Sequence[C]) -> C:
        """Return one of at least one."""
        if len(choices) == 1:
            return choices[0]
        self._turn += 1
        chosen: C = self._policy(self, choices)
        return chosen

    def favours(self, weight: float, choices: Sequence[Choice]) -> bool:
        """Say at random whether one of this weight is chosen before several others."""
        return self._draw() * (weight + sum(one.weight for one in choices)) < weight

    def sticky(self, choices: Sequence[C]) -> C:
        """Return who has the fewest clients for its weight."""
        return min(choices, key=lambda one: (one.clients + 1) / max(one.weight, _LEAST))

    def round_robin(self, choices: Sequence[C]) -> C:
        """Return one after the other."""
        return choices[self._turn % len(choices)]

    def least_outstanding(self, choices: Sequence[C]) -> C:
        """Return who has the least under way."""
        return min(choices, key=lambda one: one.outstanding)

    def p2c(self, choices: Sequence[C]) -> C:
        """Return the better of two drawn at random."""
        first = int(self._draw() * len(choices))
        second = (first + 1 + int(self._draw() * (len(choices) - 1))) % len(choices)
        pair = (choices[first], choices[second])
        return min(pair, key=lambda one: one.latency * (one.outstanding + 1))

    def weighted(self, choices: Sequence[C]) -> C:
        """Return one at random by weight."""
        at = self._draw() * sum(one.weight for one in choices)
        for one in choices:
            at -= one.weight
            if at < 0:
                return one
        return choices[-1]

    def zone_first(self, choices: Sequence[C]) -> C:
        """Return one of our own zone, of others when there is none."""
        near = [one for one in choices if one.zone == self._zone]
        return self.sticky(near or choices)


POLICIES: Final = {
    name: getattr(Chooser, name)
    for name in ("sticky", "round_robin", "least_outstanding", "p2c", "weighted", "zone_first")
}
