"""What the load balancer counted of services with canaries, over its reloads."""

import asyncio
from collections.abc import Mapping
from typing import Final

from sidecar.catalog.work import Load
from sidecar.runtime.clock import Clock
from sidecar.scheduler.canary import Sides, Tally, is_canary
from sidecar.scheduler.cluster import Cluster, Copy, Stage
from sidecar.scheduler.traffic import Traffic

__all__ = ["Counting"]

_PERIOD: Final = 1.0


class Counting:
    """Sums up by service and side; only of services that somebody tries something on."""

    def __init__(self, traffic: Traffic, clock: Clock) -> None:
        """Ask ``traffic`` once a second while there is something to ask."""
        self.changed = asyncio.Event()
        self._traffic = traffic
        self._clock = clock
        self._copies: dict[str, tuple[str, Copy]] = {}
        self._last: dict[str, Load] = {}
        self._sums: dict[str, Sides] = {}

    def sides(self) -> Mapping[str, Sides]:
        """Return what was counted since a service was asked for."""
        return dict(self._sums)

    def want(self, services: Mapping[str, object], cluster: Cluster) -> None:
        """Count these services' running copies from now on, and no others'."""
        self._copies = {
            copy.id: (service, copy)
            for service in services
            for copy in cluster.copies.get(service, ())
            if copy.stage is Stage.RUNNING and copy.id
        }
        self._sums = {name: self._sums.get(name, Sides()) for name in services}
        self._last = {id_: load for id_, load in self._last.items() if id_ in self._copies}

    async def run(self) -> None:
        """Count until cancelled."""
        while True:
            await self._clock.sleep(_PERIOD)
            if self._copies:
                asked = {id_: copy.node for id_, (_, copy) in self._copies.items()}
                self._take(await self._traffic.loads(asked))

    def _take(self, loads: Mapping[str, Load]) -> None:
        before = self._sums
        latencies: dict[str, float] = {}
        for id_, load in loads.items():
            if id_ not in self._copies:
                continue
            service, copy = self._copies[id_]
            more = _more(load, self._last.get(id_))
            self._last[id_] = load
            self._sums[service] = _added(self._sums[service], more, is_canary(copy.slot))
            if is_canary(copy.slot) and load.latency is not None:
                latencies[service] = max(latencies.get(service, 0.0), load.latency)
        self._sums = {
            name: Sides(each.canary, each.stable, latencies.get(name))
            for name, each in self._sums.items()
        }
        if self._sums != before:
            self.changed.set()


def _more(load: Load, last: Load | None) -> Tally:
    """Return what came since the last look; a copy counts from when it is seen for the first time.

    Counts that fell began anew, with the proxy.
    """
    if last is None:
        return Tally()
    now = Tally(load.requests, load.failures + load.retries)
    return now.since(Tally(last.requests, last.failures + last.retries))


def _added(sides: Sides, more: Tally, canary: bool) -> Sides:
    side = sides.canary if canary else sides.stable
    total = Tally(side.requests + more.requests, side.errors + more.errors)
    return Sides(total, sides.stable) if canary else Sides(sides.canary, total)
