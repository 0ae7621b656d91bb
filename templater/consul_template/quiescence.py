"""When a template whose data keeps changing is written. Pure: it is told the time.

The first change waits ``least`` seconds and fixes a deadline ``most`` seconds away; each further
change waits ``least`` again, but never beyond the deadline.
"""

__all__ = ["Quiescence"]


class Quiescence:
    """One template's timer."""

    def __init__(self, least: float, most: float) -> None:
        """Start at rest."""
        self._least = least
        self._most = most
        self._deadline = 0.0
        self.due: float | None = None

    def tick(self, now: float) -> None:
        """Note a change."""
        if self.due is None:
            self._deadline = now + self._most
            self.due = now + min(self._least, self._most)
        else:
            self.due = max(self.due, min(now + self._least, self._deadline))

    def is_due(self, now: float) -> bool:
        """Say whether a change has waited long enough."""
        return self.due is not None and self.due <= now

    def rest(self) -> None:
        """Note that the template is written."""
        self.due = None
