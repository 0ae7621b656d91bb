"""Keep one resource's file as it should be, for as long as the program runs.

Level-triggered: a change is a reason to look at the newest values, so a burst is one rendering and
nothing is lost while a command runs. A broken resource harms only itself.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from sidecar.errors import PinnaceError, RenderError
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import Clock
from sidecar.runtime.log import get_logger
from templater.confd.agenda import Agenda, Step
from templater.confd.apply import Applier, CheckFailed
from templater.confd.group import ReloadGroup
from templater.counters import FAILING, OWED

__all__ = ["Keeper"]

V = TypeVar("V")

_SLOWEST_CHECK: Final = 60.0
_SLOWEST_RELOAD: Final = 30.0
_log = get_logger("confd")


class Keeper(Generic[V]):
    """Runs one resource. ``values`` gives the newest, None while they are not known."""

    def __init__(
        self,
        applier: Applier[V],
        values: Callable[[], V | None],
        clock: Clock,
        *,
        debounce: float = 0.0,
        batch: float = 0.0,
        group: ReloadGroup | None = None,
    ) -> None:
        """``debounce`` and ``batch`` hold where the resource says nothing."""
        resource = applier.resource
        self.resource = resource
        self._applier = applier
        self._values = values
        self._clock = clock
        self._agenda = Agenda(
            debounce=resource.debounce or debounce,
            batch=batch,
            min_reload=resource.min_reload_interval,
        )
        self._group = group if group is not None else ReloadGroup()
        self._debts = 0
        self._placing = asyncio.Lock()
        self._woken = asyncio.Event()
        self._failure: str | None = None
        self._reload_failure: str | None = None
        self._stopping = False
        self._pause_render = Backoff(1.0, _SLOWEST_CHECK)
        self._pause_reload = Backoff(1.0, _SLOWEST_RELOAD)
        self.is_done_once = False

    @property
    def sources(self) -> tuple[Path, ...]:
        """Return the files that the template is made of."""
        return self._applier.renderer.sources

    def trouble(self) -> str | None:
        """Return what is wrong with the file or its reload, or None."""
        return self._failure or self._reload_failure

    def changed(self, keys: frozenset[str]) -> None:
        """Note that these keys changed; those that the template does not read do not matter."""
        if self._values() is None:
            return
        is_settled = self.is_done_once and self._failure is None
        if not is_settled or self._applier.renderer.concerned(keys):
            self.wake()

    def wake(self) -> None:
        """Look at everything again: the template changed, or it is time to."""
        self._agenda.change(self._clock.monotonic())
        self._woken.set()

    def stop(self) -> None:
        """End after what is under way."""
        self._stopping = True
        self._woken.set()

    async def run(self) -> None:
        """Work until told to stop."""
        if await self._applier.prepare():
            _log.info(f"{self.resource.dest} was placed by an earlier run that did not reload")
            self._owe()
        if self._values() is not None:
            self.wake()
        self._group.join(self)
        try:
            while not self._stopping:
                self._woken.clear()  # before looking: what comes after it is not missed
                step, pause = self._agenda.next(self._clock.monotonic())
                match step:
                    case Step.RENDER:
                        async with self._placing:
                            await self._render()
                        self._group.rendered()
                    case Step.RELOAD:
                        await self._group.reload(self)
                    case Step.WAIT:
                        await self._wait(pause)
        finally:
            self._group.leave(self)
            self._forget()

    async def _wait(self, seconds: float | None) -> None:
        async with asyncio.TaskGroup() as group:
            waiters: list[asyncio.Task[Any]] = [
                group.create_task(self._woken.wait(), name="change")
            ]
            if seconds is not None:
                waiters.append(group.create_task(self._clock.sleep(seconds), name="due"))
            await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
            for waiter in waiters:
                waiter.cancel()

    async def _render(self) -> None:
        self._agenda.begin()
        values = self._values()
        if values is None:
            return
        try:
            owes = await self._applier.sync(values)
        except (PinnaceError, OSError) as error:
            is_final = isinstance(error, RenderError) and not isinstance(error, CheckFailed)
            pause = None if is_final else self._pause_render.next()
            self._agenda.render_failed(self._clock.monotonic(), pause)
            self._fail(str(error))
            return
        self._pause_render.reset()
        self.is_done_once = True
        if self._failure is not None:
            FAILING.dec()
            self._failure = None
        if owes:
            self._owe()

    @property
    def is_busy(self) -> bool:
        """Whether it is about to be rendered, or is being."""
        return self._placing.locked() or (self._agenda.is_due and self._values() is not None)

    @property
    def debt(self) -> int | None:
        """Return what tells one owed reload from a later one."""
        return self._debts if self._agenda.owes_reload else None

    async def run_reload(self) -> None:
        """Run the reload command. Raises ReloadFailed."""
        await self._applier.reload()

    async def settle(self, debt: int, failure: str | None) -> None:
        """Take a reload as this resource's own, unless it was placed again meanwhile."""
        if self._placing.locked():
            return  # it will owe another one
        async with self._placing:
            if self.debt != debt:
                return
            if failure is not None:
                self._fail_reload(failure)
                return
            await self._applier.forgive()
            self._agenda.reloaded(self._clock.monotonic())
        OWED.dec()
        self._pause_reload.reset()
        self._reload_failure = None
        _log.info(f"Target config {self.resource.dest} has been updated")

    def _fail_reload(self, why: str) -> None:
        self._agenda.reload_failed(self._clock.monotonic(), self._pause_reload.next())
        # Whoever of a group asked is named in the text: a text that differs is no news.
        tell = _log.error if self._reload_failure is None else _log.debug
        tell(f"{why}; it is tried again until it succeeds")
        self._reload_failure = why

    def _owe(self) -> None:
        self._debts += 1
        if not self._agenda.owes_reload:
            OWED.inc()
        self._agenda.owe(self._clock.monotonic())

    def _fail(self, why: str) -> None:
        """Tell a failure once; the same one again only at debug level."""
        if self._failure is None:
            FAILING.inc()
        if self._failure == why:
            _log.debug(why)
        else:
            _log.error(why)
        self._failure = why

    def _forget(self) -> None:
        if self._failure is not None:
            FAILING.dec()
        if self._agenda.owes_reload:
            OWED.dec()
