"""What is to be done for each template, and when. Pure: it is told the time.

* A template is executed when an answer that it uses is new. Once all templates were written, one
  that has timers waits for quiescence; the first rendering never waits.
* What could not be written is tried again after a pause. A command is owed from the moment its
  file is replaced until it succeeds; equal commands are one, and run once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sidecar.runtime.backoff import Backoff
from templater.consul_template.quiescence import Quiescence
from templater.consul_template.settings import TemplateSettings

__all__ = ["Board", "Debt", "Row"]

_FIRST = 1.0
_SLOWEST_WRITE = 60.0
_SLOWEST_COMMAND = 30.0


@dataclass(slots=True)
class Debt:
    """A command that is owed by some templates."""

    owners: set[int] = field(default_factory=set)
    not_before: float = 0.0
    pause: Backoff = field(default_factory=lambda: Backoff(_FIRST, _SLOWEST_COMMAND))
    failure: str = ""


@dataclass(slots=True)
class Row:
    """One template's state."""

    settings: TemplateSettings
    is_dirty: bool = True
    is_written: bool = False
    """Whether its file was ever as it should be."""
    failure: str = ""
    not_before: float = 0.0
    quiescence: Quiescence | None = None
    pause: Backoff = field(default_factory=lambda: Backoff(_FIRST, _SLOWEST_WRITE))


class Board:
    """All templates of a run, by their number in the configuration."""

    def __init__(self, templates: Sequence[TemplateSettings], *, is_once: bool = False) -> None:
        """Everything is to be done."""
        self.rows = [Row(template) for template in templates]
        self.debts: dict[tuple[str, ...], Debt] = {}
        self._is_once = is_once
        self._is_complete = False

    # --- what happened

    def touch(self, users: Iterable[int], now: float) -> None:
        """Note that what these templates use is new."""
        for user in users:
            row = self.rows[user]
            if self._is_once and row.is_written:
                continue
            row.is_dirty = True
            row.not_before = 0.0
            if row.quiescence is not None:
                row.quiescence.tick(now)

    def begin(self, user: int) -> None:
        """Note that a template is executed now."""
        row = self.rows[user]
        row.is_dirty = False
        if row.quiescence is not None:
            row.quiescence.rest()

    def succeeded(self, user: int) -> None:
        """Note that a template's file is as it should be."""
        row = self.rows[user]
        row.is_written = True
        row.failure = ""
        row.pause.reset()

    def failed(self, user: int, why: str, now: float, *, again: bool) -> bool:
        """Note a failure, to be tried again later if ``again``; say whether it is a new one."""
        row = self.rows[user]
        is_new, row.failure = row.failure != why, why
        if again:
            row.is_dirty = True
            row.not_before = now + row.pause.next()
        return is_new

    def complete(self) -> bool:
        """Say whether every file was written once; from then on timers count."""
        if not self._is_complete and all(row.is_written for row in self.rows):
            self._is_complete = True
            for row in self.rows:
                wait = row.settings.wait
                if wait is not None and not self._is_once:
                    row.quiescence = Quiescence(wait.least, wait.most)
        return self._is_complete

    def owe(self, user: int) -> None:
        """Note that a template's command has to run."""
        command = self.rows[user].settings.run.command
        if command:
            debt = self.debts.setdefault(command, Debt())
            debt.owners.add(user)
            debt.not_before = 0.0

    def command_failed(self, command: tuple[str, ...], why: str, now: float) -> bool:
        """Note that a command failed; say whether differently from before."""
        debt = self.debts[command]
        debt.not_before = now + debt.pause.next()
        is_new, debt.failure = debt.failure != why, why
        return is_new

    # --- what is to be done

    def ready(self, now: float) -> list[int]:
        """Return the templates to execute now, in order."""
        return [user for user, row in enumerate(self.rows) if row.is_dirty and _at(row) <= now]

    def commands(self, now: float) -> list[tuple[str, ...]]:
        """Return the commands to run now, in the order of their templates."""
        due = [command for command, debt in self.debts.items() if debt.not_before <= now]
        return sorted(due, key=lambda command: min(self.debts[command].owners))

    def next(self, now: float) -> float | None:
        """Return how many seconds nothing is to be done; None: until something happens."""
        times = [_at(row) for row in self.rows if row.is_dirty]
        times += [debt.not_before for debt in self.debts.values()]
        return max(0.0, min(times) - now) if times else None

    def failures(self) -> list[str]:
        """Return what is wrong now, a line each."""
        lines = [f"{row.settings}: {row.failure}" for row in self.rows if row.failure]
        return lines + [debt.failure for debt in self.debts.values() if debt.failure]


def _at(row: Row) -> float:
    """Return when a template that has to be executed may be."""
    due = row.quiescence.due if row.quiescence is not None else None
    return max(row.not_before, due if due is not None else 0.0)
