"""How long to wait before the next try: capped, jittered, exponential."""

import random
from collections.abc import Callable

__all__ = ["Backoff"]


class Backoff:
    """A growing delay; ``reset`` after success.

    Full jitter in the upper half (AWS architecture notes): each delay is drawn from
    [base/2, base], base doubling from ``first`` up to ``cap``, so a fleet does not march in step
    and no delay is near zero.
    """

    def __init__(
        self, first: float = 0.1, cap: float = 5.0, *, draw: Callable[[], float] = random.random
    ) -> None:
        """Delays go from ``first`` to ``cap`` seconds; ``draw`` returns [0, 1)."""
        self._first = first
        self._cap = cap
        self._draw = draw
        self.attempts = 0

    def next(self) -> float:
        """Return the next delay in seconds and count the attempt."""
        base = min(self._cap, self._first * float(1 << min(self.attempts, 32)))
        self.attempts += 1
        return base * (0.5 + 0.5 * self._draw())

    def reset(self) -> None:
        """Start again from the first delay."""
        self.attempts = 0
