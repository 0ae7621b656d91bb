"""The loop: sync, tell, wait; and the end after one sync or too many failures."""

import asyncio
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from sidecar.errors import PinnaceError
from sidecar.gitsync import telling
from sidecar.gitsync.access import Access
from sidecar.gitsync.hooks import HookFailed, News, Notifier
from sidecar.gitsync.options import Hook, Options, Target
from sidecar.gitsync.place import Place
from sidecar.gitsync.syncing import Synced, Syncing, described
from sidecar.metrics import counter, gauge
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger

__all__ = ["GitSync"]

_log = get_logger("git-sync")
_syncs = counter("pinnace_gitsync_syncs_total", "Syncs by result", ["result"])
_last = gauge("pinnace_gitsync_last_sync_timestamp_seconds", "When a sync went well last")
_took = gauge("pinnace_gitsync_sync_duration_seconds", "How long the last sync took")
_ONCE_TRIES: Final = 3


class GitSync:
    """Keeps a folder in sync until it may end."""

    def __init__(
        self,
        options: Options,
        access: Access,
        place: Place,
        clock: Clock,
        *,
        ready: Callable[[], None] = lambda: None,
    ) -> None:
        """``ready`` is called when the files are published for the first time."""
        self._options = options
        self._access = access
        self._place = place
        self._clock = clock
        self._ready = ready
        self._wake = asyncio.Event()
        self._syncing = Syncing(options, access, place, clock, self._before)
        self._hooks = self._notifiers()

    def sync_soon(self) -> None:
        """Look now, or as soon as the present look is over."""
        self._wake.set()

    async def run(self) -> int:
        """Return the exit status when it ends by itself."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each.run(), name=each.name) for each in self._hooks]
            try:
                return await self._loop()
            finally:
                for task in tasks:
                    task.cancel()

    async def _loop(self) -> int:
        options = self._options
        failures, is_first = 0, True
        while True:
            self._wake.clear()
            synced = await self._once()
            if synced is None:
                failures += 1
                most = options.init_max_failures if is_first else options.max_failures
                if 0 <= most <= failures:
                    _log.error("too many failures", failures=failures)
                    return 1
            else:
                await self._settle(synced, is_first=is_first)
                failures, is_first = 0, False
                if options.is_once:
                    good = [await hook.tried() for hook in self._hooks]
                    return 0 if all(good) else 1
            await self._pause(options.init_period if is_first else options.period)

    async def _once(self) -> Synced | None:
        begun = self._clock.monotonic()
        try:
            synced = await self._syncing.once()
        except (PinnaceError, OSError, ExceptionGroup) as error:
            text = described(error, self._options.timeout)
            _log.error("sync failed", error=text)
            _syncs.labels("error").inc()
            await self._say_error(text)
            return None
        finally:
            _took.set(self._clock.monotonic() - begun)
        _last.set(self._clock.wall())
        _syncs.labels("success" if synced.is_new else "noop").inc()
        await self._say_error("")
        return synced

    async def _settle(self, synced: Synced, *, is_first: bool) -> None:
        """Tell everybody, and tidy up; nothing here undoes a sync."""
        options = self._options
        if synced.is_new or is_first:
            _log.info("published", commit=synced.commit, path=self._place.link)
            for hook in self._hooks:
                hook.send(News(synced.commit, str(synced.worktree)))
            if options.touch_file:
                await asyncio.to_thread(_touch, self._place.below(options.touch_file))
        elif options.verbose > 1:
            _log.info("nothing new", commit=synced.commit)
        self._ready()
        try:
            async with asyncio.timeout(options.timeout):
                await self._syncing.tidy()
        except (PinnaceError, OSError) as error:
            _log.warning("tidying up failed", error=described(error, options.timeout))

    async def _before(self, commit: str, worktree: Path) -> None:
        """Run the hook before publishing; tried again with the next syncs."""
        hook = self._options.before
        if hook is None:
            return
        backoff = Backoff(hook.backoff, hook.backoff)
        for tries_left in reversed(range(_ONCE_TRIES)):
            try:
                await telling.execute(hook, News(commit, str(worktree)), self._access.environ)
            except HookFailed as error:
                if not tries_left:
                    raise
                _log.error("hook failed", hook="pre-publish", commit=commit, error=error)
                await self._clock.sleep(backoff.next())
            else:
                return

    def _notifiers(self) -> list[Notifier]:
        options = self._options
        make = partial(Notifier, clock=self._clock, is_once=options.is_once)
        found = []
        if (hook := options.after) is not None:
            found.append(make("exechook", partial(self._execute, hook), backoff=hook.backoff))
        if (web := options.webhook) is not None:
            found.append(make("webhook", partial(telling.ask, web), backoff=web.backoff))
        for target in options.targets:

            async def tell(_: News, target: Target = target) -> None:
                await telling.signal(target, options.docker)

            found.append(make("signal", tell, backoff=1.0))
        return found

    async def _execute(self, hook: Hook, news: News) -> None:
        await telling.execute(hook, news, self._access.environ)

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than until somebody asks for a look."""
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._clock.sleep(seconds), name="period"),
                group.create_task(self._wake.wait(), name="signal"),
            ]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()

    async def _say_error(self, text: str) -> None:
        """Write the error file, or remove it."""
        if self._options.error_file:
            path = self._place.below(self._options.error_file)
            await asyncio.to_thread(_write_error, path, text)


def _touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def _write_error(path: Path, text: str) -> None:
    """Write what git-sync's readers expect: Msg, Err and Args."""
    if not text:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    new.write_text(json.dumps({"Msg": "error syncing repo", "Err": text, "Args": {}}), "utf-8")
    new.replace(path)
