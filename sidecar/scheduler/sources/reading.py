"""Read the numbers by which a service is scaled, from all kinds of sources.

A container's statistics are asked for one after the other on each engine: a stream for each would
be too much beyond some hundred.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from sidecar.engine.operations import Operations
from sidecar.errors import PinnaceError, ProtocolError
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from sidecar.scheduler.cluster import Copy
from sidecar.scheduler.model import NANO
from sidecar.scheduler.sources.samples import (
    Sample,
    Usage,
    number_of,
    rate_of,
    series_of,
    stub_of,
    usage_of,
)
from sidecar.scheduler.sources.wanted import Kind, Wanted
from sidecar.scheduler.sources.web import Web
from sidecar.scheduler.traffic import Traffic
from sidecar.stores.base import KeyValue

__all__ = ["Reading"]

_log = get_logger("autoscale")


class Reading:
    """Samples by container's id, of one metric of one service at a time."""

    def __init__(
        self,
        engines: Callable[[str], Operations | None],
        traffic: Traffic,
        keys: KeyValue,
        web: Web,
        clock: Clock,
    ) -> None:
        """``engines`` finds a node's engine by name."""
        self._engines = engines
        self._traffic = traffic
        self._keys = keys
        self._web = web
        self._clock = clock
        self._usages: dict[str, tuple[float, Usage]] = {}
        self._counts: dict[tuple[str, str], Sample] = {}
        """By container and name of the metric."""
        self._limits: dict[str, float] = {}
        self._told: set[str] = set()

    def forget(self, ids: set[str]) -> None:
        """Forget all containers but these."""
        self._usages = {id_: each for id_, each in self._usages.items() if id_ in ids}
        self._counts = {key: each for key, each in self._counts.items() if key[0] in ids}
        self._limits = {id_: each for id_, each in self._limits.items() if id_ in ids}

    async def read(self, wanted: Wanted, copies: Sequence[Copy]) -> Mapping[str, Sample]:
        """Return what is known now; what could not be read is missing, and told once."""
        match wanted.kind:
            case Kind.CPU | Kind.MEMORY:
                return await self._engine(wanted.kind, copies)
            case Kind.SESSIONS | Kind.REQUESTS | Kind.QUEUE:
                return await self._proxy(wanted, copies)
            case Kind.NGINX | Kind.ENDPOINT:
                return await self._instances(wanted, copies)
            case Kind.PROMETHEUS | Kind.KEY:
                return await self._whole(wanted)

    # --- the engine --------------------------------------------------------------------------

    async def _engine(self, kind: Kind, copies: Sequence[Copy]) -> Mapping[str, Sample]:
        by_node: dict[str, list[Copy]] = {}
        for copy in copies:
            by_node.setdefault(copy.node, []).append(copy)
        found: dict[str, Sample] = {}

        async def one_after_the_other(node: str) -> None:
            for copy in by_node[node]:
                try:
                    value = await self._used(kind, copy)
                except PinnaceError as error:
                    self._tell(f"statistics of {copy.name}: {error}")
                    continue
                if value is not None:
                    found[copy.id] = Sample(value, self._clock.monotonic())

        async with asyncio.TaskGroup() as group:
            for node in by_node:
                group.create_task(one_after_the_other(node), name=f"statistics {node}")
        return found

    async def _used(self, kind: Kind, copy: Copy) -> float | None:
        engine = self._engines(copy.node)
        if engine is None:
            return None
        usage = usage_of(await engine.stats(copy.id))
        now = self._clock.monotonic()
        if usage is None:
            return None
        if kind is Kind.MEMORY:
            return usage.memory_share
        before = self._usages.get(copy.id)
        self._usages[copy.id] = now, usage
        if before is None:
            return None
        allowed = await self._allowed(engine, copy.id)
        return usage.cpu_share(before[1], now - before[0], allowed)

    async def _allowed(self, engine: Operations, id_: str) -> float:
        """Return how many CPUs a container may use, 0 without a limit."""
        if id_ not in self._limits:
            host = (await engine.inspect(id_) or {}).get("HostConfig") or {}
            nano, quota = int(host.get("NanoCpus") or 0), int(host.get("CpuQuota") or 0)
            period = int(host.get("CpuPeriod") or 100_000)
            self._limits[id_] = nano / NANO or max(quota, 0) / period
        return self._limits[id_]

    # --- the load balancer -------------------------------------------------------------------

    async def _proxy(self, wanted: Wanted, copies: Sequence[Copy]) -> Mapping[str, Sample]:
        loads = await self._traffic.loads({copy.id: copy.node for copy in copies})
        now = self._clock.monotonic()
        found: dict[str, Sample] = {}
        for id_, load in loads.items():
            if wanted.kind is Kind.SESSIONS:
                found[id_] = Sample(load.sessions, now)
            elif not (load.has_queue if wanted.kind is Kind.QUEUE else load.is_counted):
                self._tell(f"the load balancer does not count {wanted.kind} by container")
            elif wanted.kind is Kind.QUEUE:
                found[id_] = Sample(load.queued, now)
            elif (rate := self._grown(id_, wanted, Sample(load.requests, now))) is not None:
                found[id_] = rate
        return found

    def _grown(self, id_: str, wanted: Wanted, count: Sample) -> Sample | None:
        key = id_, wanted.metric.name
        before, self._counts[key] = self._counts.get(key), count
        return rate_of(before, count)

    # --- instances, Prometheus, keys ---------------------------------------------------------

    async def _instances(self, wanted: Wanted, copies: Sequence[Copy]) -> Mapping[str, Sample]:
        found: dict[str, Sample] = {}

        async def ask(copy: Copy) -> None:
            places = self._traffic.places(copy.node, copy.id)
            port = wanted.port or next(iter(sorted(places)), 0)
            if port not in places:
                self._tell(f"{copy.name} has no port {port} that can be reached")
                return
            host, number = places[port]
            host = f"[{host}]" if ":" in host else host
            try:
                text = await self._web.text(f"http://{host}:{number}{wanted.path}")
            except PinnaceError as error:
                self._tell(str(error))
                return
            is_stub = wanted.kind is Kind.NGINX
            value = (
                stub_of(text, requests=wanted.is_rate) if is_stub else series_of(text, wanted.query)
            )
            if value is None:
                self._tell(f"{copy.name} says nothing of {wanted.metric.name}")
                return
            sample = Sample(value, self._clock.monotonic())
            known = self._grown(copy.id, wanted, sample) if wanted.is_rate else sample
            if known is not None:
                found[copy.id] = known

        async with asyncio.TaskGroup() as group:
            for copy in copies:
                group.create_task(ask(copy), name=f"ask {copy.name}")
        return found

    async def _whole(self, wanted: Wanted) -> Mapping[str, Sample]:
        try:
            if wanted.kind is Kind.PROMETHEUS:
                value = await self._web.query(wanted.url, wanted.query)
            else:
                entry = await self._keys.get(wanted.query)
                value = None if entry is None else number_of(entry.value.decode("ascii", "replace"))
        except (PinnaceError, ProtocolError) as error:
            self._tell(f"{wanted.metric.name}: {error}")
            return {}
        if value is None:
            self._tell(f"{wanted.metric.name}: there is no number")
            return {}
        return {"": Sample(value, self._clock.monotonic())}

    def _tell(self, text: str) -> None:
        if text not in self._told:
            self._told = {*self._told, text} if len(self._told) < 1000 else {text}
            _log.warning("not measured", reason=text)
