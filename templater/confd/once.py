"""One pass over all resources: ``-onetime``, and the checks that end by themselves."""

import asyncio
from collections.abc import Awaitable, Callable

from sidecar.errors import PinnaceError, TransientError
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from templater.backends.base import Backend, Values
from templater.confd.apply import ResourceApplier
from templater.confd.project import Project
from templater.confd.render import Renderer, command_text
from templater.confd.resource import Resource
from templater.confd.settings import Settings

__all__ = ["Backends", "Once", "check"]

_log = get_logger("confd")
Backends = Callable[[Resource], Awaitable[Backend]]
"""Gives the backend of a resource."""


class Once:
    """Processes each resource once; a failure does not stop the others."""

    def __init__(self, settings: Settings, backends: Backends, clock: Clock) -> None:
        """Read by these backends."""
        self._settings = settings
        self._backends = backends
        self._clock = clock
        self._waiting: dict[str, list[ResourceApplier]] = {}
        self._known: dict[tuple[int, str], Values] = {}

    async def run(
        self, project: Project, applier: Callable[[Resource], ResourceApplier]
    ) -> str | None:
        """Do it; return the last error, or None."""
        last: str | None = None
        for problem in project.problems:
            _log.error(problem)
            last = problem
        for resource in project.resources:
            if last is not None and self._settings["failure-mode"] == "fail-fast":
                break
            try:
                await self._process(resource, applier(resource))
            except (PinnaceError, TimeoutError) as error:
                last = str(error) or "time is over"
                _log.error(last)
        return await self._reload_groups() or last

    async def _reload_groups(self) -> str | None:
        """Reload once for each group; return the last error, or None."""
        last: str | None = None
        for appliers in self._waiting.values():
            try:
                await appliers[0].reload()
            except PinnaceError as error:
                last = str(error)
                _log.error(last)
                continue
            for applier in appliers:
                await applier.forgive()
                _log.info(f"Target config {applier.resource.dest} has been updated")
        return last

    async def values(self, resource: Resource) -> Values:
        """Return the values of a resource; each key is read once for all."""
        _log.debug("Retrieving keys from store")
        _log.debug(f"Key prefix set to {resource.prefix}")
        backend = await self._backends(resource)
        found: dict[str, str] = {}
        for key in resource.keys:
            place = id(backend), key
            if place not in self._known:
                self._known[place] = await self._read(backend, key)
            found.update(self._known[place])
        return found

    async def _process(self, resource: Resource, applier: ResourceApplier) -> None:
        owed = await applier.prepare()
        owes = await applier.sync(await self.values(resource))
        if (owes or owed) and resource.reload_group:
            self._waiting.setdefault(resource.reload_group, []).append(applier)
        elif owes or owed:
            await applier.reload()
            _log.info(f"Target config {resource.dest} has been updated")

    async def _read(self, backend: Backend, key: str) -> Values:
        settings = self._settings
        backoff = Backoff(settings.seconds("retry-base-delay"), settings.seconds("retry-max-delay"))
        tries = max(int(settings.seconds("retry-max-attempts")), 1)
        while True:
            try:
                async with asyncio.timeout(settings.seconds("backend-timeout") or None):
                    return await backend.read([key])
            except TransientError:
                tries -= 1
                if tries == 0:
                    raise
            await self._clock.sleep(backoff.next())


def check(project: Project, renderers: Callable[[Resource], Renderer]) -> list[str]:
    """Return every mistake in files, templates and commands. Blocks."""
    problems = list(project.problems)
    for resource in project.resources:
        try:
            renderers(resource).compile()
            command_text("checkcmd", resource.check_cmd, {"src": "stage"}, is_lenient=False)
        except PinnaceError as error:
            problems.append(f"{resource.name}: {error}")
    return problems
