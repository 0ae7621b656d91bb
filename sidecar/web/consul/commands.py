"""Carry out plans: commit to the store, start and stop checks, take what checks say.

A check that only says something new does not move any index: its output is shown by the agent at
once and written with the next change of status, or after five minutes (Consul's
``check_update_interval``), so that a thousand readers are not woken by a clock in a page.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

from sidecar.catalog.agent import Agent, LocalNode, Plan
from sidecar.catalog.changes import Change
from sidecar.catalog.entries import Locals
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Check, Instance, Status
from sidecar.errors import ApiError
from sidecar.runtime.clock import Clock

__all__ = ["Commands", "NoChecks", "Runner", "Store"]

_DEFERRED: Final = 300.0


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
        self._outputs: dict[str, tuple[float, str]] = {}

    @property
    def agent(self) -> Agent:
        """The local node's part of the newest snapshot."""
        snapshot = self._store.catalog.snapshot
        return Agent(snapshot, self._locals.of(snapshot), self._local)

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
            self._outputs.pop(check_id, None)
            self._runner.stop(check_id)
        for check in plan.start:
            self._outputs.pop(check.id, None)
            self._runner.start(check)
        if plan.changes:
            await self._store.commit(plan.changes)

    async def heard(self, check_id: str, status: Status, output: str) -> None:
        """Take what a client says of its TTL check; raises ApiError 500 when it has none."""
        found = self.agent.find_check(check_id)
        if found is None or found[1].type != "ttl":
            raise ApiError(500, f'CheckID "{check_id}" does not have associated TTL')
        await self.report(check_id, status, output)
        self._runner.renew(check_id, status, output)

    async def report(self, check_id: str, status: Status, output: str) -> None:
        """Take what a check said; nothing when it is unknown by now."""
        agent = self.agent
        found = agent.find_check(check_id)
        if found is None:
            self._outputs.pop(check_id, None)
            self._runner.stop(check_id)
            return
        check = found[1]
        if check.status is status:
            if check.output == output:
                self._outputs.pop(check_id, None)
                return
            since = self._outputs.get(check_id, (self._clock.monotonic(), ""))[0]
            self._outputs[check_id] = (since, output)
            if self._clock.monotonic() - since < _DEFERRED:
                return
        self._outputs.pop(check_id, None)
        await self.do(agent.set_check(check_id, status, output))

    def said(self, instance: Instance) -> Instance:
        """Return an instance with what its checks said last."""
        checks = tuple(map(self.said_by, instance.checks))
        return instance if checks == instance.checks else replace(instance, checks=checks)

    def said_by(self, check: Check) -> Check:
        """Return a check with what it said last."""
        found = self._outputs.get(check.id)
        return check if found is None else replace(check, output=found[1])
