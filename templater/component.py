"""The load balancer: follows the catalogue and keeps a proxy equal to it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from sidecar.catalog.model import Instance
from sidecar.catalog.work import Load
from sidecar.config.model import LbSettings
from sidecar.metrics import counter, gauge
from sidecar.runtime.clock import Clock, SystemClock
from sidecar.runtime.log import get_logger
from sidecar.stores.base import Source
from templater.extras import Extras, listen_of
from templater.guard import loses_most
from templater.names import SocketAddress
from templater.opening import opened
from templater.proxy import Proxy
from templater.routes import Known, Problem, Routes, routes_of
from templater.status import status
from templater.upstreams import State
from templater.work import Counters, load_of

__all__ = ["LoadBalancer"]

_LOOK: Final = 1.0  # seconds until most endpoints may go (reliability F14)
PROBLEMS: Final = gauge(
    "pinnace_templater_problems", "Services, or parts of what they ask for, that are left out."
)
GUARDED: Final = counter(
    "pinnace_templater_guarded_total", "Snapshots held back because they would empty the proxy."
)

_log = get_logger("lb")


class LoadBalancer:
    """Routes HTTP by Host and TCP by port to the instances of a Source."""

    name = "lb"

    def __init__(
        self, source: Source, settings: LbSettings, *, domains: Sequence[str],
        reserved_ports: AbstractSet[int] = frozenset(), clock: Clock | None = None,
    ) -> None:  # fmt: skip
        """``domains`` are the DNS domains whose names are hosts too.

        ``reserved_ports`` are our own, which no service may listen on; that of ``settings.listen``
        is added. Raises ConfigError.
        """
        self._source = source
        self._settings = settings
        self._domains = tuple(domains)
        self._clock = clock if clock is not None else SystemClock()
        self._address, self._port = listen_of(settings.listen, "lb.listen")
        self._extras = Extras(settings, self._clock)
        own = {self._port} if self._extras.tls is None else {self._port, self._extras.tls[1]}
        if settings.stats:
            own.add(listen_of(settings.stats, "lb.stats")[1])
        self._reserved = frozenset({*reserved_ports, *own})
        self._routes = Routes()
        self._known: Known = {}
        self._problems: dict[str, frozenset[Problem]] = {}
        self._proxy: Proxy | None = None

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until cancelled; raises PermanentError without the program, AddressInUse."""
        await self._extras.read()
        async with opened(
            self._settings, self._address, self._port, self._extras.tls,
            clock=self._clock, report=self._report_ports,
        ) as proxy:  # fmt: skip
            self._proxy = proxy
            try:
                async with asyncio.TaskGroup() as group:
                    self._take(proxy)
                    group.create_task(self._follow(proxy), name="lb-source")
                    group.create_task(
                        self._extras.follow(lambda: self._take(proxy)), name="lb-extras"
                    )
                    if self._settings.attach:
                        await self._complete()  # it serves what another pinnace knew
                    await proxy.run(ready)
            finally:
                self._proxy = None

    async def _complete(self) -> None:
        while not self._source.synced:
            await self._source.changed()

    def trouble(self) -> str | None:
        """Return what is wrong in one line (not ready), or None."""
        if self._proxy is not None and self._settings.attach and not self._source.synced:
            return "waiting for the whole catalogue before the attached proxy is changed"
        return self._proxy.trouble() if self._proxy is not None else "not running"

    async def in_flight(self, instance: Instance) -> int | None:
        """Return the requests and connections an instance has now; None: not known here."""
        if self._proxy is None:
            return None
        return await self._proxy.in_flight(instance)

    async def loads(self) -> Mapping[tuple[str, str, int], Load]:
        """Return what each endpoint does, by service, address and port; none when unknown."""
        counters = await self._proxy.counters() if self._proxy is not None else None
        if counters is None:
            return {}
        places = {
            (upstream, one.key): (upstream.service, str(one.address), int(one.port))
            for upstream, members in self._routes.upstreams.items()
            for one in members
        }
        found: dict[tuple[str, str, int], Load] = {}
        for key, work in counters.endpoints.items():
            if (place := places.get(key)) is None:
                continue
            load, before = load_of(work), found.get(place)
            if before is not None:
                both = load + before
                # Connections are with the address, in whichever upstream it is.
                load = both if load.has_queue else both._replace(sessions=load.sessions)
            found[place] = load
        return found

    def sends_to(self, instance: Instance) -> bool | None:
        """Say whether an instance is to get new work now; None: no route leads to it.

        The proxy may not have these routes yet.
        """
        for upstream, members in self._routes.upstreams.items():
            for one in members if upstream.service == instance.service else ():
                if (one.key.node, one.key.id) == (instance.node, instance.id):
                    return one.state is State.READY
        return None

    def status(self) -> dict[str, object]:
        """Return routes, endpoints and the last apply, ready for JSON."""
        return self._status(None)

    async def report(self) -> dict[str, object]:
        """Return the same with what the proxy counts."""
        return self._status(await self._proxy.counters() if self._proxy is not None else None)

    def _status(self, counters: Counters | None) -> dict[str, object]:
        proxy = self._proxy
        return status(
            self._routes,
            counters,
            kind=self._settings.kind,
            listen=SocketAddress(self._address, self._port),
            attached=self._settings.attach,
            problems=[problem for found in self._problems.values() for problem in found],
            trouble=self.trouble(),
            last=proxy.last if proxy is not None else None,
            last_reload=proxy.last_reload if proxy is not None else None,
            now=self._clock.monotonic(),
        )

    async def _follow(self, proxy: Proxy) -> None:
        while True:
            await self._source.changed()
            if not self._take(proxy) and self._source.synced:
                await self._clock.sleep(_LOOK)
                self._take(proxy, is_second=True)

    def _take(self, proxy: Proxy, *, is_second: bool = False) -> bool:
        """Take the newest routes, unless they have to be looked at twice; say whether they were.

        A source that is not complete is not believed that most is gone, however often it says so.
        """
        routes = routes_of(
            self._source.snapshot, self._domains, reserved=self._reserved, known=self._known
        )
        synced = self._source.synced
        if loses_most(self._routes, routes) and not (is_second and synced):
            GUARDED.inc()
            _log.warning(
                "most endpoints are gone: looking again before that is believed"
                if synced
                else "most endpoints gone before the source is complete: nothing is removed"
            )
            return False
        routes = self._extras.applied(routes)
        self._routes = routes
        self._report("files", self._extras.problems)
        self._report("routes", routes.problems)
        proxy.want(routes)
        return True

    def _report_ports(self, problems: Sequence[Problem]) -> None:
        self._report("ports", problems)

    def _report(self, kind: str, problems: Sequence[Problem]) -> None:
        """Log each new problem once; forget those that are gone."""
        known = self._problems.get(kind, frozenset())
        for problem in dict.fromkeys(problems):
            if problem not in known and not problem.service:
                _log.warning("file not taken", setting=problem.field, reason=problem.reason)
            elif problem not in known:
                _log.warning(
                    "left out", service=problem.service, field=problem.field, reason=problem.reason
                )
        self._problems[kind] = frozenset(problems)
        PROBLEMS.set(sum(len(found) for found in self._problems.values()))
