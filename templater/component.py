"""The load balancer: follows the catalogue and keeps a proxy equal to it."""

import asyncio
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from sidecar.catalog.model import Instance
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

__all__ = ["LoadBalancer"]

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
                    await proxy.run(ready)
            finally:
                self._proxy = None

    def trouble(self) -> str | None:
        """Return what is wrong in one line (not ready), or None."""
        return self._proxy.trouble() if self._proxy is not None else "not running"

    async def in_flight(self, instance: Instance) -> int | None:
        """Return the requests and connections an instance has now; None: not known here."""
        if self._proxy is None:
            return None
        return await self._proxy.in_flight(instance)

    def status(self) -> dict[str, object]:
        """Return routes, endpoints and the last apply, ready for JSON."""
        routes = self._routes
        last = self._proxy.last if self._proxy is not None else None
        return {
            "listen": str(SocketAddress(self._address, self._port)),
            "hosts": {str(host): to.service for host, to in routes.hosts.items()},
            "wildcards": {f"*{suffix}": to.service for suffix, to in routes.wildcards.items()},
            "paths": {
                f"{'*' if site.host.startswith('.') else ''}{site.host}{site.path}": to.service
                for site, to in routes.paths.items()
            },
            "listeners": {str(port): to.service for port, to in routes.listeners.items()},
            "upstreams": {
                f"{upstream.protocol}.{upstream.service}{upstream.shape}": [
                    {
                        "node": one.key.node,
                        "id": one.key.id,
                        "address": str(SocketAddress(one.address, one.port)),
                        "weight": int(one.weight),
                        "state": str(one.state),
                    }
                    for one in members
                ]
                for upstream, members in routes.upstreams.items()
            },
            "problems": [
                problem._asdict() for found in self._problems.values() for problem in found
            ],
            "trouble": self.trouble(),
            "last": None
            if last is None
            else {"kind": last.kind, "why": last.why, "seconds": last.seconds},
        }

    async def _follow(self, proxy: Proxy) -> None:
        while True:
            await self._source.changed()
            self._take(proxy)

    def _take(self, proxy: Proxy) -> None:
        routes = routes_of(
            self._source.snapshot, self._domains, reserved=self._reserved, known=self._known
        )
        if not self._source.synced and loses_most(self._routes, routes):
            GUARDED.inc()
            _log.warning("most endpoints gone before the source is complete: nothing is removed")
            return
        routes = self._extras.applied(routes)
        self._routes = routes
        self._report("files", self._extras.problems)
        self._report("routes", routes.problems)
        proxy.want(routes)

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
