"""One life of the drop-in: answers become variables, variables the environment of the child.

Level-triggered: what has arrived is drained, then the variables are made anew from everything that
is known and compared with those the child was told of. The child starts once every query has an
answer, and without waiting; a later difference first has to be quiet for as long as ``wait`` says.
Then a command is run, or a signal sent, or, as in the original, the child is ended and another
started. What fails is tried again: a change is owed until the child knows it.
"""

import asyncio
import signal
from collections.abc import Mapping
from typing import Final

from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import Clock
from sidecar.runtime.command import Command, run
from sidecar.runtime.log import get_logger
from templater.consul_template.child import Child, ChildFailed
from templater.consul_template.data import UNKNOWN
from templater.consul_template.ending import FAILED, Ended, status_of
from templater.consul_template.queries import Query
from templater.consul_template.quiescence import Quiescence
from templater.consul_template.settings import argv_of
from templater.consul_template.views import ViewsMaker
from templater.envconsul.settings import Settings
from templater.envconsul.variables import Wanted, variables_of

__all__ = ["Runner"]

_COMMAND_LIMIT: Final = 30.0
_FIRST: Final = 1.0
_SLOWEST: Final = 30.0
_log = get_logger("envconsul")


class Runner:
    """Runs one set of settings; ``run`` returns the exit status."""

    def __init__(
        self,
        settings: Settings,
        wanted: tuple[Wanted, ...],
        views: ViewsMaker,
        environ: Mapping[str, str],
        clock: Clock,
    ) -> None:
        """``environ`` is what the child inherits, unless the settings say it is pristine."""
        self._settings = settings
        self._wanted = wanted
        self._inherited = environ
        self._clock = clock
        self._views = views(self._receive)
        self._knowledge: dict[Query, object] = {}
        self._woken = asyncio.Event()
        self._ending: int | None = None
        self._is_draining = False
        self._told: dict[str, str] | None = None
        self._due: float | None = None
        wait = settings.wait
        self._quiescence = Quiescence(wait.least, wait.most) if wait else Quiescence(0.0, 0.0)
        self._pause = Backoff(_FIRST, _SLOWEST)
        self._restart_at: float | None = None
        self._problems: frozenset[str] = frozenset()
        self._environment: dict[str, str] = {}
        # The child reads this mapping each time it starts: it always gets the newest values.
        self._child = Child(settings.child, self._environment, clock)
        self._is_over = False
        self._status: int | None = None
        self._minded = asyncio.Event()

    # --- from outside

    def stop(self, status: int) -> None:
        """End the child gracefully and then the run, with this status; asked again, at once."""
        if self._ending is not None:
            self._child.send(signal.SIGKILL)
        self._ending = status
        self._woken.set()

    def send(self, number: int) -> None:
        """Pass a signal on to the child."""
        self._child.send(number)

    def drain(self, number: int) -> None:
        """Pass on a signal that asks to end: the child's end is the run's, nothing starts again."""
        self._is_draining = True
        if not self._child.is_started or self._restart_at is not None:
            self.stop(0)
        self._child.send(number)

    def trouble(self) -> list[str]:
        """Return what is wrong now, a line each."""
        missing = [str(each.query) for each in self._wanted if each.query not in self._knowledge]
        lines = [f"{query} is not known yet" for query in missing]
        away = self._views.trouble()
        lines += [away] if away else []
        if self._restart_at is not None:
            lines.append("the child has ended and is not started again yet")
        if self._told is not None and self._not_before > self._clock.monotonic():
            lines.append("the child does not know the newest values: the reload command failed")
        return lines

    async def run(self) -> int:
        """Work until told to stop or until the child ends."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._mind(), name="child")
                self._views.watch({each.query for each in self._wanted}, group)
                await self._work()
        except* Ended as ended:
            self._ending = status_of(ended)
        finally:
            self._views.close()
            await self._child.stop(immediately=self._is_over)
        return self._ending or 0

    # --- the loop

    async def _work(self) -> None:
        while True:
            self._woken.clear()  # before looking: what comes after it is not missed
            if self._ending is not None:
                raise Ended(self._ending)
            if self._views.given_up is not None:
                _log.error("data cannot be read", reason=self._views.given_up)
                raise Ended(FAILED)
            if self._status is not None:
                self._account_for(self._status)
            await self._start_again()
            self._due = None
            if not self._is_draining:
                await self._reconcile()
            await self._wait()

    def _receive(self, query: Query, value: object) -> None:
        if value is not UNKNOWN:
            self._knowledge[query] = value
        self._woken.set()

    async def _reconcile(self) -> None:
        """Make the child know the variables that follow from what is known now."""
        if any(each.query not in self._knowledge for each in self._wanted):
            return
        found = variables_of(self._settings, self._wanted, self._knowledge)
        self._tell(found.problems)
        if found.values == self._told:
            self._quiescence.rest()
            return
        now = self._clock.monotonic()
        if self._told is None:
            await self._begin(found.values)
            return
        if self._is_news(found.values):
            self._quiescence.tick(now)
        due = max(self._quiescence.due or 0.0, self._not_before)
        if due > now:
            self._due = due
            return
        await self._change(found.values)

    _seen: Mapping[str, str] | None = None
    _not_before = 0.0

    def _is_news(self, values: Mapping[str, str]) -> bool:
        is_news, self._seen = values != self._seen, values
        return is_news

    async def _begin(self, values: dict[str, str]) -> None:
        self._adopt(values)
        await self._start()
        self._told = self._seen = values

    async def _change(self, values: dict[str, str]) -> None:
        """Tell the child of other values; on failure it is still owed."""
        self._adopt(values)
        _log.info("variables changed", names=", ".join(self._changed(values)))
        command = self._settings.reload_command
        if command and not await self._run(command):
            self._not_before = self._clock.monotonic() + self._pause.next()
            self._due = self._not_before
            return
        if self._restart_at is None and (not command or self._settings.child.reload_signal):
            try:
                await self._child.reload()
            except ChildFailed as error:
                self._failed_to_start(error)
            if self._status and self._settings.child.restarts:
                self._status = None  # it failed in the meantime, and has been started again
            self._minded.set()
        self._pause.reset()
        self._not_before = 0.0
        self._quiescence.rest()
        self._told = values

    def _changed(self, values: Mapping[str, str]) -> list[str]:
        told = self._told or {}
        names = told.keys() | values.keys()
        return sorted(name for name in names if told.get(name) != values.get(name))

    async def _run(self, command: tuple[str, ...]) -> bool:
        outcome = await run(Command(argv_of(command), _COMMAND_LIMIT), dict(self._environment))
        if not outcome.is_good:
            why = f"{' '.join(command)}: {outcome}"
            _log.error("reload command failed; it is tried again", reason=why)
        return outcome.is_good

    def _adopt(self, values: Mapping[str, str]) -> None:
        """Make the child's environment: what it inherits, the values, then chosen from both."""
        base = {} if self._settings.is_pristine else dict(self._inherited)
        fresh = self._settings.child.env.environ({**base, **values}, {})
        self._environment.clear()
        self._environment.update(fresh)

    def _tell(self, problems: tuple[str, ...]) -> None:
        for problem in problems:
            if problem not in self._problems:
                _log.warning(problem)
        self._problems = frozenset(problems)

    async def _wait(self) -> None:
        times = [time for time in (self._due, self._restart_at) if time is not None]
        seconds = max(0.0, min(times) - self._clock.monotonic()) if times else None
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return

    # --- the child

    async def _mind(self) -> None:
        """Notice each end of the child."""
        while True:
            status = await self._child.ended()
            self._minded.clear()
            self._status = status
            self._woken.set()
            await self._minded.wait()

    def _account_for(self, status: int) -> None:
        """Let the child's end be ours, or start it again in a while."""
        self._status = None
        if status == 0 or not self._settings.child.restarts or self._is_draining:
            if status:
                _log.error(f"unexpected exit from subprocess ({status})")
            self._is_over = True
            raise Ended(status)
        pause = self._child.pause()
        self._restart_at = self._clock.monotonic() + pause
        _log.error("child failed; it is started again", status=status, pause=f"{pause:.1f}s")

    async def _start_again(self) -> None:
        if self._restart_at is None or self._restart_at > self._clock.monotonic():
            return
        self._restart_at = None
        await self._start()

    async def _start(self) -> None:
        try:
            await self._child.start()
        except ChildFailed as error:
            self._failed_to_start(error)
        self._minded.set()

    def _failed_to_start(self, error: ChildFailed) -> None:
        if not self._settings.child.restarts:
            _log.error("child not started", reason=error)
            raise Ended(FAILED) from error
        self._account_for(FAILED)
