"""Which places that values come from cannot be read, and for how long: counted in one place."""

from typing import Final

from sidecar.metrics import gauge
from sidecar.runtime.clock import Clock
from templater.counters import AWAY

__all__ = ["Absence"]

AGE: Final = gauge(
    "pinnace_templater_backend_sync_age_seconds",
    "Since when the backend that is away the longest could not be read; 0 when all can.",
)
_away: dict[int, tuple[Clock, float]] = {}


def _age() -> float:
    return max((clock.monotonic() - since for clock, since in _away.values()), default=0.0)


AGE.labels().set_function(_age)


class Absence:
    """One place; ``begin`` and ``end`` may be called however often."""

    def __init__(self, clock: Clock) -> None:
        """It can be read."""
        self._clock = clock

    def begin(self) -> None:
        """Note that it cannot be read."""
        if id(self) not in _away:
            _away[id(self)] = self._clock, self._clock.monotonic()
            AWAY.inc()

    def end(self) -> None:
        """Note that it can, or that nobody asks any more."""
        if _away.pop(id(self), None) is not None:
            AWAY.dec()
