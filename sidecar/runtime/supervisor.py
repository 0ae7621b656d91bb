"""Starts, watches, restarts and stops the parts of one process.

Rules:

1. Parts start in the order given; each waits until the one before it serves (or until its start
   deadline, so that one slow part does not hold the others for ever).
2. A part that fails is started again alone, after a capped and jittered delay; the others go on.
3. A ``PermanentError`` before a part has ever served ends the program: trying again cannot help
   and the user is still looking at the terminal.
4. Parts stop in reverse order, each within its grace.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from sidecar.errors import PermanentError, PinnaceError
from sidecar.metrics import counter, gauge
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import Clock
from sidecar.runtime.component import Component, Health, Phase, Reporting
from sidecar.runtime.log import get_logger

__all__ = ["Supervisor"]

_restarts = counter(
    "pinnace_runtime_component_restarts_total", "Restarts of a part after it failed", ["component"]
)
_ready = gauge("pinnace_runtime_component_ready", "1 while the part serves", ["component"])
_log = get_logger("supervisor")

_STABLE = 10.0  # seconds of service after which a failure counts as the first again


class _Part:
    """The state of one supervised component."""

    def __init__(self, component: Component) -> None:
        self.component = component
        self.phase = Phase.WAITING
        self.restarts = 0
        self.error: str | None = None
        self.served = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def health(self) -> Health:
        trouble = self.error
        if trouble is None and isinstance(self.component, Reporting):
            trouble = self.component.trouble()
        return Health(self.phase, self.restarts, trouble)

    def enter(self, phase: Phase) -> None:
        self.phase = phase
        _ready.labels(self.component.name).set(phase is Phase.READY)


class Supervisor:
    """Runs parts until told to stop."""

    def __init__(
        self,
        components: Sequence[Component],
        *,
        clock: Clock,
        start_deadline: float = 10.0,
        grace: float = 15.0,
        backoff: Callable[[], Backoff] = lambda: Backoff(0.1, 30.0),
    ) -> None:
        """Take the parts in start order; ``grace`` bounds the stop of each, in seconds."""
        self._parts = [_Part(component) for component in components]
        self._clock = clock
        self._start_deadline = start_deadline
        self._grace = grace
        self._backoff = backoff
        self._fatal: PinnaceError | None = None
        self._stopping = asyncio.Event()

    @property
    def stopping(self) -> bool:
        """Whether the stop has begun."""
        return self._stopping.is_set()

    def health(self) -> Mapping[str, Health]:
        """Return the health of each part, in start order."""
        return {part.component.name: part.health() for part in self._parts}

    def stop(self) -> None:
        """Begin the orderly stop; ``run`` returns when it is done."""
        self._stopping.set()

    async def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Start all parts, call ``started`` when all have served once, wait for ``stop``.

        Raises the PermanentError of a part that could not start at all.
        """
        async with asyncio.TaskGroup() as group:
            await self._start(group)
            if not self._stopping.is_set():
                started()
            await self._stopping.wait()
            await self._stop()
        if self._fatal is not None:
            raise self._fatal

    async def _start(self, group: asyncio.TaskGroup) -> None:
        for part in self._parts:
            if self._stopping.is_set():
                return
            name = part.component.name
            part.task = group.create_task(self._keep(part), name=name)
            if not await self._wait_until_served(group, part):
                _log.warning("component is slow to start", component=name, phase=part.phase)

    async def _wait_until_served(self, group: asyncio.TaskGroup, part: _Part) -> bool:
        waiters = [
            group.create_task(self._clock.sleep(self._start_deadline), name="start deadline"),
            group.create_task(part.served.wait(), name="served"),
            group.create_task(self._stopping.wait(), name="stopping"),
        ]
        try:
            await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiter in waiters:
                waiter.cancel()
        return part.served.is_set() or self._stopping.is_set()

    async def _keep(self, part: _Part) -> None:
        """Run one part for ever: the one place that catches everything."""
        backoff = self._backoff()
        name = part.component.name
        while True:
            part.enter(Phase.STARTING)
            begun = self._clock.monotonic()
            try:
                await part.component.run(lambda: self._serves(part))
                part.error = "ended by itself"
            except Exception as raised:  # noqa: BLE001 - one part's bug must not end the others
                error = _cause(raised)
                if isinstance(error, PermanentError) and not part.served.is_set():
                    self._give_up(part, error)
                    return
                if isinstance(error, PinnaceError):
                    part.error = str(error)
                else:
                    part.error = f"{type(error).__name__}: {error}"
                    _log.exception("component raised", component=name)
            part.enter(Phase.FAILED)
            if self._clock.monotonic() - begun > _STABLE:
                backoff.reset()
            delay = backoff.next()
            part.restarts += 1
            _restarts.labels(name).inc()
            _log.error("component failed", component=name, error=part.error, retry=f"{delay:.1f}s")
            await self._clock.sleep(delay)

    def _serves(self, part: _Part) -> None:
        part.error = None
        part.enter(Phase.READY)
        part.served.set()

    def _give_up(self, part: _Part, error: PinnaceError) -> None:
        part.error = str(error)
        part.enter(Phase.FAILED)
        self._fatal = self._fatal or error
        self.stop()

    async def _stop(self) -> None:
        for part in reversed(self._parts):
            if part.task is None:
                continue
            part.task.cancel()
            _, pending = await asyncio.wait([part.task], timeout=self._grace)
            if pending:
                _log.error("component did not stop in time", component=part.component.name)
            part.enter(Phase.STOPPED)


def _cause(error: Exception) -> Exception:
    """Return the error itself when a TaskGroup wrapped nothing but it."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
