"""Measured quantities beside their targets."""

import statistics
from collections.abc import Sequence

__all__ = ["Figure", "report"]


class Figure:
    """One measured quantity with its target."""

    def __init__(self, what: str, unit: str, target: float, values: Sequence[float]) -> None:
        """Take the raw values; the target is for their median."""
        self.what = what
        self.unit = unit
        self.target = target
        self.values = sorted(values)

    @property
    def met(self) -> bool:
        """Whether the median is within the target."""
        return statistics.median(self.values) <= self.target

    def __str__(self) -> str:
        """Return one line: median, worst, target."""
        middle, worst = statistics.median(self.values), self.values[-1]
        verdict = "met" if self.met else "MISSED"
        return (
            f"{self.what:<58} median {middle:8.2f} {self.unit:<3} worst {worst:8.2f}"
            f"  n={len(self.values):<3} target {self.target:g} {self.unit}: {verdict}"
        )


def report(figures: Sequence[Figure]) -> int:
    """Print all figures; return 1 when one was missed."""
    for figure in figures:
        print(figure)
    return 0 if all(figure.met for figure in figures) else 1
