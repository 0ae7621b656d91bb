"""The loop watchdog: reports when something held the event loop, and feeds systemd's.

While we ourselves are slow we must not declare others dead; ``lag`` tells how slow we are.
"""

from collections.abc import Callable

from sidecar.metrics import counter, gauge
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from sidecar.runtime.notify import Notifier

__all__ = ["Watchdog"]

_lag = gauge("pinnace_runtime_loop_lag_seconds", "How late the event loop ran a timer, last seen")
_stalls = counter("pinnace_runtime_loop_stalls_total", "Times the event loop was held too long")
_log = get_logger("watchdog")

_PERIOD = 0.5
_STALL = 0.2  # seconds; reliability F34


class Watchdog:
    """A component that measures how late its own timer is."""

    name = "watchdog"

    def __init__(self, clock: Clock, notifier: Notifier) -> None:
        """Measure with this clock; feed this systemd watchdog if there is one."""
        self._clock = clock
        self._notifier = notifier
        self.lag = 0.0

    async def run(self, ready: Callable[[], None]) -> None:
        """Measure for ever."""
        ready()
        while True:
            before = self._clock.monotonic()
            await self._clock.sleep(_PERIOD)
            self.lag = max(0.0, self._clock.monotonic() - before - _PERIOD)
            _lag.set(self.lag)
            if self.lag > _STALL:
                _stalls.inc()
                _log.warning("event loop was held", seconds=f"{self.lag:.3f}")
            self._notifier.alive()
