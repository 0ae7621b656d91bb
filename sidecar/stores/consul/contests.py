"""Entries that another hand writes again and again: two that both insist must not race. Pure."""

from typing import Final

__all__ = ["Contests"]

_MOST: Final = 3
_WITHIN: Final = 60.0  # seconds; then we insist again


class Contests:
    """Counts by entry how often what we wrote was found changed."""

    def __init__(self) -> None:
        """Nothing was."""
        self._times: dict[str, list[float]] = {}

    def changed(self, id_: str, now: float) -> bool:
        """Take notice of another change; True when that is once too often."""
        times = [*self._recent(id_, now), now]
        self._times[id_] = times
        return len(times) == _MOST

    def is_lost(self, id_: str, now: float) -> bool:
        """Say whether the entry is left as it is for now."""
        return len(self._recent(id_, now)) >= _MOST

    def _recent(self, id_: str, now: float) -> list[float]:
        """Return when it was changed lately; forget what is long ago."""
        recent = [at for at in self._times.get(id_, ()) if now - at < _WITHIN]
        if not recent:
            self._times.pop(id_, None)
        return recent
