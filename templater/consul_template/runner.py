"""One life of the drop-in: templates, their data, their files, their commands, the child.

A pass takes all answers that have arrived, executes the templates that use one of them, writes
what differs, and then runs the commands of what was written, each once. Nothing that fails ends
the run unless the configuration says so: files stay, and it is tried again.
"""

import asyncio
import sys
from typing import Final

from sidecar.runtime.clock import Clock
from sidecar.runtime.command import Command, run
from sidecar.runtime.log import get_logger
from templater.consul_template.board import Board
from templater.consul_template.child import Child, ChildFailed
from templater.consul_template.data import UNKNOWN, Functions
from templater.consul_template.documents import Documents
from templater.consul_template.ending import FAILED, Ended, status_of
from templater.consul_template.making import Environments, Maker, Report
from templater.consul_template.queries import Query
from templater.consul_template.rendering import Interest
from templater.consul_template.settings import Settings, argv_of
from templater.consul_template.views import Views, ViewsMaker
from templater.counters import FAILING, OWED, RELOADS, RENDERS, RESOURCES

__all__ = ["Runner"]

_LOOK: Final = 1.0
_log = get_logger("consul-template")


class Runner:
    """Runs one set of settings; ``run`` returns the exit status."""

    def __init__(
        self,
        settings: Settings,
        views: ViewsMaker,
        world: Functions,
        environments: Environments,
        clock: Clock,
    ) -> None:
        """``views`` makes the watches that call back with each new answer."""
        self._settings = settings
        self._clock = clock
        self._environments = environments
        self._knowledge: dict[Query, object] = {}
        self._inbox: dict[Query, object] = {}
        self._woken = asyncio.Event()
        self._ending: int | None = None
        self._is_abrupt = False
        self._board = Board(settings.templates, is_once=settings.is_once)
        self._interest = Interest()
        self._documents = Documents(settings.templates, self._knowledge, world, clock)
        self._maker = Maker(settings, self._documents, environments)
        self._edited: set[int] = set()
        self._views: Views = views(self._receive)
        child = settings.child
        env = child.env.environ(environments.child, environments.secret)
        self._child = Child(child, env, clock) if child.command and not settings.is_dry else None
        self._is_reload_due = False

    # --- from outside

    def stop(self, status: int = 0, *, immediately: bool = False) -> None:
        """End after what is under way; ``immediately`` without the child's splay."""
        self._ending = status
        self._is_abrupt = immediately
        self._woken.set()

    def send(self, number: int) -> None:
        """Pass a signal on to the child."""
        if self._child is not None:
            self._child.send(number)

    def trouble(self) -> list[str]:
        """Return what is wrong now, a line each."""
        lines = self._board.failures()
        lines += [f"{self._name(user)}: {line}" for user, line in self._documents.mistakes.items()]
        away = self._views.trouble()
        lines += [away] if away else []
        if self._child is not None and self._child.is_away:
            lines.append("the child has ended and is not started again yet")
        lines += [
            f"{row.settings} is not rendered yet"
            for row in self._board.rows
            if not row.is_written and not row.failure
        ]
        return lines

    async def parse(self) -> int:
        """Only read and compile the templates; return the exit status."""
        await asyncio.to_thread(self._documents.refresh)
        mistakes = self._documents.mistakes
        for user, mistake in mistakes.items():
            _log.error("template is wrong", template=self._name(user), reason=mistake)
        return FAILED if mistakes else 0

    async def run(self) -> int:
        """Work until told to stop, until the child ends, or, once, until all is done."""
        RESOURCES.set(len(self._settings.templates))
        for user in await asyncio.to_thread(self._maker.prepare):
            _log.info("an earlier run did not run the command", template=self._name(user))
            self._board.owe(user)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._look(), name="look at templates")
                if self._child is not None:
                    group.create_task(self._mind(self._child), name="child")
                await self._work(group)
        except* Ended as ended:
            self._ending = status_of(ended)
        finally:
            self._views.close()
            if self._child is not None:
                await self._child.stop(immediately=self._is_abrupt)
        return self._ending or 0

    # --- the loop

    async def _work(self, group: asyncio.TaskGroup) -> None:
        while True:
            self._woken.clear()  # before looking: what comes after it is not missed
            if self._ending is not None:
                raise Ended(self._ending)
            if self._views.given_up is not None:
                _log.error("data cannot be read", reason=self._views.given_up)
                raise Ended(FAILED)
            self._take()
            await self._pass(group)
            await self._run_commands()
            await self._tend_child()
            FAILING.set(len(self._board.failures()) + len(self._documents.mistakes))
            OWED.set(len(self._board.debts))
            if self._settings.is_once:
                self._end_once()
            await self._wait(self._board.next(self._clock.monotonic()))

    def _receive(self, query: Query, value: object) -> None:
        self._inbox[query] = value
        self._woken.set()

    def _take(self) -> None:
        """Make what has arrived known; only here, so that a pass sees one state."""
        now = self._clock.monotonic()
        inbox, self._inbox = self._inbox, {}
        wanted = self._interest.all()
        fresh = {
            query: value
            for query, value in inbox.items()
            if query in wanted and value is not UNKNOWN
        }
        self._knowledge.update(fresh)
        self._board.touch(self._interest.concerned(fresh), now)
        edited, self._edited = self._edited, set()
        self._board.touch(edited, now)

    async def _pass(self, group: asyncio.TaskGroup) -> None:
        ready = self._board.ready(self._clock.monotonic())
        if not ready:
            return
        for user in ready:
            self._board.begin(user)
        for report in await asyncio.to_thread(self._maker.render, ready):
            self._account(report)
        for query in self._views.watch(self._interest.all(), group):
            self._knowledge.pop(query, None)

    def _account(self, report: Report) -> None:
        """Note what came of a template; tell what a person should know."""
        user, rendered = report.user, report.rendered
        # What failed may have asked less than it will: what it used before counts too.
        kept = self._interest.of(user) if report.failure else frozenset()
        self._interest.note(user, rendered.used | kept)
        if report.failure:
            RENDERS.labels("failed").inc()
            self._fail(report)
        elif rendered.text is not None:
            RENDERS.labels("changed" if report.is_changed else "same").inc()
            self._board.succeeded(user)
            if report.is_changed and not self._settings.is_dry:
                _log.info("rendered", template=self._name(user))
                self._is_reload_due = True
                self._board.owe(user)

    def _fail(self, report: Report) -> None:
        now = self._clock.monotonic()
        if self._board.failed(report.user, report.failure, now, again=report.again):
            _log.error("not rendered", template=self._name(report.user), reason=report.failure)
        if self._board.rows[report.user].settings.error_fatal:
            raise Ended(FAILED)

    async def _run_commands(self) -> None:
        for command in self._board.commands(self._clock.monotonic()):
            debt = self._board.debts[command]
            run_settings = self._board.rows[min(debt.owners)].settings.run
            env = run_settings.env.environ(self._environments.command, self._environments.own)
            timeout = run_settings.timeout or None
            _log.info("command started", command=" ".join(command))
            outcome = await run(Command(argv_of(command), timeout), env)
            RELOADS.labels("ok" if outcome.is_good else "failed").inc()
            if outcome.output:
                await asyncio.to_thread(_show, outcome.output)
            if outcome.is_good:
                del self._board.debts[command]
                await asyncio.to_thread(self._maker.settle, tuple(debt.owners))
                continue
            why = f"command {' '.join(command)} failed: {outcome}"
            if self._board.command_failed(command, why, self._clock.monotonic()):
                _log.error("it is tried again until it succeeds", reason=why)
            if self._settings.command_error_fatal:
                raise Ended(FAILED)

    async def _tend_child(self) -> None:
        """Start the child when every file was written; tell it of changes after that."""
        child = self._child
        is_due, self._is_reload_due = self._is_reload_due, False
        if not self._board.complete() or child is None:
            return
        try:
            if not child.is_started:
                await child.start()
            elif is_due:
                await child.reload()
        except ChildFailed as error:
            _log.error("child not started", reason=error)
            raise Ended(FAILED) from error

    def _end_once(self) -> None:
        """End when there is nothing left to do, or no hope of it."""
        failures = self._board.failures()
        undecided = [row for row in self._board.rows if not row.is_written and not row.failure]
        if undecided or (self._child is not None and not failures):
            return  # the child's end ends the run
        raise Ended(FAILED if failures else 0)

    async def _wait(self, seconds: float | None) -> None:
        if seconds == 0.0:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _mind(self, child: Child) -> None:
        """Let the child's end be ours, or start it again when it failed."""
        while True:
            status = await child.ended()
            if status == 0 or not self._settings.child.restarts:
                raise Ended(status)
            pause = child.pause()
            _log.error("child failed; it is started again", status=status, pause=f"{pause:.1f}s")
            await self._clock.sleep(pause)
            await child.revive()

    # --- templates

    async def _look(self) -> None:
        """Notice templates that were edited."""
        while not self._settings.is_once:
            await self._clock.sleep(_LOOK)
            edited = await asyncio.to_thread(self._documents.refresh)
            mistakes = self._documents.mistakes
            for user in edited & mistakes.keys():
                _log.error(
                    "template is wrong; the one before stays",
                    template=self._name(user),
                    reason=mistakes[user],
                )
            if edited:
                self._edited |= edited
                self._woken.set()

    def _name(self, user: int) -> str:
        return str(self._settings.templates[user])


def _show(output: str) -> None:
    sys.stdout.write(output)
    sys.stdout.flush()
