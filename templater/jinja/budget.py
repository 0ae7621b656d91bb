"""How much one rendering may take: steps, output, seconds. Pure: it is given the time.

A step is a turn of a loop, a call, a filter's element. The clock is asked every few steps, so a
template ends within its time as no single step can take long: what could is refused elsewhere
(``filters``, ``sandbox``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sidecar.errors import RenderError

__all__ = ["Budget", "LimitReached", "Limits"]

_LOOK: Final = 64


class LimitReached(RenderError):
    """A template takes more than it may."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one rendering; each far beyond what a configuration file needs."""

    steps: int = 2_000_000
    output: int = 16 << 20
    seconds: float = 5.0
    text: int = 4 << 20
    """The longest single text, and the most elements of a list that a template may make."""


class Budget:
    """What is left."""

    def __init__(self, limits: Limits, now: Callable[[], float]) -> None:
        """Begin to count."""
        self.limits = limits
        self._now = now
        self._ends = now() + limits.seconds
        self._steps = limits.steps
        self._look_at = max(0, limits.steps - _LOOK)
        self._room = limits.output

    def step(self, count: int = 1) -> None:
        """Take steps off. Raises LimitReached."""
        self._steps -= count
        if self._steps < self._look_at:
            if self._steps < 0:
                raise LimitReached(f"takes more than {self.limits.steps} steps")
            self._look_at = max(0, self._steps - _LOOK)
            if self._now() > self._ends:
                raise LimitReached(f"takes more than {self.limits.seconds:g} s")

    def write(self, size: int) -> None:
        """Take room off. Raises LimitReached."""
        self._room -= size
        if self._room < 0:
            raise LimitReached(f"writes more than {self.limits.output} characters")

    def fits(self, size: int) -> None:
        """Refuse a text or list of this size. Raises LimitReached."""
        if size > self.limits.text:
            raise LimitReached(f"makes a text or list of more than {self.limits.text}")
