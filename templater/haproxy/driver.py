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
from collections.abc import Iterable
from typing import Final, NamedTuple

from sidecar.catalog.model import Instance
from sidecar.errors import ProtocolError, ReloadFailed
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from templater.driver import TRIES, ProxyDriver, Report
from templater.haproxy import places, plan, slots
from templater.haproxy.blame import blamed
from templater.haproxy.compare import differences
from templater.haproxy.directory import CANDIDATE, Directory
from templater.haproxy.life import HaproxyLife
from templater.haproxy.model import NOTHING, BackendName, Model
from templater.haproxy.process import Haproxy
from templater.haproxy.render import Files, Renderer
from templater.haproxy.resting import Quiet, rested, still
from templater.haproxy.statistics import counters_of
from templater.names import Address, SocketAddress
from templater.ports import without_taken
from templater.proxy import ProxyUnavailable
from templater.reach import Reach, reach_of
from templater.routes import Routes, State
from templater.telemetry import REPAIRS
from templater.work import Counters

__all__ = ["Bind", "Driver"]

_RELOAD_GAP: Final = 0.2  # a burst of new services is one reload, not one each
_MAX_THREADS: Final = 4
_MAXCONN: Final = 2000  # memory is taken per connection; one host's sidecar needs no more

_log = get_logger("lb")


class Bind(NamedTuple):
    """Where HAProxy listens: for HTTP, for TCP services, for who reads its counters."""

    listen: SocketAddress
    host: Address
    stats: SocketAddress | None = None


class Driver(ProxyDriver[HaproxyLife]):
    """A `templater.proxy.Proxy` by HAProxy."""

    name = "haproxy"
    audit = 10.0

    def __init__(
        self, program: str, directory: Directory, bind: Bind, *,
        drain: float, clock: Clock, report: Report,
    ) -> None:  # fmt: skip
        """``report`` hears which listeners cannot be had."""
        super().__init__(drain=drain, clock=clock, report=report)
        self._program = program
        self._directory = directory
        self._bind = bind
        self._live = NOTHING
        self._wanted = Routes()
        self._quiet: Quiet = frozenset()

    def want(self, routes: Routes) -> None:
        """Make these the routes to serve."""
        self._wanted = routes
        self._quiet = still(routes, self._quiet) if self._quiet else self._quiet
        super().want(rested(routes, self._quiet) if self._quiet else routes)

    async def in_flight(self, instance: Instance) -> int | None:
        """Return how many requests and connections it has; None: not known here.

        One that drains and has none is shut.
        """
        reach = reach_of(places.seated(self._live, instance.service), instance)
        if reach is None or self._life is None:
            return None
        try:
            count = await self._life.sessions(
                places.backends_of(self._live, instance.service), SocketAddress(*reach)
            )
        except (ProxyUnavailable, ProtocolError):
            return None
        if count == 0:
            self._shut(instance.service, reach)
        return count

    def _shut(self, service: str, reach: Reach) -> None:
        found = {
            (service, one.key)
            for one in places.seated(self._live, service)
            if one.state is State.DRAIN and Reach(one.address, one.port) == reach
        }
        if found - self._quiet:
            self._quiet = self._quiet | found
            self.want(self._wanted)

    async def counters(self) -> Counters | None:
        """Return what HAProxy counts; None: it does not answer now."""
        if self._life is None:
            return None
        model = self._live
        try:
            info, replies = await self._life.statistics()
            return counters_of(model, info, replies)
        except (ProxyUnavailable, ProtocolError):
            return None

    async def _prepare(self) -> None:
        self._renderer = await asyncio.to_thread(self._make_renderer)

    def _make_renderer(self) -> Renderer:
        threads = min(_MAX_THREADS, os.cpu_count() or 1)
        bind = self._bind
        return Renderer(bind.listen, bind.host, threads=threads, maxconn=_MAXCONN, stats=bind.stats)

    def _made(self) -> HaproxyLife:
        return Haproxy(self._program, self._directory, self._suspect)

    async def _begin(self, life: HaproxyLife, group: asyncio.TaskGroup) -> str:
        routes = self._grantable()
        # After a crash at first what served before; a structure never tried is checked as always.
        again = self._live is not NOTHING
        model = (slots.fitted if again else slots.grown)(self._live, routes)
        await asyncio.to_thread(self._directory.write, self._renderer.files(model))
        try:
            # Not checked first: the start itself says what is wrong, and is waited for.
            await life.start()
            group.create_task(life.until_ended(), name="lb-follow")
            await life.serving()
        except ReloadFailed as error:
            raise self._blaming(error, model) from error
        self._live = model
        await self._settle(life, None)
        if slots.why_reload(model, routes) is not None:
            self._wake.set()
        return "started again" if again else "start"

    async def _apply(self, life: HaproxyLife) -> None:
        began = self._first_at if self._wake.is_set() else self._clock.monotonic()
        self._wake.clear()
        await self._apply_runtime(life, slots.fitted(self._live, self._routes), began)
        if self._directory.owes:
            await asyncio.to_thread(self._directory.write, self._files(self._live))
        if slots.why_reload(self._live, self._grantable()) is None:
            return
        await self._clock.sleep(self._reloaded_at + _RELOAD_GAP - self._clock.monotonic())
        self._wake.clear()
        routes = self._grantable()
        if (why := slots.why_reload(self._live, routes)) is not None:
            await self._apply_structure(life, slots.grown(self._live, routes), why, began)
        else:
            self._wake.set()

    async def _apply_runtime(self, life: HaproxyLife, model: Model, began: float) -> None:
        steps = plan.between(self._live, model)
        if not steps:
            self._live = model
            return
        unwritten: ReloadFailed | None = None
        try:
            await asyncio.to_thread(self._directory.write, self._files(model))
        except ReloadFailed as error:  # a full disk must not keep endpoints that have gone
            unwritten = error
        # From here on the file says so: whatever fails is made good against this model.
        self._live = model
        complaints = await life.runtime.change(steps.commands)
        if steps.wildcards is not None:
            complaints += await life.runtime.replace_wildcards(steps.wildcards)
        if refused := await life.runtime.replace_certificates(steps.certificates):
            await self._apply_structure(life, model, refused, began)
            return
        self._done("runtime", _said(steps), began)
        if complaints:
            _log.warning("haproxy refused a command", answer=complaints[0], count=len(complaints))
        maps = steps.wildcards is not None or any(" map " in one for one in steps.commands)
        await self._settle(life, steps.touched, maps=maps)
        if unwritten is not None:
            raise unwritten

    async def _apply_structure(
        self, life: HaproxyLife, model: Model, why: str, began: float
    ) -> None:
        await self._apply_reload(life, model, why)
        self._done("reload", why, began)

    async def _apply_reload(self, life: HaproxyLife, model: Model, why: str) -> None:
        try:
            await self._write_checked(life, model)
            await life.reload(why)
        except ReloadFailed as error:
            await asyncio.to_thread(self._directory.write, self._files(self._live))
            raise self._blaming(error, model) from error
        except (ProxyUnavailable, ProtocolError):
            # Nobody knows which file runs; the new one is there, so what runs is measured by it.
            self._live = model
            raise
        finally:
            self._reloaded_at = self._clock.monotonic()
        self._live = model
        await self._settle(life, None, reloaded=True)

    async def _write_checked(self, life: HaproxyLife, model: Model) -> None:
        files = self._renderer.files(model)
        await asyncio.to_thread(self._directory.write_candidate, files)
        await life.check(CANDIDATE)
        await asyncio.to_thread(self._directory.write, files, config_from=CANDIDATE, sync=True)

    def _files(self, model: Model) -> Files:
        """Return what is written while a model is live."""
        return self._renderer.files(model)

    def _blaming(self, error: ReloadFailed, model: Model) -> ReloadFailed:
        """Return an error that says whose line of the model's text is at fault."""
        whose = blamed(self._renderer.files(model).config, model, str(error))
        return ReloadFailed(f"{error} ({whose})" if whose else str(error))

    async def _compare(self, life: HaproxyLife) -> None:
        await life.mend()
        if not self._directory.owes and await asyncio.to_thread(self._directory.is_edited):
            _log.warning("the file was changed by hand: repairing it")
            REPAIRS.inc()
            # Who changed it may have reloaded, or may do so at any moment.
            await self._apply_reload(life, self._live, "the file was changed by hand")
        await self._settle(life, None)
        if slots.why_reload(self._live, self._grantable()) is not None:
            self._wake.set()  # a port that was taken is free now

    async def _settle(
        self, life: HaproxyLife, touched: Iterable[BackendName] | None, *, maps: bool = True,
        reloaded: bool = False,
    ) -> None:  # fmt: skip
        """Compare what runs with the live model and repair it; ``touched`` None: everything.

        When repairs do not help, a reload does, and when this follows one already, a restart.
        """
        names = None if touched is None else sorted(touched)
        for _ in range(TRIES):
            commands, wildcards = await differences(life.runtime, self._live, names, maps=maps)
            if commands is None:
                break
            if not commands and wildcards is None:
                return
            REPAIRS.inc(len(commands) + (wildcards is not None))
            _log.debug("repairing what runs", commands=len(commands))
            await life.runtime.change(commands)
            if wildcards is not None:
                await life.runtime.replace_wildcards(wildcards)
        why = "what runs stays different from the file"
        if reloaded:
            raise ProxyUnavailable(why)
        await self._apply_reload(life, self._live, why)

    def _grantable(self) -> Routes:
        """Return the routes without listeners on ports that others hold."""
        routes, problems = without_taken(self._routes, self._live.listeners, self._bind.host)
        self._report(problems)
        return routes

    def _endpoints(self) -> int:
        backends = self._live.backends.values()
        return sum(min(len(backend.endpoints), len(backend.slots)) for backend in backends)


def _said(steps: plan.Plan) -> str:
    names = sorted(steps.touched)
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    where = f": {', '.join(names[:2])}{more}" if names else ""
    return f"{len(steps.commands)} command{'s' * (len(steps.commands) != 1)}{where}"
