"""Keeps one nginx running and equal to the newest routes.

The theory. nginx takes no change but by a reload. So new routes become a text; when it differs
from the live one and changes rest (`templater.nginx.plan`), it is checked, renamed and told to
the master, and what runs is read back. A reload loses no request of a client that opens a
connection for each; a client whose connection is idle in that very moment may lose one, as nginx
closes it. An endpoint that drains leaves the text; what it still does is with the old workers.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from sidecar.catalog.model import Instance
from sidecar.errors import PinnaceError, ProtocolError, ReloadFailed
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from templater.names import Address, SocketAddress
from templater.nginx import plan
from templater.nginx.abilities import fitting
from templater.nginx.build import Build
from templater.nginx.directory import CANDIDATE, CONFIG, SOCKET, NginxDirectory
from templater.nginx.place import place_of
from templater.nginx.process import Nginx
from templater.nginx.render import Config, Renderer, blamed, serving
from templater.nginx.served import Served
from templater.ports import without_taken
from templater.proxy import Applied, ProxyUnavailable
from templater.reach import members_of, reach_of
from templater.routes import Problem, Routes
from templater.telemetry import APPLIES, APPLY_SECONDS, ENDPOINTS, FAILURES, REPAIRS, RESTARTS

__all__ = ["NginxDriver"]

_AUDIT: Final = 5.0  # seconds between two comparisons when nothing changes
_TRIES: Final = 3
_TRY: Final = 0.2
_STEADY: Final = 10.0  # a life this long starts the back-off anew

_log = get_logger("lb")


class NginxDriver:
    """A `templater.proxy.Proxy` by nginx."""

    def __init__(
        self, program: str, build: Build, directory: NginxDirectory,
        listen: SocketAddress, host: Address, *, drain: float, clock: Clock,
        report: Callable[[tuple[Problem, ...]], None],
    ) -> None:  # fmt: skip
        """Serve HTTP on ``listen``; ``report`` hears which listeners cannot be had."""
        self._program = program
        self._build = build
        self._directory = directory
        self._bind = listen, host
        self._drain = drain
        self._clock = clock
        self._report = report
        self._routes = Routes()
        self._first_at = self._latest_at = 0.0
        self._wake = asyncio.Event()
        self._live: Config | None = None
        self._served = Served()
        self._nginx: Nginx | None = None
        self._serving_pids: set[int] = set()
        self._reloaded_at = float("-inf")
        self._old_workers = 0
        self._pending = False  # a reload failed and is owed
        self._trouble: str | None = "nginx is not started yet"
        self._lacks_stream = self._has_status = False
        self._backoff = Backoff(0.1, 30.0)
        self.last: Applied | None = None

    def want(self, routes: Routes) -> None:
        """Make these the routes to serve."""
        self._latest_at = self._clock.monotonic()
        if not self._wake.is_set():
            self._first_at = self._latest_at
        self._routes = routes
        self._wake.set()

    def trouble(self) -> str | None:
        """Return what is wrong in one line, or None."""
        if self._trouble is None and self._lacks_stream and self._routes.listeners:
            return (
                "TCP listeners are not served: this nginx has no stream module "
                "(Debian's package libnginx-mod-stream)"
            )
        return self._trouble

    async def run(self, serving: Callable[[], None]) -> None:
        """Keep nginx running until cancelled; the directory is open."""
        socket = self._directory.path / SOCKET
        place = await asyncio.to_thread(place_of, self._build, *self._bind, socket)
        self._lacks_stream, self._has_status = place.stream is None, place.has_stub_status
        self._renderer = await asyncio.to_thread(Renderer, place)
        lives = Backoff(0.05, 5.0)
        while True:
            began = self._clock.monotonic()
            try:
                await self._life(serving)
            except* (ProxyUnavailable, ProtocolError, ReloadFailed) as group:
                self._trouble = "; ".join(str(error) for error in group.exceptions)
                _log.error("nginx lost", error=self._trouble)
            if self._clock.monotonic() - began > _STEADY:
                lives.reset()
            RESTARTS.inc()
            await self._clock.sleep(lives.next())

    async def in_flight(self, instance: Instance) -> int | None:
        """Return how many connections an instance has; None: not known here.

        As long as workers that send it new work serve although it drains, it counts as one. After
        that only old workers can have any, so mostly nobody need look (tables are long).
        """
        members = members_of(self._routes, instance.service)
        reach = reach_of(members, instance)
        if reach is None or self._nginx is None:
            return None
        wanted = [one for one in members if (one.address, one.port) == reach]
        leaves = not serving(wanted)
        if leaves and self._served.is_now(reach):
            return 1
        if not (wanted or self._served.was(reach)):
            return None
        try:
            return await self._nginx.connections(*reach, old=leaves)
        except ProxyUnavailable:
            return None

    async def _life(self, serving: Callable[[], None]) -> None:
        nginx = Nginx(self._program, self._directory)
        soft = False
        try:
            began = self._clock.monotonic()
            self._wake.clear()
            # Nothing of ours listens now; an earlier nginx has been ended.
            config = self._rendered(None)
            # Not checked first: the start itself says what is wrong, and is waited for.
            await asyncio.to_thread(self._directory.write, CONFIG, config, sync=False)
            await nginx.start()
            async with asyncio.TaskGroup() as group:
                group.create_task(nginx.listen(), name="lb-listen")
                group.create_task(_until_ended(nginx), name="lb-follow")
                await nginx.serving(config.digest)
                self._nginx = nginx
                await self._note(nginx, config)
                self._trouble = None
                self._done("start", "start", began)
                self._recovered()
                serving()
                await self._serve(nginx)
        except asyncio.CancelledError:
            soft = True
            raise
        finally:
            self._nginx = None
            await (nginx.stop(self._drain) if soft else nginx.kill())

    async def _serve(self, nginx: Nginx) -> None:
        failures = 0
        while True:
            woken = await self._woken()
            try:
                if failures or not (woken or self._pending):
                    await self._audit(nginx)
                if woken or self._pending:
                    await self._apply(nginx)
            except ReloadFailed as error:
                self._failed(error)
            except (ProxyUnavailable, ProtocolError) as error:
                failures += 1
                if failures >= _TRIES:
                    raise ProxyUnavailable(str(error)) from error
                self._wake.set()
                await self._clock.sleep(_TRY)
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

    async def _apply(self, nginx: Nginx) -> None:
        try:
            is_same = self._rendered(self._live) is self._live
        except ReloadFailed:
            self._wake.clear()  # an own template fails again with these routes: not at once
            raise
        if is_same and not self._pending:
            self._wake.clear()  # nothing that nginx would hear of
            return
        began = self._first_at if self._wake.is_set() else self._clock.monotonic()
        await self._rest(nginx)
        self._wake.clear()
        config = self._rendered(self._live)
        if config is not self._live:
            await self._reload(nginx, config, "other routes")
            self._done("reload", "other routes", began)

    async def _rest(self, nginx: Nginx) -> None:
        """Wait until changes rest, but not for ever."""
        while True:
            if self._old_workers:
                self._old_workers = sum(one.is_old for one in await nginx.workers())
            at = plan.due(
                first=self._first_at, latest=self._latest_at, reloaded=self._reloaded_at,
                old_workers=self._old_workers,
            )  # fmt: skip
            if (left := at - self._clock.monotonic()) <= 0:
                return
            await self._clock.sleep(left)

    async def _reload(self, nginx: Nginx, config: Config, why: str) -> None:
        _log.debug("reloading nginx", why=why)
        await asyncio.to_thread(self._directory.write, CANDIDATE, config, sync=True)
        try:
            await nginx.check(CANDIDATE)
            await asyncio.to_thread(self._directory.promote)
            await nginx.reload(config.digest)
        except ReloadFailed as error:
            if self._live is not None:
                await asyncio.to_thread(self._directory.write, CONFIG, self._live, sync=False)
            whose = blamed(config, str(error))
            raise ReloadFailed(f"{error} ({whose})" if whose else str(error)) from error
        finally:
            self._reloaded_at = self._clock.monotonic()
        await self._note(nginx, config)

    async def _audit(self, nginx: Nginx) -> None:
        """Compare file and workers with what we made live; reload what differs."""
        live = self._live
        if live is None:
            return
        pids = {worker.pid for worker in await nginx.workers() if not worker.is_old}
        if self._has_status:
            await nginx.count()
        why = ""
        if await asyncio.to_thread(self._directory.text) != live.text:
            why = "the file was changed"
        elif await nginx.digest() != live.digest:
            why = "what runs is not what the file says"
        elif pids != self._serving_pids:
            why = "workers were started without us"
        if why:
            REPAIRS.inc()
            _log.warning("repairing nginx", why=why)
            await self._reload(nginx, live, why)
        if self._rendered(live) is not live:
            self._wake.set()  # a port that was taken is free now

    async def _note(self, nginx: Nginx, live: Config) -> None:
        self._live = live
        await asyncio.to_thread(self._directory.forget, live)
        self._served.take(live.routes, self._clock.monotonic())
        workers = await nginx.workers()
        self._serving_pids = {worker.pid for worker in workers if not worker.is_old}
        self._old_workers = len(workers) - len(self._serving_pids)

    def _rendered(self, live: Config | None) -> Config:
        """Return the configuration for the routes, ``live`` itself when that is the same."""
        held = live.routes.listeners if live is not None else ()
        routes, problems = without_taken(self._routes, held, self._bind[1])
        routes, more = fitting(routes, has_tls=self._build.has_tls)
        self._report((*problems, *more))
        config = self._renderer.config(routes)
        return live if live is not None and live.digest == config.digest else config

    def _done(self, kind: str, why: str, began: float) -> None:
        seconds = self._clock.monotonic() - began
        self.last = Applied(kind, why, seconds)  # type: ignore[arg-type]
        APPLIES.labels(kind).inc()
        APPLY_SECONDS.labels(kind).observe(seconds)
        if self._live is not None:
            members = self._live.routes.upstreams.values()
            ENDPOINTS.set(sum(len(serving(endpoints)) for endpoints in members))

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


async def _until_ended(nginx: Nginx) -> None:
    await nginx.ended()
    words = await nginx.last_words()
    raise ProxyUnavailable(f"nginx ended: {words}" if words else "nginx ended")
