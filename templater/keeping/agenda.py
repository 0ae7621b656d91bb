"""When one resource is rendered and when its reload is due. Pure: it is told the time.

* A change waits until changes rest for ``debounce`` seconds, four times that at most, and at least
  ``batch`` after the first; the first rendering never waits.
* A reload that is owed stays owed until it succeeds. ``min_reload`` seconds lie between two: one
  that comes earlier is postponed, and all changes until then are in it. Rendering comes first, so
  that a reload has the newest; but after a second it waits no longer for changes without end.
* What failed is tried again after the pause that the caller names.
"""

import enum
from typing import Final

__all__ = ["Agenda", "Step"]

_LONGEST: Final = 4.0
_PATIENCE: Final = 1.0


class Step(enum.Enum):
    """What is to be done now."""

    RENDER = enum.auto()
    RELOAD = enum.auto()
    WAIT = enum.auto()


class Agenda:
    """What one resource has to do, and when."""

    def __init__(
        self, *, debounce: float = 0.0, batch: float = 0.0, min_reload: float = 0.0
    ) -> None:
        """Start with nothing to do."""
        self._debounce = debounce
        self._batch = batch
        self._min_reload = min_reload
        self._first: float | None = None
        self._last = 0.0
        self._at_once = True
        self._not_before = 0.0
        self._reload_at: float | None = None
        self._reloaded = float("-inf")

    @property
    def owes_reload(self) -> bool:
        """Whether a reload has yet to succeed."""
        return self._reload_at is not None

    @property
    def is_due(self) -> bool:
        """Whether it is to be rendered at the next occasion, not after a pause for a failure."""
        return self._first is not None and self._not_before == 0.0

    def change(self, now: float) -> None:
        """Note that the values or the template changed; an earlier failure waits no longer."""
        if self._first is None:
            self._first = now
        self._last = now
        self._not_before = 0.0

    def begin(self) -> None:
        """Note that rendering begins with what is known now."""
        self._first = None
        self._at_once = False

    def render_failed(self, now: float, pause: float | None) -> None:
        """Try again after a pause, or (None) at the next change only."""
        if pause is None:
            return
        if self._first is None:
            self._first = self._last = now
        self._not_before = now + pause

    def owe(self, now: float) -> None:
        """Note that the file is newer than what its readers know."""
        if self._reload_at is None:
            self._reload_at = max(now, self._reloaded + self._min_reload)

    def reloaded(self, now: float) -> None:
        """Note that a reload succeeded."""
        self._reload_at = None
        self._reloaded = now

    def reload_failed(self, now: float, pause: float) -> None:
        """Try the reload again after a pause."""
        self._reload_at = now + pause

    def next(self, now: float) -> tuple[Step, float | None]:
        """Return what to do, or how long to wait (None: until something changes)."""
        render_at = self._render_at()
        is_overdue = self._reload_at is not None and self._reload_at + _PATIENCE <= now
        if render_at is not None and render_at <= now and not is_overdue:
            return Step.RENDER, None
        if self._reload_at is not None and self._reload_at <= now:
            return Step.RELOAD, None
        times = [at for at in (render_at, self._reload_at) if at is not None]
        return Step.WAIT, min(times) - now if times else None

    def _render_at(self) -> float | None:
        if self._first is None:
            return None
        if self._at_once:
            return max(self._first, self._not_before)
        rest = min(self._last + self._debounce, self._first + _LONGEST * self._debounce)
        return max(rest, self._first + self._batch, self._not_before)
