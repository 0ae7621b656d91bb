"""Between the API's commands and the runner of checks: what one starts, the other reports.

The runner calls back on the loop and must not wait; what it says is kept by check, newest only,
and committed by ``run``. Checks of containers come with their entries, not by a command: they are
started and stopped as the catalogue shows them.
"""

import asyncio
import json
from collections.abc import Callable

from sidecar.catalog.model import Check, Status
from sidecar.catalog.ownership import is_containers
from sidecar.checks.definition import DefinitionError, Kind, definition_of
from sidecar.checks.policy import CheckPolicy
from sidecar.checks.runner import CheckKey, CheckRunner, NotTtl
from sidecar.checks.state import Result, alias_result
from sidecar.errors import ApiError, StoreUnavailable
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from sidecar.web.consul.commands import Commands
from sidecar.web.consul.definitions import ELSEWHERE

__all__ = ["LocalChecks"]

_log = get_logger("checks")


class LocalChecks:
    """A component that runs the local agent's checks."""

    name = "checks"

    def __init__(self, commands: Commands, clock: Clock, policy: CheckPolicy) -> None:
        """Run the checks of ``commands``, those left in the store first."""
        self._commands = commands
        self._said: dict[str, Result] = {}
        self._gone: set[str] = set()
        self._news = asyncio.Event()
        self._aliases: dict[str, tuple[str, str]] = {}
        self._containers: dict[str, str] = {}  # how the checks of containers are defined, by id
        self.runner = CheckRunner(clock, self._on_result, policy, on_deregister=self._on_deregister)
        commands.run_by(self)

    def start(self, check: Check) -> None:
        """Run a check from now on."""
        stored = json.loads(check.definition)
        local = not stored.pop(ELSEWHERE, False)
        body = stored | {"Name": check.name, "ID": check.id, "Status": check.status.value}
        try:
            definition = definition_of(body)
        except DefinitionError as error:  # a state file of another version
            _log.warning("check cannot be run", check=check.id, error=error)
            return
        self._aliases.pop(check.id, None)
        if definition.kind is Kind.ALIAS:
            self._aliases[check.id] = (definition.alias_node, definition.alias_service)
            self._news.set()
        self.runner.add(check.id, definition, local=local)

    def stop(self, check_id: str) -> None:
        """Run it no more."""
        self.runner.remove(check_id)
        self._said.pop(check_id, None)
        self._aliases.pop(check_id, None)

    def renew(self, check_id: str, status: Status, output: str) -> None:
        """Begin a TTL check's time again."""
        try:
            self.runner.heartbeat(check_id, status, output)
        except NotTtl:
            _log.warning("heartbeat of a check that does not run", check=check_id)

    async def run(self, ready: Callable[[], None]) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.runner.run(ready), name="checks runner")
            group.create_task(self._follow(), name="checks aliases")
            self._follow_containers()
            while True:
                await self._news.wait()
                self._news.clear()
                self._judge_aliases()
                await self._commit()

    def _on_result(self, key: CheckKey, result: Result) -> None:
        self._said[str(key)] = result
        self._news.set()

    def _on_deregister(self, key: CheckKey) -> None:
        self._gone.add(str(key))
        self._news.set()

    async def _commit(self) -> None:
        """Write what checks said; what the store does not take is tried again."""
        said, self._said = self._said, {}
        gone, self._gone = self._gone, set()
        for check_id, result in said.items():
            try:
                await self._commands.report(check_id, result.status, result.output)
            except StoreUnavailable as error:  # visible all the same; the store writes it later
                _log.warning("result of a check not written", check=check_id, error=error)
        for check_id in gone:
            await self._deregister(check_id)

    async def _deregister(self, check_id: str) -> None:
        agent = self._commands.agent
        found = agent.find_check(check_id)
        if found is None or found[0] is None:
            return
        try:
            await self._commands.do(agent.deregister(found[0].id))
        except ApiError as error:  # a container's: only its end removes it
            _log.warning("not deregistered", service=found[0].id, reason=error)
        except StoreUnavailable as error:
            _log.warning("deregistration not written", service=found[0].id, error=error)

    async def _follow(self) -> None:
        """Look at aliases and containers again whenever the catalogue changes."""
        while True:
            await self._commands.catalog.changed()
            self._follow_containers()
            if self._aliases:
                self._news.set()

    def _follow_containers(self) -> None:
        """Start the checks that containers came with, stop those of containers that went."""
        instances = self._commands.agent.instances.values()
        wanted = {
            check.id: check
            for instance in instances
            if instance.checks and is_containers(instance)
            for check in instance.checks
            if check.definition
        }
        for check_id in [*self._containers]:
            if check_id not in wanted:
                del self._containers[check_id]
                self.stop(check_id)
        for check_id, check in wanted.items():
            if self._containers.get(check_id) != check.definition:
                self._containers[check_id] = check.definition
                self._start_containers(check)

    def _start_containers(self, check: Check) -> None:
        """Run a container's check; a TTL check is fed by us while the container runs."""
        if check.type == Kind.TTL:
            self.stop(check.id)
            self._said[check.id] = Result(Status.PASSING, "the container runs")
            self._news.set()
        else:
            self.start(check)

    def _judge_aliases(self) -> None:
        for check_id, (node, service) in self._aliases.items():
            self.runner.report(check_id, self._alias(check_id, node, service))

    def _alias(self, check_id: str, node: str, service: str) -> Result:
        agent = self._commands.agent
        checks = [c for c in agent.node.checks if c.id != check_id]
        if node and node != agent.node.name:
            found = self._commands.catalog.snapshot.nodes.get(node)
            checks = list(found.checks) if found is not None else []
        if not service:
            return alias_result(checks, found=True, node=node or agent.node.name)
        instance = agent.instances.get(service)
        own = list(instance.checks) if instance is not None else []
        return alias_result(
            [c for c in (*checks, *own) if c.id != check_id],
            found=instance is not None,
            service=service,
            node=node or agent.node.name,
        )
