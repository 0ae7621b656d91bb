"""What keeping a proxy equal to the newest routes is for every program.

The theory. There are lives of the program, one after the other; in each the newest routes are made
live, one change at a time, and routes that come meanwhile replace each other. When nothing comes,
what runs is compared with what should. A change that fails is owed and tried again, further and
further apart, while the old one serves on; a program that does not answer is compared before
anything else, and at the third time its life is over. How one program takes a change, and what is
compared, is said by its own driver.
"""

import abc
import asyncio
from collections.abc import Callable
from typing import ClassVar, Final, Generic, Literal, Protocol, TypeVar

from sidecar.errors import PinnaceError, ProtocolError, ReloadFailed
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from templater.proxy import Applied, ProxyUnavailable
from templater.routes import Problem, Routes
from templater.telemetry import APPLIES, APPLY_SECONDS, ENDPOINTS, FAILURES, RESTARTS

__all__ = ["TRIES", "Life", "ProxyDriver", "Report"]

TRIES: Final = 3
_TRY: Final = 0.2  # a socket that is away for a moment, as while somebody reloads, comes back
_SLOWEST: Final = 5.0  # what is owed lands so soon after what was in its way is gone
_STEADY: Final = 10.0  # a life this long starts the back-off anew
Report = Callable[[tuple[Problem, ...]], None]

_log = get_logger("lb")


class Life(Protocol):
    """A program from its start to its end."""

    async def stop(self, drain: float) -> None:
        """Let requests finish for at most ``drain`` seconds, then end it."""

    async def kill(self) -> None:
        """End it at once."""


L = TypeVar("L", bound=Life)


class ProxyDriver(abc.ABC, Generic[L]):
    """A `templater.proxy.Proxy`, but for what depends on the program."""

    name: ClassVar[str]
    audit: float
    """Seconds between two comparisons when nothing changes."""

    def __init__(self, *, drain: float, clock: Clock, report: Report) -> None:
        """``report`` hears which listeners cannot be had."""
        self._drain = drain
        self._clock = clock
        self._report = report
        self._routes = Routes()
        self._first_at = self._latest_at = 0.0
        self._reloaded_at = float("-inf")
        self._wake = asyncio.Event()
        self._life: L | None = None
        self._pending = False  # a change failed and is owed
        self._is_suspicious = False  # somebody did something to what runs
        self._trouble: str | None = f"{self.name} is not started yet"
        self._backoff = Backoff(0.1, _SLOWEST)
        self.last: Applied | None = None
        self.last_reload: Applied | None = None

    @abc.abstractmethod
    async def _prepare(self) -> None:
        """Ask the machine what is needed for every life."""

    @abc.abstractmethod
    def _made(self) -> L:
        """Return a new life, not begun."""

    @abc.abstractmethod
    async def _begin(self, life: L, group: asyncio.TaskGroup) -> str:
        """Start it with the newest routes, watch it in the group; return how that was."""

    @abc.abstractmethod
    async def _apply(self, life: L) -> None:
        """Make the newest routes live."""

    @abc.abstractmethod
    async def _compare(self, life: L) -> None:
        """Compare what runs with what should and repair it."""

    @abc.abstractmethod
    def _endpoints(self) -> int:
        """Return how many endpoints are live."""

    def want(self, routes: Routes) -> None:
        """Make these the routes to serve."""
        self._latest_at = self._clock.monotonic()
        if not self._wake.is_set():
            self._first_at = self._latest_at
        self._routes = routes
        self._backoff.reset()  # it is another change, which may well succeed
        self._wake.set()

    def trouble(self) -> str | None:
        """Return what is wrong in one line, or None."""
        return self._trouble

    async def run(self, serving: Callable[[], None]) -> None:
        """Keep the program running until cancelled; its directory is open."""
        await self._prepare()
        lives = Backoff(0.05, 5.0)
        while True:
            began = self._clock.monotonic()
            try:
                await self._live_once(serving)
            except* (ProxyUnavailable, ProtocolError, ReloadFailed) as group:
                self._lost("; ".join(str(error) for error in group.exceptions))
            if self._clock.monotonic() - began > _STEADY:
                lives.reset()
            RESTARTS.inc()
            await self._clock.sleep(lives.next())

    def _lost(self, why: str) -> None:
        if why != self._trouble:
            _log.error(f"{self.name} lost", error=why)
        self._trouble = why

    async def _live_once(self, serving: Callable[[], None]) -> None:
        life = self._made()
        soft = False
        try:
            began = self._clock.monotonic()
            self._wake.clear()
            async with asyncio.TaskGroup() as group:
                how = await self._begin(life, group)
                self._life = life
                self._trouble = None
                self._done("start", how, began)
                self._recovered()
                serving()
                await self._serve(life)
        except asyncio.CancelledError:
            soft = True
            raise
        finally:
            self._life = None
            await (life.stop(self._drain) if soft else life.kill())

    async def _serve(self, life: L) -> None:
        failures = 0
        while True:
            woken = await self._woken()
            try:
                if failures or self._is_suspicious or not (woken or self._pending):
                    self._is_suspicious = False
                    await self._compare(life)  # after a failure nobody knows what runs
                if woken or self._pending:
                    await self._apply(life)
            except ReloadFailed as error:
                self._failed(error)
            except (ProxyUnavailable, ProtocolError) as error:
                failures += 1
                if failures >= TRIES:
                    raise ProxyUnavailable(f"{self.name} does not answer: {error}") from error
                self._wake.set()
                await self._clock.sleep(_TRY)
            else:
                failures = 0
                self._recovered()

    def _suspect(self) -> None:
        """Compare soon: somebody did something to what runs."""
        self._is_suspicious = True
        self._wake.set()

    async def _woken(self) -> bool:
        """Return at new routes (True), or when it is time to try again or to compare."""
        try:
            async with asyncio.timeout(self._backoff.next() if self._pending else self.audit):
                await self._wake.wait()
        except TimeoutError:
            return False
        return True

    def _done(self, kind: Literal["start", "runtime", "reload"], why: str, began: float) -> None:
        seconds = self._clock.monotonic() - began
        self.last = Applied(kind, why, seconds, began + seconds)
        if kind != "runtime":
            self.last_reload = self.last
        APPLIES.labels(kind).inc()
        APPLY_SECONDS.labels(kind).observe(seconds)
        ENDPOINTS.set(self._endpoints())

    def _failed(self, error: PinnaceError) -> None:
        FAILURES.inc()
        if not self._pending:
            _log.error("a change failed, what was live serves on", error=error)
        self._pending = True
        self._trouble = f"a change is owed: {error}"

    def _recovered(self) -> None:
        if self._pending:
            self._backoff.reset()
        self._pending = False
        self._trouble = None
