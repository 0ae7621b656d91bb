"""The long run: keepers and feeds follow the project's folder, the backend and the clock.

Resource files and templates are looked at every second or so; what changed is started, ended or
rendered again, the rest goes on undisturbed. A resource file that turns bad leaves the resource as
it was.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from sidecar.errors import PinnaceError
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from templater.backends.base import Backend, Values
from templater.backends.files import Signature
from templater.confd.apply import ResourceApplier
from templater.confd.feeds import Feeds
from templater.confd.once import Backends
from templater.confd.project import Project, load, resource_signature, source_signatures
from templater.confd.resource import Resource
from templater.confd.settings import Settings
from templater.counters import RESOURCES
from templater.keeping.group import Groups
from templater.keeping.keeper import Keeper

__all__ = ["Daemon"]

_RESTART: Final = 5.0
_log = get_logger("confd")


class _Kept:
    """A keeper at work."""

    def __init__(
        self,
        resource: Resource,
        keeper: Keeper[Values],
        feeds: Feeds,
        task: asyncio.Task[None],
    ) -> None:
        self.resource = resource
        self.keeper = keeper
        self.feeds = feeds
        self.task = task


class Daemon:
    """Runs until stopped."""

    def __init__(
        self,
        settings: Settings,
        backends: Backends,
        applier: Callable[[Resource], ResourceApplier],
        clock: Clock,
    ) -> None:
        """``applier`` makes what renders and places one resource."""
        self._settings = settings
        self._backends = backends
        self._applier = applier
        self._clock = clock
        self._feeds: dict[int, Feeds] = {}
        self._kept: dict[str, _Kept] = {}
        self._groups = Groups()
        self._stopping = asyncio.Event()
        self._look_now = asyncio.Event()
        self._problems: tuple[str, ...] = ()
        self._warnings: frozenset[str] = frozenset()

    def stop(self) -> None:
        """End after what is under way."""
        self._stopping.set()
        for kept in self._kept.values():
            kept.keeper.stop()
        self._look_now.set()

    def trouble(self) -> list[str]:
        """Return what is wrong now, a line each."""
        lines = list(self._problems)
        lines += [line for feeds in self._feeds.values() if (line := feeds.trouble())]
        for kept in self._kept.values():
            line = kept.keeper.trouble()
            if line is None and not kept.keeper.is_done_once:
                line = f"{kept.resource.dest} is not rendered yet"
            if line is not None:
                lines.append(line)
        return lines

    async def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Keep all resources until ``stop``."""
        async with asyncio.TaskGroup() as group:
            await self._follow(group, started)
            await self._end()
            for feeds in self._feeds.values():
                feeds.close()

    async def _follow(self, group: asyncio.TaskGroup, started: Callable[[], None]) -> None:
        settings, clock = self._settings, self._clock
        pause = settings.seconds("stat-cache-ttl") or 1.0
        seen = sources = None
        passes = clock.monotonic() + settings.interval
        while not self._stopping.is_set():
            now = await asyncio.to_thread(resource_signature, settings)
            if now != seen:
                seen = now
                await self._reconcile(group)
                started()
            sources = await self._wake_changed(sources)
            if clock.monotonic() >= passes and (settings.has_interval or not settings.is_watching):
                passes = clock.monotonic() + settings.interval
                for kept in self._kept.values():
                    kept.keeper.wake()
            await self._pause(pause)

    async def _pause(self, seconds: float) -> None:
        async with asyncio.TaskGroup() as group:
            waiters = [
                group.create_task(self._look_now.wait(), name="look now"),
                group.create_task(self._clock.sleep(seconds), name="look"),
            ]
            await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
            for waiter in waiters:
                waiter.cancel()
        self._look_now.clear()

    async def _wake_changed(self, before: object) -> object:
        """Wake the keepers whose template changed; return what they look like now."""
        sources = {name: kept.keeper.sources for name, kept in self._kept.items()}
        now = await asyncio.to_thread(source_signatures, sources)
        if isinstance(before, dict):
            for name, look in now.items():
                if name in before and _differs(before[name], look) and name in self._kept:
                    _log.info(f"template of {name} changed")
                    self._kept[name].keeper.wake()
        return now

    async def _reconcile(self, group: asyncio.TaskGroup) -> None:
        """Make the keepers those of the resource files; leave unchanged ones alone."""
        project = await asyncio.to_thread(load, self._settings)
        self._report(project)
        wanted = {one.name: one for one in project.resources}
        broken = {line.split(":", 1)[0] for line in project.problems}
        for name in list(self._kept):
            kept = self._kept[name]
            if name not in broken and kept.resource != wanted.get(name):
                await self._drop(name)
        for name, resource in wanted.items():
            if name not in self._kept and not self._stopping.is_set():
                await self._keep(group, resource)
        RESOURCES.set(len(self._kept))

    def _report(self, project: Project) -> None:
        for problem in project.problems:
            if problem not in self._problems:
                _log.error(problem)
        for warning in project.warnings:
            if warning not in self._warnings:
                _log.warning(warning)
        self._problems = project.problems
        self._warnings = frozenset(project.warnings)

    async def _keep(self, group: asyncio.TaskGroup, resource: Resource) -> None:
        try:
            backend = await self._backends(resource)
        except PinnaceError as error:
            self._problems += (f"{resource.name}: {error}",)
            _log.error(self._problems[-1])
            return
        feeds = self._feeds_of(backend, group)
        keeper = Keeper(
            self._applier(resource),
            lambda: feeds.values_of(resource.keys),
            self._clock,
            debounce=self._settings.seconds("debounce"),
            batch=self._settings.seconds("batch-interval"),
            group=self._groups.of(resource.reload_group),
        )
        feeds.listen(resource.keys, keeper.changed, group)
        task = group.create_task(self._guarded(keeper), name=f"keep {resource.dest}")
        self._kept[resource.name] = _Kept(resource, keeper, feeds, task)

    def _feeds_of(self, backend: Backend, group: asyncio.TaskGroup) -> Feeds:
        feeds = self._feeds.get(id(backend))
        if feeds is None:
            settings = self._settings
            feeds = Feeds(
                backend, self._clock,
                poll=None if settings.is_watching else settings.interval,
                slowest=settings.seconds("watch-error-backoff"),
            )  # fmt: skip
            self._feeds[id(backend)] = feeds
            feeds.start(group)
        return feeds

    async def _guarded(self, keeper: Keeper[Values]) -> None:
        """Run a keeper; a bug in one must not end the others."""
        while True:
            try:
                return await keeper.run()
            except Exception:  # noqa: BLE001  (the guard of one resource, as the supervisor's)
                _log.exception(f"{keeper.target.name} failed unexpectedly")
            await self._clock.sleep(_RESTART)

    async def _drop(self, name: str) -> None:
        kept = self._kept.pop(name)
        kept.feeds.leave(kept.resource.keys, kept.keeper.changed)
        kept.keeper.stop()
        await self._finish([kept.task])

    async def _end(self) -> None:
        await self._finish([kept.task for kept in self._kept.values()])

    async def _finish(self, tasks: list[asyncio.Task[None]]) -> None:
        """Let what is under way end; cancel it when that takes too long."""
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=self._settings.seconds("shutdown-timeout"))
        for task in late:
            task.cancel()


def _differs(before: Signature, now: Signature) -> bool:
    """Say whether a file was changed; one that is newly included was just read."""
    looks = {row[0]: row for row in before}
    return any(looks.get(row[0], row) != row for row in now)
