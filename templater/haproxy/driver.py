"""Keeps one HAProxy equal to the newest routes.

The theory. There is one live Model: what file and process both say. New routes become a model
that the live structure can hold; it goes into the file first and then, by Runtime API, into the
process, which takes milliseconds and loses nothing. Only what does not fit (a new upstream, more
slots, a listener) needs a reload: the candidate is checked, renamed, and the master told. After
each change what runs is read back and compared; a difference is repaired by commands, and after
three failures by a reload. One change at a time: routes that come meanwhile replace each other.
"""

import asyncio
import os
from collections.abc import Callable, Iterable
from typing import Final

from sidecar.catalog.model import Instance
from sidecar.errors import PinnaceError, ProtocolError, ReloadFailed
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from templater.haproxy import places, plan, slots
from templater.haproxy.compare import differences
from templater.haproxy.directory import CANDIDATE, Directory
from templater.haproxy.model import NOTHING, BackendName, Model
from templater.haproxy.process import Haproxy
from templater.haproxy.render import Renderer
from templater.names import Address, SocketAddress
from templater.ports import without_taken
from templater.proxy import Applied, ProxyUnavailable
from templater.reach import reach_of
from templater.routes import Problem, Routes
from templater.telemetry import APPLIES, APPLY_SECONDS, ENDPOINTS, FAILURES, REPAIRS, RESTARTS

__all__ = ["Driver"]

_AUDIT: Final = 10.0  # seconds between two comparisons when nothing changes
_TRIES: Final = 3
_RELOAD_GAP: Final = 0.2  # a burst of new services is one reload, not one each
_STEADY: Final = 10.0  # a life this long starts the back-off anew
_MAX_THREADS: Final = 4
_MAXCONN: Final = 2000  # memory is taken per connection; one host's sidecar needs no more

_log = get_logger("lb")


class Driver:
    """A `templater.proxy.Proxy` by HAProxy."""

    def __init__(
        self, program: str, directory: Directory, listen: SocketAddress, host: Address, *,
        drain: float, clock: Clock, report: Callable[[tuple[Problem, ...]], None],
    ) -> None:  # fmt: skip
        """Serve HTTP on ``listen``; ``report`` hears which listeners cannot be had."""
        self._program = program
        self._directory = directory
        self._bind = listen, host
        self._drain = drain
        self._clock = clock
        self._report = report
        self._routes = Routes()
        self._wanted_at = 0.0
        self._wake = asyncio.Event()
        self._live = NOTHING
        self._haproxy: Haproxy | None = None
        self._reloaded_at = float("-inf")
        self._pending = False  # a reload failed and is owed
        self._trouble: str | None = "haproxy is not started yet"
        self._backoff = Backoff(0.1, 30.0)
        self.last: Applied | None = None

    def want(self, routes: Routes) -> None:
        """Make these the routes to serve."""
        if not self._wake.is_set():
            self._wanted_at = self._clock.monotonic()
        self._routes = routes
        self._wake.set()

    def trouble(self) -> str | None:
        """Return what is wrong in one line, or None."""
        return self._trouble

    async def run(self, serving: Callable[[], None]) -> None:
        """Keep HAProxy running until cancelled; the directory is open."""
        self._renderer = await asyncio.to_thread(self._make_renderer)
        lives = Backoff(0.05, 5.0)
        while True:
            began = self._clock.monotonic()
            try:
                await self._life(serving)
            except* (ProxyUnavailable, ProtocolError, ReloadFailed) as group:
                self._trouble = "; ".join(str(error) for error in group.exceptions)
                _log.error("haproxy lost", error=self._trouble)
            if self._clock.monotonic() - began > _STEADY:
                lives.reset()
            RESTARTS.inc()
            await self._clock.sleep(lives.next())

    async def in_flight(self, instance: Instance) -> int | None:
        """Return how many requests and connections it has; None: not known here."""
        reach = reach_of(places.seated(self._live, instance.service), instance)
        if reach is None or self._haproxy is None:
            return None
        try:
            return await self._haproxy.sessions(
                places.backends_of(self._live, instance.service), SocketAddress(*reach)
            )
        except (ProxyUnavailable, ProtocolError):
            return None

    def _make_renderer(self) -> Renderer:
        threads = min(_MAX_THREADS, os.cpu_count() or 1)
        listen, host = self._bind
        return Renderer(listen, host, threads=threads, maxconn=_MAXCONN)

    async def _life(self, serving: Callable[[], None]) -> None:
        haproxy = Haproxy(self._program, self._directory)
        soft = False
        try:
            began = self._clock.monotonic()
            self._wake.clear()
            model = slots.grown(self._live, self._grantable())
            # Not checked first: the start itself says what is wrong, and is waited for.
            await asyncio.to_thread(self._directory.write, self._renderer.files(model))
            await haproxy.start()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow(haproxy), name="lb-follow")
                await haproxy.serving()
                self._live, self._haproxy = model, haproxy
                await self._settle(haproxy, None)
                self._trouble = None
                self._done("start", "start", began)
                self._recovered()
                serving()
                await self._serve(haproxy)
        except asyncio.CancelledError:
            soft = True
            raise
        finally:
            self._haproxy = None
            await (haproxy.stop(self._drain) if soft else haproxy.kill())

    async def _follow(self, haproxy: Haproxy) -> None:
        status = await haproxy.follow()
        raise ProxyUnavailable(f"haproxy ended with status {status}")

    async def _serve(self, haproxy: Haproxy) -> None:
        failures = 0
        while True:
            woken = await self._woken()
            try:
                if failures or not (woken or self._pending):
                    await self._audit(haproxy)  # after a failure nobody knows what runs
                if woken or self._pending:
                    await self._apply(haproxy)
            except ReloadFailed as error:
                self._failed(error)
            except (ProxyUnavailable, ProtocolError) as error:
                failures += 1
                if failures >= _TRIES:
                    raise ProxyUnavailable(f"haproxy does not answer: {error}") from error
                self._wake.set()
            else:
                failures = 0
                self._recovered()

    async def _woken(self) -> bool:
        """Return at new routes (True), or when it is time to try again or to compare."""
        try:
            async with asyncio.timeout(self._backoff.next() if self._pending else _AUDIT):
                await self._wake.wait()
        except TimeoutError:
            return False
        return True

    async def _apply(self, haproxy: Haproxy) -> None:
        began = self._wanted_at if self._wake.is_set() else self._clock.monotonic()
        self._wake.clear()
        await self._apply_runtime(haproxy, slots.fitted(self._live, self._routes), began)
        if slots.why_reload(self._live, self._grantable()) is None:
            return
        await self._clock.sleep(self._reloaded_at + _RELOAD_GAP - self._clock.monotonic())
        self._wake.clear()
        routes = self._grantable()
        if (why := slots.why_reload(self._live, routes)) is not None:
            await self._apply_reload(haproxy, slots.grown(self._live, routes), why)
            self._done("reload", why, began)
        else:
            self._wake.set()

    async def _apply_runtime(self, haproxy: Haproxy, model: Model, began: float) -> None:
        steps = plan.between(self._live, model)
        if not steps:
            self._live = model
            return
        files = self._renderer.files(model)
        await asyncio.to_thread(self._directory.write, files)
        # From here on the file says so: whatever fails is made good against this model.
        self._live = model
        complaints = await haproxy.runtime.change(steps.commands)
        if steps.wildcards is not None:
            complaints += await haproxy.runtime.replace_wildcards(steps.wildcards)
        if refused := await haproxy.runtime.replace_certificates(steps.certificates):
            await self._apply_reload(haproxy, model, refused)
            self._done("reload", refused, began)
            return
        self._done("runtime", f"{len(steps.commands)} commands", began)
        if complaints:
            _log.warning("haproxy refused a command", answer=complaints[0], count=len(complaints))
        maps = steps.wildcards is not None or any(" map " in one for one in steps.commands)
        await self._settle(haproxy, steps.touched, maps=maps)

    async def _apply_reload(self, haproxy: Haproxy, model: Model, why: str) -> None:
        _log.info("reloading haproxy", why=why)
        await self._write_checked(haproxy, model)
        try:
            await haproxy.reload()
        except ReloadFailed:
            await asyncio.to_thread(self._directory.write, self._renderer.files(self._live))
            raise
        finally:
            self._reloaded_at = self._clock.monotonic()
        self._live = model
        await self._settle(haproxy, None, reloaded=True)

    async def _write_checked(self, haproxy: Haproxy, model: Model) -> None:
        files = self._renderer.files(model)
        await asyncio.to_thread(self._directory.write_candidate, files)
        await haproxy.check(CANDIDATE)
        await asyncio.to_thread(self._directory.write, files, config_from=CANDIDATE, sync=True)

    async def _audit(self, haproxy: Haproxy) -> None:
        await self._settle(haproxy, None)
        if slots.why_reload(self._live, self._grantable()) is not None:
            self._wake.set()  # a port that was taken is free now

    async def _settle(
        self, haproxy: Haproxy, touched: Iterable[BackendName] | None, *, maps: bool = True,
        reloaded: bool = False,
    ) -> None:  # fmt: skip
        """Compare what runs with the live model and repair it; ``touched`` None: everything.

        When repairs do not help, a reload does, and when this follows one already, a restart.
        """
        names = None if touched is None else sorted(touched)
        for _ in range(_TRIES):
            commands, wildcards = await differences(haproxy.runtime, self._live, names, maps=maps)
            if commands is None:
                break
            if not commands and wildcards is None:
                return
            REPAIRS.inc(len(commands) + (wildcards is not None))
            _log.debug("repairing what runs", commands=len(commands))
            await haproxy.runtime.change(commands)
            if wildcards is not None:
                await haproxy.runtime.replace_wildcards(wildcards)
        why = "what runs stays different from the file"
        if reloaded:
            raise ProxyUnavailable(why)
        await self._apply_reload(haproxy, self._live, why)

    def _grantable(self) -> Routes:
        """Return the routes without listeners on ports that others hold."""
        routes, problems = without_taken(self._routes, self._live.listeners, self._bind[1])
        self._report(problems)
        return routes

    def _done(self, kind: str, why: str, began: float) -> None:
        seconds = self._clock.monotonic() - began
        self.last = Applied(kind, why, seconds)  # type: ignore[arg-type]
        APPLIES.labels(kind).inc()
        APPLY_SECONDS.labels(kind).observe(seconds)
        backends = self._live.backends.values()
        ENDPOINTS.set(sum(slot is not None for backend in backends for slot in backend.slots))

    def _failed(self, error: PinnaceError) -> None:
        FAILURES.inc()
        if not self._pending:
            _log.error("reload failed, the old configuration serves on", error=error)
        self._pending = True
        self._trouble = f"reload failed: {error}"

    def _recovered(self) -> None:
        if self._pending:
            self._backoff.reset()
        self._pending = False
        self._trouble = None
