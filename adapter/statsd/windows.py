"""Quantiles over a sliding window. Pure.

Theory: the window is some slices of time. Observations of the running slice are kept as they come;
when there are many, they are sorted together with what was kept before and neighbours are merged
into runs that hold no more than a share of all observations, so that a run's middle stands for
each of its members. The share is a quarter of the smallest error that is asked for: what merging
again and again adds stays below the rest (a test measures it). A question sorts the runs of all
slices and walks to the rank wanted. Old slices leave whole, so memory is bounded by slices and
error, never by traffic.
"""

from array import array
from collections.abc import Sequence
from math import nan
from typing import Final

from adapter.statsd.mapping import Summary

__all__ = ["Window"]

_FULL: Final = 1024  # observations that are kept as they come
_FINEST: Final = 0.0005
_SHARE: Final = 4.0

_Point = tuple[float, float]
_Runs = tuple["array[float]", "array[float]"]


class Window:
    """What was observed lately."""

    __slots__ = ("_fresh", "_heavy", "_runs", "_slice")

    def __init__(self) -> None:
        """Begin with nothing; what is not used takes no room."""
        self._fresh: list[float] = []
        self._heavy: list[_Point] | None = None
        self._runs: dict[int, _Runs] | None = None
        self._slice = 0

    def add(self, value: float, weight: int, now: int, settings: Summary) -> None:
        """Add an observation in slice ``now``."""
        if now != self._slice:
            self._turn(now, settings)
        if weight == 1:
            self._fresh.append(value)
            if len(self._fresh) >= _FULL:
                self._merge(settings)
            return
        self._heavy = self._heavy or []
        self._heavy.append((value, float(weight)))
        if len(self._heavy) >= _FULL:
            self._merge(settings)

    def quantiles(self, now: int, settings: Summary) -> Sequence[float]:
        """Return each quantile of the settings; not a number when nothing was observed."""
        if now != self._slice:
            self._turn(now, settings)
        points = self._points()
        for values, weights in (self._runs or {}).values():
            points += zip(values, weights, strict=True)
        points.sort()
        total = sum(weight for _, weight in points)
        return [_at(points, quantile * total) for quantile, _ in settings.quantiles]

    def _turn(self, now: int, settings: Summary) -> None:
        """Begin another slice; what is too old is forgotten."""
        self._merge(settings)
        self._slice = now
        oldest = now - settings.age_buckets
        kept = {slice_: runs for slice_, runs in (self._runs or {}).items() if slice_ > oldest}
        self._runs = kept or None

    def _points(self) -> list[_Point]:
        return [(value, 1.0) for value in self._fresh] + (self._heavy or [])

    def _merge(self, settings: Summary) -> None:
        points = self._points()
        if not points:
            return
        self._fresh = []
        self._heavy = None
        self._runs = self._runs or {}
        old = self._runs.get(self._slice)
        if old is not None:
            points += zip(*old, strict=True)
        points.sort()
        finest = min((error for _, error in settings.quantiles), default=1.0)
        share = max(finest, _FINEST) / _SHARE
        self._runs[self._slice] = _runs(points, share * sum(weight for _, weight in points))


def _runs(points: Sequence[_Point], most: float) -> _Runs:
    """Return values and weights of runs of sorted points that weigh no more than ``most``."""
    values, weights = array("d"), array("d")
    begin = at = 0
    while at < len(points):
        begin, weight = at, points[at][1]
        at += 1
        while at < len(points) and weight + points[at][1] <= most:
            weight += points[at][1]
            at += 1
        values.append(points[(begin + at - 1) // 2][0])
        weights.append(weight)
    return values, weights


def _at(points: Sequence[_Point], rank: float) -> float:
    reached = 0.0
    for value, weight in points:
        reached += weight
        if reached >= rank:
            return value
    return points[-1][0] if points else nan
