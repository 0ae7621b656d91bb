"""Keeps one nginx running and equal to the newest routes.

The theory. nginx takes no change but by a reload. So new routes become a text; when it differs
from the live one and changes rest (`templater.nginx.plan`), it is checked, renamed and told to
the master, and what runs is read back. A reload loses no request of a client that opens a
connection for each; a client whose connection is idle in that very moment may lose one, as nginx
closes it. An endpoint that drains leaves the text; what it still does is with the old workers.
"""

import asyncio
from typing import Final

from sidecar.catalog.model import Instance
from sidecar.errors import ProtocolError, ReloadFailed
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from templater.driver import ProxyDriver, Report
from templater.names import Address, SocketAddress
from templater.nginx import plan
from templater.nginx.abilities import fitting
from templater.nginx.build import Build
from templater.nginx.counts import CountsFile
from templater.nginx.directory import CANDIDATE, CONFIG, COUNTS, SOCKET, NginxDirectory
from templater.nginx.maps import serving
from templater.nginx.place import place_of
from templater.nginx.process import Nginx
from templater.nginx.render import Config, Renderer, blamed
from templater.nginx.served import Served
from templater.nginx.tally import Tally
from templater.nginx.workers import remote_key
from templater.ports import without_taken
from templater.proxy import ProxyUnavailable
from templater.reach import members_of, reach_of
from templater.telemetry import REPAIRS
from templater.work import Counters

__all__ = ["NginxDriver"]

_log = get_logger("lb")

_LOOK: Final = 1.0


class NginxDriver(ProxyDriver[Nginx]):
    """A `templater.proxy.Proxy` by nginx."""

    name = "nginx"
    audit = 5.0

    def __init__(
        self, program: str, build: Build, directory: NginxDirectory,
        listen: SocketAddress, host: Address, *, drain: float, clock: Clock, report: Report,
    ) -> None:  # fmt: skip
        """Serve HTTP on ``listen``; ``report`` hears which listeners cannot be had."""
        super().__init__(drain=drain, clock=clock, report=report)
        self._program = program
        self._build = build
        self._directory = directory
        self._bind = listen, host
        self._live: Config | None = None
        self._served = Served()
        self._tally = Tally()
        self._serving_pids: set[int] = set()
        self._old_workers = 0
        self._lacks_stream = self._has_status = False

    def trouble(self) -> str | None:
        """Return what is wrong in one line, or None."""
        if self._trouble is None and self._lacks_stream and self._routes.listeners:
            return (
                "TCP listeners are not served: this nginx has no stream module "
                "(Debian's package libnginx-mod-stream)"
            )
        return self._trouble

    async def in_flight(self, instance: Instance) -> int | None:
        """Return how many connections an instance has; None: not known here.

        As long as workers that send it new work serve although it drains, it counts as one. After
        that only old workers can have any, so mostly nobody need look (tables are long).
        """
        members = members_of(self._routes, instance.service)
        reach = reach_of(members, instance)
        if reach is None or self._life is None:
            return None
        wanted = [one for one in members if (one.address, one.port) == reach]
        leaves = not serving(wanted)
        if leaves and self._served.is_now(reach):
            return 1
        if not (wanted or self._served.was(reach)):
            return None
        try:
            return await self._life.connections(*reach, old=leaves)
        except ProxyUnavailable:
            return None

    async def counters(self) -> Counters | None:
        """Return what is known of nginx's work; None: it does not answer now."""
        life, live = self._life, self._live
        if life is None or live is None:
            return None
        try:
            words = await life.count() if self._has_status else ""
            connections = await life.all_connections()
        except (ProxyUnavailable, ProtocolError):
            return None
        version = ".".join(map(str, self._build.version))
        return self._tally.counters(
            f"nginx {version}", words, self._clock.monotonic(), routes=live.routes,
            connections=lambda one: connections[remote_key(one.address, one.port)],
        )  # fmt: skip

    async def _prepare(self) -> None:
        socket = self._directory.path / SOCKET
        place = await asyncio.to_thread(place_of, self._build, *self._bind, socket)
        self._lacks_stream, self._has_status = place.stream is None, place.has_stub_status
        self._renderer = await asyncio.to_thread(Renderer, place)

    def _made(self) -> Nginx:
        return Nginx(self._program, self._directory)

    async def _begin(self, life: Nginx, group: asyncio.TaskGroup) -> str:
        # Nothing of ours listens now; an earlier nginx has been ended.
        config = self._rendered(None)
        # Not checked first: the start itself says what is wrong, and is waited for.
        await asyncio.to_thread(self._directory.write, CONFIG, config, sync=False)
        await life.start()
        group.create_task(life.listen(), name="lb-listen")
        group.create_task(_until_ended(life), name="lb-follow")
        group.create_task(self._count(CountsFile(self._directory.path / COUNTS)), name="lb-count")
        await life.serving(config.digest)
        await self._note(life, config)
        return "start"

    async def _count(self, counts: CountsFile) -> None:
        """Add up what nginx writes of each request."""
        while True:
            await self._clock.sleep(_LOOK)
            self._tally.note(await asyncio.to_thread(counts.read), self._clock.monotonic())

    async def _apply(self, life: Nginx) -> None:
        try:
            is_same = self._rendered(self._live) is self._live
        except ReloadFailed:
            self._wake.clear()  # an own template fails again with these routes: not at once
            raise
        if is_same and not self._pending:
            self._wake.clear()  # nothing that nginx would hear of
            return
        began = self._first_at if self._wake.is_set() else self._clock.monotonic()
        await self._rest(life)
        self._wake.clear()
        config = self._rendered(self._live)
        if config is not self._live:
            await self._reload(life, config, "other routes")
            self._done("reload", "other routes", began)

    async def _rest(self, life: Nginx) -> None:
        """Wait until changes rest, but not for ever."""
        while True:
            if self._old_workers:
                self._old_workers = sum(one.is_old for one in await life.workers())
            at = plan.due(
                first=self._first_at, latest=self._latest_at, reloaded=self._reloaded_at,
                old_workers=self._old_workers,
            )  # fmt: skip
            if (left := at - self._clock.monotonic()) <= 0:
                return
            await self._clock.sleep(left)

    async def _reload(self, life: Nginx, config: Config, why: str) -> None:
        _log.debug("reloading nginx", why=why)
        await asyncio.to_thread(self._directory.write, CANDIDATE, config, sync=True)
        try:
            await life.check(CANDIDATE)
            await asyncio.to_thread(self._directory.promote)
            await life.reload(config.digest)
        except ReloadFailed as error:
            if self._live is not None:
                await asyncio.to_thread(self._directory.write, CONFIG, self._live, sync=False)
            whose = blamed(config, str(error))
            raise ReloadFailed(f"{error} ({whose})" if whose else str(error)) from error
        finally:
            self._reloaded_at = self._clock.monotonic()
        await self._note(life, config)

    async def _compare(self, life: Nginx) -> None:
        """Compare file and workers with what we made live; reload what differs."""
        live = self._live
        if live is None:
            return
        pids = {worker.pid for worker in await life.workers() if not worker.is_old}
        if self._has_status:
            self._tally.take(await life.count(), self._clock.monotonic())
        why = ""
        if await asyncio.to_thread(self._directory.text) != live.text:
            why = "the file was changed"
        elif await life.digest() not in {live.digest, None}:
            why = "what runs is not what the file says"
        elif pids != self._serving_pids:
            why = "workers were started without us"
        if why:
            REPAIRS.inc()
            _log.warning("repairing nginx", why=why)
            await self._reload(life, live, why)
        if self._rendered(live) is not live:
            self._wake.set()  # a port that was taken is free now

    async def _note(self, life: Nginx, live: Config) -> None:
        self._live = live
        await asyncio.to_thread(self._directory.forget, live)
        self._served.take(live.routes, self._clock.monotonic())
        self._tally.keep(live.routes)
        workers = await life.workers()
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

    def _endpoints(self) -> int:
        if self._live is None:
            return 0
        return sum(map(len, map(serving, self._live.routes.upstreams.values())))


async def _until_ended(nginx: Nginx) -> None:
    await nginx.ended()
    words = await nginx.last_words()
    raise ProxyUnavailable(f"nginx ended: {words}" if words else "nginx ended")
