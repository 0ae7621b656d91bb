"""Bring one destination to what its template says, in confd's order of things.

Render, stage, compare, check, place, reload. Whatever fails before the placing leaves the old file;
what fails after it leaves a reload owed, which is written down beside the file before the placing.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from grp import getgrnam
from pathlib import Path
from pwd import getpwnam
from typing import Generic, Protocol, TypeVar

from sidecar.errors import ReloadFailed, RenderError
from sidecar.golang.quoting import quoted
from sidecar.runtime.command import Command, Outcome, run
from sidecar.runtime.log import get_logger
from templater.counters import RELOADS, RENDERS
from templater.files.diff import unified
from templater.files.owed import Owed
from templater.files.stage import Stage, remove_leftovers
from templater.keeping.target import Target

__all__ = ["Applier", "CheckFailed", "Rendering", "Rules"]

V_contra = TypeVar("V_contra", contravariant=True)

_log = get_logger("templater")


class CheckFailed(RenderError):
    """A check command refused the staged file; the same file may be good later."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for all files of a run."""

    is_noop: bool
    is_sync_only: bool
    keeps_stage: bool
    environ: Mapping[str, str]
    """For commands: without secrets."""
    show: Callable[[str], None] | None = None
    """Takes what would change, as a diff."""
    diff_context: int = 3
    is_colored: bool = False
    needs_owner: bool = False
    """Whether an owner or group that is unknown is an error (the fork), or left (confd)."""


class Rendering(Protocol[V_contra]):
    """What makes the content of a file."""

    source: Path

    @property
    def sources(self) -> tuple[Path, ...]:
        """Return the files that the last rendering was made of."""

    def render(self, values: V_contra, /) -> bytes:
        """Return the content. Blocks. Raises RenderError."""

    def concerned(self, keys: frozenset[str], /) -> bool:
        """Say whether the last rendering looked at one of these."""


class Applier(ABC, Generic[V_contra]):
    """Keeps one destination; one call at a time."""

    def __init__(self, target: Target, renderer: Rendering[V_contra], rules: Rules) -> None:
        """Prepare; nothing is touched yet."""
        self.target = target
        self.renderer = renderer
        self._rules = rules
        self._destination = Path(target.dest)
        self._owed = Owed(self._destination)
        self._told: set[str] = set()

    @property
    @abstractmethod
    def has_reload(self) -> bool:
        """Whether somebody is to be told of a new file."""

    @abstractmethod
    def check_command(self, staged: Path) -> Command | None:
        """Return what decides whether a staged file is good. Raises RenderError."""

    @abstractmethod
    def reload_command(self) -> Command | None:
        """Return what tells the readers of the file."""

    async def prepare(self) -> bool:
        """Remove what a killed run left; say whether it owed a reload."""
        return await asyncio.to_thread(self._prepare)

    async def sync(self, values: V_contra) -> bool:
        """Make the file what it should be; say whether a reload is owed now.

        Raises RenderError (another try makes sense only after a change), CheckFailed and
        TransientError (it makes sense later).
        """
        try:
            stage = await asyncio.to_thread(self._staged, values)
        except RenderError:
            RENDERS.labels("failed").inc()
            raise
        try:
            return await self._take(stage)
        finally:
            if stage.is_open:
                await asyncio.to_thread(stage.discard)

    async def reload(self) -> None:
        """Run the reload command. Raises ReloadFailed; the reload is owed until this succeeds."""
        command = None if self._rules.is_sync_only else self.reload_command()
        if command is not None:
            outcome = await self._run(command)
            RELOADS.labels("ok" if outcome.is_good else "failed").inc()
            if not outcome.is_good:
                raise ReloadFailed(f"reload of {self.target.dest} failed: {outcome}")
        await self.forgive()

    async def forgive(self) -> None:
        """Take a reload that somebody else ran as ours."""
        await asyncio.to_thread(self._owed.clear)

    def _prepare(self) -> bool:
        if self._rules.is_noop:
            return False
        if not self._rules.keeps_stage:
            for path in remove_leftovers(self._destination):
                _log.info(f"removed {path}, left by a run that was killed")
        if not self._owed.is_set():
            return False
        if not self.has_reload:
            self._owed.clear()
            return False
        return not self._rules.is_sync_only

    def _staged(self, values: V_contra) -> Stage:
        target = self.target
        content = self.renderer.render(values)
        uid, gid = self._owner()
        stage = Stage.make(self._destination, content, mode=target.mode, uid=uid, gid=gid)
        stage.keep = self._rules.keeps_stage
        if self._rules.show is not None and stage.changes:
            rules = self._rules
            self._rules.show(
                unified(
                    target.dest, stage.before, content, rules.diff_context, color=rules.is_colored
                )
            )
        return stage

    def _owner(self) -> tuple[int, int]:
        """Return uid and gid; names count where no number is given. Raises RenderError."""
        target = self.target
        return (
            self._id(target.uid, target.owner, "owner", lambda name: getpwnam(name).pw_uid),
            self._id(target.gid, target.group, "group", lambda name: getgrnam(name).gr_gid),
        )

    def _id(self, number: int, name: str, what: str, known: Callable[[str], int]) -> int:
        if number >= 0 or not name:
            return number
        found = _id_of(name, known)
        if found is None:
            words = f"{self.target.name}: {what} {name!r} is not known here"
            if self._rules.needs_owner:
                raise RenderError(words)
            if words not in self._told:
                _log.warning(f"{words}; it is left as confd leaves it")
                self._told.add(words)
        return -1 if found is None else found

    async def _take(self, stage: Stage) -> bool:
        """Check and place a stage that differs; log as confd does."""
        dest = self.target.dest
        if self._rules.keeps_stage:
            _log.info(f"Keeping staged file: {stage.path}")
        _log.debug(f"Comparing candidate config to {dest}")
        for change in () if stage.is_new else stage.changes:
            _log.info(change)
        if self._rules.is_noop:
            _log.warning(f"Noop mode enabled. {dest} will not be modified")
            return False
        if not stage.changes:
            RENDERS.labels("same").inc()
            _log.debug(f"Target config {dest} in sync")
            return False
        _log.info(f"Target config {dest} out of sync")
        await self._check(stage)
        _log.debug(f"Overwriting target config {dest}")
        owes = self.has_reload and not self._rules.is_sync_only
        await asyncio.to_thread(self._place, stage, owes)
        RENDERS.labels("changed").inc()
        if not owes:
            _log.info(f"Target config {dest} has been updated")
        return owes

    def _place(self, stage: Stage, owes: bool) -> None:
        had = self._owed.is_set()
        if owes and not self._owed.set():
            _log.warning(f"cannot note beside {self.target.dest} that a reload is owed")
        try:
            stage.place()
        except Exception:
            if owes and not had:
                self._owed.clear()
            raise
        stage.discard()  # here, because another thread costs more than the whole of it

    async def _check(self, stage: Stage) -> None:
        command = None if self._rules.is_sync_only else self.check_command(stage.path)
        if command is None:
            return
        outcome = await self._run(command)
        if not outcome.is_good:
            RENDERS.labels("refused").inc()
            raise CheckFailed(f"Config check failed: {outcome}")

    async def _run(self, command: Command) -> Outcome:
        _log.debug(f"Running {command}")
        outcome = await run(command, self._rules.environ)
        if outcome.is_good:
            _log.debug(quoted(outcome.output))
        else:
            _log.error(quoted(outcome.output))
        return outcome


def _id_of(name: str, known: Callable[[str], int]) -> int | None:
    """Return the number of a name, None when nobody has it."""
    try:
        return known(name)
    except KeyError:
        return None
