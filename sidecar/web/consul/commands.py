"""Carry out plans: commit to the store, start and stop checks, take what checks say.

A check that only says something new does not move any index: its output is shown by the agent at
once and written with the next change of status, or after five minutes (Consul's
``check_update_interval``), so that a thousand readers are not woken by a clock in a page.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

from sidecar.catalog.agent import OUTPUT_LIMIT, Agent, LocalNode, Plan
from sidecar.catalog.changes import Change
from sidecar.catalog.entries import Locals
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Check, Instance, Status
from sidecar.errors import ApiError, StoreUnavailable
from sidecar.runtime.clock import Clock

__all__ = ["Commands", "NoChecks", "Runner", "Store"]

_DEFERRED: Final = 300.0
_TTL: Final = "ttl"


class Runner(Protocol):
    """Who runs checks. Ids are those of the local agent."""

    def start(self, check: Check) -> None:
        """Run this check from now on, instead of one with its id; ``definition`` says how."""

    def stop(self, check_id: str) -> None:
        """Run it no more; nothing when it does not run."""

    def renew(self, check_id: str, status: Status, output: str) -> None:
        """A TTL check was heard of: its time begins again."""


class NoChecks:
    """A runner that runs nothing."""

    def start(self, check: Check) -> None:
        """Do nothing."""

    def stop(self, check_id: str) -> None:
        """Do nothing."""

    def renew(self, check_id: str, status: Status, output: str) -> None:
        """Do nothing."""


class Store(Protocol):
    """Where changes go."""

    @property
    def catalog(self) -> Catalog:
        """The catalogue they show up in."""

    async def commit(self, changes: Sequence[Change]) -> None:
        """Make the changes. Raises StoreUnavailable."""


class Commands:
    """The local agent as something that acts."""

    def __init__(self, store: Store, local: LocalNode, clock: Clock) -> None:
        """Write to ``store``; nobody runs checks until ``run_by``."""
        self._store = store
        self._local = local
        self._clock = clock
        self._runner: Runner = NoChecks()
        self._locals = Locals(local.name)
        self._outputs: dict[str, str] = {}  # newer than what is committed
        self._since: dict[str, float] = {}
        self._heard: set[str] = set()  # ids that were TTL checks: heartbeats may go on

    @property
    def agent(self) -> Agent:
        """The local node's part of the newest snapshot."""
        snapshot = self._store.catalog.snapshot
        return Agent(snapshot, self._locals.of(snapshot), self._local, self._outputs)

    @property
    def catalog(self) -> Catalog:
        """The catalogue that commands show up in."""
        return self._store.catalog

    def run_by(self, runner: Runner) -> None:
        """Let this runner run checks, those too that an earlier life left in the store."""
        self._runner = runner
        agent = self.agent
        for check in agent.node.checks:
            if check.definition:
                self._runner.start(check)
        for instance in agent.instances.values():
            for check in instance.checks:
                if check.definition:
                    self._runner.start(check)

    async def do(self, plan: Plan) -> None:
        """Carry out a plan. Raises StoreUnavailable: then it is visible but not durable yet."""
        for check_id in plan.stop:
            self._forget(check_id)
            self._heard.discard(check_id)
            self._runner.stop(check_id)
        for check in plan.start:
            self._forget(check.id)
            if check.type == _TTL:
                self._heard.add(check.id)
            self._runner.start(check)
        trouble: StoreUnavailable | None = None
        for changes in (plan.changes, *((change,) for change in plan.later)):
            if changes:
                try:
                    await self._store.commit(changes)
                except StoreUnavailable as error:
                    trouble = error
        if trouble is not None:
            raise trouble

    async def heard(self, check_id: str, status: Status, output: str) -> None:
        """Take what a client says of its TTL check; raises ApiError 500 when it has none.

        A TTL check that was registered again as another kind still listens, as in Consul.
        """
        found = self.agent.find_check(check_id)
        if found is None or not (found[1].type == _TTL or check_id in self._heard):
            raise ApiError(500, f'CheckID "{check_id}" does not have associated TTL')
        await self.report(check_id, status, _limited(output, found[1]))
        if found[1].type == _TTL:
            self._runner.renew(check_id, status, output)

    async def report(self, check_id: str, status: Status, output: str) -> None:
        """Take what a check said; nothing when it is unknown by now."""
        agent = self.agent
        found = agent.find_check(check_id)
        if found is None:
            self._forget(check_id)
            self._runner.stop(check_id)
            return
        check = found[1]
        if check.status is status:
            if check.output == output:
                self._forget(check_id)
                return
            now = self._clock.monotonic()
            self._outputs[check_id] = output
            if now - self._since.setdefault(check_id, now) < _DEFERRED:
                return
        self._forget(check_id)
        await self.do(agent.set_check(check_id, status, output))

    def _forget(self, check_id: str) -> None:
        self._outputs.pop(check_id, None)
        self._since.pop(check_id, None)

    def said(self, instance: Instance) -> Instance:
        """Return an instance with what its checks said last."""
        checks = tuple(map(self.said_by, instance.checks))
        return instance if checks == instance.checks else replace(instance, checks=checks)

    def said_by(self, check: Check) -> Check:
        """Return a check with what it said last."""
        found = self._outputs.get(check.id)
        return check if found is None else replace(check, output=found)


def _limited(output: str, check: Check) -> str:
    """Cut what is too long, as Consul marks it."""
    most = OUTPUT_LIMIT
    if check.definition:
        most = min(most, json.loads(check.definition).get("OutputMaxSize") or most)
    data = output.encode("utf-8", "replace")
    if len(data) <= most:
        return data.decode()
    return f"{data[:most].decode('utf-8', 'ignore')} ... (captured {most} of {len(data)} bytes)"
