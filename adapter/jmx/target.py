"""One target as the server sees it: at most one scrape at a time, and never without an answer.

The scrape itself blocks, in a thread that only this target uses: one that hangs keeps nobody else
waiting. Who asks while a scrape is under way gets what that one gets.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from adapter.exposition import Family
from adapter.jmx.errors import OutOfTime, TargetUnavailable
from adapter.jmx.rmi import RmiTransport
from adapter.jmx.scrape import Outcome, Scraper
from adapter.jmx.session import Session
from adapter.jmx.settings import Target
from sidecar.errors import PinnaceError
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger

if TYPE_CHECKING:
    from ssl import SSLContext

    from adapter.jmx.scrape import Transport

__all__ = ["LONGEST", "Probe"]

LONGEST: Final = 30.0  # seconds, where neither file nor asker sets a limit
_GRACE: Final = 0.5  # for a thread to notice that its time is over
_GOODBYE: Final = 1.0

_log = get_logger("jmx")


class Probe:
    """Scrapes one target when asked."""

    def __init__(self, target: Target, clock: Clock) -> None:
        """Connect only when asked first."""
        self.target = target
        self.timeouts = 0
        self.bean_errors = 0
        self.dropped = 0
        self._clock = clock
        self._since = clock.monotonic()
        self._end = 0.0
        self._scraper = Scraper(target)
        self._session = Session(target, self._remaining, self._context)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"jmx-{target.name}")
        self._running: asyncio.Future[Outcome] | None = None
        self._said = ""
        self._is_closed = False

    async def scrape(self, limit: float | None = None) -> Outcome:
        """Return what one scrape came to, within so many seconds and the target's own limit."""
        begun = self._clock.monotonic()
        if self._is_closed:
            return Outcome(error=TargetUnavailable("the target was just taken off the list"))
        waited = self.target.start_delay - (begun - self._since)
        if waited > 0:
            error = TargetUnavailable(f"startDelaySeconds: {waited:.0f} s to go")
            return Outcome(error=error)
        seconds = min((x for x in (self.target.timeout, limit) if x), default=LONGEST)
        if self._running is None or self._running.done():
            self._end = begun + seconds
            loop = asyncio.get_running_loop()
            self._running = loop.run_in_executor(self._thread, self._blocking)
        try:
            async with asyncio.timeout(seconds + _GRACE):
                outcome = await asyncio.shield(self._running)
        except TimeoutError:
            self._session.abort()
            outcome = Outcome(error=OutOfTime("no answer within the scrape's time"))
        self._note(outcome)
        outcome.seconds = self._clock.monotonic() - begun
        return outcome

    def counts_from(self, other: "Probe") -> None:
        """Go on counting where another one of this target ended."""
        self.timeouts, self.bean_errors = other.timeouts, other.bean_errors
        self.dropped = other.dropped

    async def close(self) -> None:
        """End the login, if the JVM answers at once, and the thread."""
        self._is_closed = True
        self._end = self._clock.monotonic() + _GOODBYE
        loop = asyncio.get_running_loop()
        if self._running is not None and not self._running.done():
            self._session.abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE + _GRACE):
                await loop.run_in_executor(self._thread, self._session.close)
        self._thread.shutdown(wait=False, cancel_futures=True)

    def explain(self) -> list[str]:
        """Return the texts that patterns see, each with its rule; blocks."""
        self._end = self._clock.monotonic() + LONGEST
        try:
            return [*self._scraper.lines(self._transport())]
        finally:
            self._session.close()

    def families(self, outcome: Outcome, *, named: bool) -> list[Family]:
        """Return everything that is told of this target; ``named`` adds its name to each."""
        more = {"target": self.target.name} if named else {}
        found = outcome.families(more)
        for name, kind, text, value in (
            ("up", "gauge", "Whether the JVM answered everything.", outcome.up),
            ("jmx_scrape_duration_seconds", "gauge", "Time this JMX scrape took, in seconds.",
             outcome.seconds),
            ("jmx_scrape_error", "gauge", "Non-zero if this scrape failed.", not outcome.up),
            ("jmx_scrape_cached_beans", "gauge", "Number of beans with their matching rule cached",
             outcome.cached),
            ("jmx_scrape_beans", "gauge", "Number of beans that were read.", outcome.beans),
            ("jmx_scrape_timeout_total", "counter", "Total number of scrape timeouts.",
             self.timeouts),
            ("jmx_scrape_bean_errors_total", "counter",
             "Beans that were asked and gave no answer.", self.bean_errors),
            ("jmx_scrape_dropped_samples_total", "counter",
             "Samples left out because there were more than maxSeries.", self.dropped),
        ):  # fmt: skip
            family = Family(name, "counter" if kind == "counter" else "gauge", text)
            family.add(more, float(value))
            found.append(family)
        return found

    def _note(self, outcome: Outcome) -> None:
        self.timeouts += outcome.timed_out
        self.bean_errors += outcome.failed
        self.dropped += outcome.dropped
        text = "" if outcome.error is None else str(outcome.error)
        if text == self._said:
            return
        if text:
            _log.error("scrape failed", target=self.target.name, reason=text)
        else:
            _log.info("scrape works again", target=self.target.name)
        self._said = text

    def _blocking(self) -> Outcome:
        try:
            return self._scraper.scrape(self._transport())
        except PinnaceError as error:
            return Outcome(error=error)
        except Exception as error:  # noqa: BLE001 - whatever a JVM says, the next scrape must be possible
            _log.exception("scrape broke", target=self.target.name)
            self._session.abort()
            return Outcome(error=TargetUnavailable(f"unexpected: {error!r}"))

    def _transport(self) -> "Transport":
        if self.target.mode == "jolokia":
            from adapter.jmx.jolokia import JolokiaTransport  # noqa: PLC0415 - memory

            return JolokiaTransport(self.target, self._remaining, self._context)
        return RmiTransport(self._session)

    def _remaining(self) -> float:
        return self._end - self._clock.monotonic()

    def _context(self) -> "SSLContext":
        from adapter.jmx.tls import context_of  # noqa: PLC0415 - memory: most JVMs are plain

        return context_of(self.target.tls)
