"""Scale services by what is measured of them, in the leader only.

A new number is an order like a person's: it becomes a key, and stays over a new deploy. The stack's
own number is where a service begins.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from sidecar.errors import ApiError, PinnaceError
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from sidecar.scheduler.canary import is_canary
from sidecar.scheduler.cluster import Copy, Stage
from sidecar.scheduler.desk import Election
from sidecar.scheduler.rollout import Phase, rollout_of
from sidecar.scheduler.scale import History, Measured, Recommendation, recommend
from sidecar.scheduler.scaling import Scaled, Scaling
from sidecar.scheduler.sight import Sight
from sidecar.scheduler.sizing import sized
from sidecar.scheduler.sources.reading import Reading
from sidecar.scheduler.sources.samples import Sample, measured_of
from sidecar.scheduler.sources.wanted import STALE

__all__ = ["Autoscaler"]

_TICK: Final = 0.5
_log = get_logger("autoscale")


class _Service:
    """What is kept of one service between two looks."""

    def __init__(self) -> None:
        self.due = 0.0
        self.history = History()
        self.samples: dict[str, Mapping[str, Sample]] = {}
        self.why = ""


class Autoscaler:
    """Component: measures and scales."""

    name = "autoscaler"

    def __init__(
        self, scales: Scaling, election: Election, reading: Reading, *, clock: Clock
    ) -> None:
        """``reading`` is closed by who made it."""
        self._scales = scales
        self._election = election
        self._reading = reading
        self._clock = clock
        self._known: dict[str, _Service] = {}

    async def run(self, ready: Callable[[], None]) -> None:
        """Measure and scale until cancelled."""
        ready()
        while True:
            if self._election.epoch is not None:
                await self._look()
            await self._clock.sleep(_TICK)

    async def _look(self) -> None:
        scaled = {each.goal.service: each for each in self._scales.scaled()}
        self._known = {name: self._known.get(name) or _Service() for name in scaled}
        now = self._clock.monotonic()
        due = [name for name, known in self._known.items() if known.due <= now]
        if not due:
            return
        cluster, _, _ = self._scales.seen()
        self._reading.forget({copy.id for name in scaled for copy in cluster.copies.get(name, ())})
        async with asyncio.TaskGroup() as group:
            for name in due:
                self._known[name].due = now + scaled[name].autoscale.period
                group.create_task(self._one(scaled[name]), name=f"scale {name}")

    async def _one(self, service: Scaled) -> None:
        cluster, memory, seen_at = self._scales.seen()
        goal = sized(service.goal, cluster)
        sight = Sight(cluster, seen_at)
        copies = [
            copy
            for copy in cluster.copies.get(goal.service, ())
            if copy.stage is Stage.RUNNING and not copy.is_draining and not is_canary(copy.slot)
        ]
        ready = [copy for copy in copies if sight.is_ready(copy, goal)]
        measured = await self._measured(service, ready, len(copies) - len(ready))
        known = self._known.get(goal.service)
        if known is None:
            return
        rollout = rollout_of(goal, cluster, memory, seen_at, sight)
        is_rolling = rollout.phase not in {Phase.IDLE, Phase.COMPLETED}
        found = recommend(
            service.autoscale.policy,
            measured,
            known.history,
            replicas=service.replicas,
            now=self._clock.monotonic(),
            is_rolling=is_rolling,
        )
        is_failing = is_rolling and (bool(rollout.failed) or rollout.phase is not Phase.UPDATING)
        if found.replicas > service.replicas and is_failing:
            found = Recommendation(
                service.replicas, f"{found.why}; not up while a rollout fails", known.history
            )
        await self._act(service, known, found)

    async def _measured(
        self, service: Scaled, ready: list[Copy], not_ready: int
    ) -> Mapping[str, Measured]:
        known, found = self._known[service.goal.service], {}
        ids = [copy.id for copy in ready]
        for wanted in service.autoscale.metrics:
            name = wanted.metric.name
            fresh = await self._reading.read(wanted, ready)
            kept = {**known.samples.get(name, {}), **fresh}
            known.samples[name] = {id_: each for id_, each in kept.items() if not id_ or id_ in ids}
            found[name] = measured_of(
                wanted,
                known.samples[name],
                ids,
                not_ready=not_ready,
                now=self._clock.monotonic(),
                oldest=STALE * service.autoscale.period,
            )
        return found

    async def _act(self, service: Scaled, known: _Service, found: Recommendation) -> None:
        known.history = found.history
        if found.why != known.why:
            _log.debug("measured", service=service.goal.service, why=found.why)
            known.why = found.why
        if found.replicas == service.replicas or self._election.epoch is None:
            return
        _log.info(
            "scales", service=service.goal.service, replicas=found.replicas,
            was=service.replicas, why=found.why,
        )  # fmt: skip
        try:
            await self._scales.scale(
                service.stack, service.name, found.replicas, by=f"autoscale: {found.why}"
            )
        except (ApiError, PinnaceError) as error:
            _log.warning("not scaled", service=service.goal.service, reason=error)
