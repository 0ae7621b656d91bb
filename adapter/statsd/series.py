"""Series: what a line of StatsD changes. Pure.

A series is found once, by the slow way, and from then on by the text of the line without its
value (``adapter.statsd.machine``). So each kind is small and knows how to take a number.
"""

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from math import inf
from typing import Final

from adapter.exposition import Spread
from adapter.statsd.mapping import Summary
from adapter.statsd.tally import Account
from adapter.statsd.windows import Window

__all__ = [
    "NOBODY",
    "Alias",
    "CounterSeries",
    "GaugeSeries",
    "HistogramSeries",
    "Nothing",
    "Observed",
    "Series",
    "SetSeries",
    "SummarySeries",
    "Wheel",
]

NOBODY: Final = Account("", "", 0, has_tags=False, renamed=0)
"""The account of a series that no plain line has changed yet."""

_MOST_MEMBERS: Final = 10_000
_LONGEST_MEMBER: Final = 200


class Wheel:
    """Counts the slices of all windows with the same settings."""

    __slots__ = ("now", "seconds", "settings")

    def __init__(self, settings: Summary, now: float) -> None:
        """Begin at a moment."""
        self.settings = settings
        self.seconds = max(settings.max_age / settings.age_buckets, 0.001)
        self.now = 0
        self.turn(now)

    def turn(self, now: float) -> None:
        """Find the slice of a moment."""
        self.now = int(now / self.seconds)


class Series:
    """One series: its text (``name{labels}``), its number, and when it was last changed."""

    __slots__ = ("account", "text", "touched", "ttl", "value")

    def __init__(self, text: str) -> None:
        """Begin at 0."""
        self.text = text
        self.account = NOBODY  # lines of this account change it without an alias
        self.value = 0.0
        self.touched = 0.0
        self.ttl = 0.0


class CounterSeries(Series):
    """Only grows."""

    __slots__ = ()


class GaugeSeries(Series):
    """Is set, or moved by what has a sign."""

    __slots__ = ()


class Observed(Series, ABC):
    """``value`` is the sum of what was observed."""

    __slots__ = ()

    @abstractmethod
    def observe(self, value: float, weight: int) -> None:
        """Take an observation that counts several times."""

    @abstractmethod
    def spread(self, labels: str) -> Spread:
        """Return what a scrape gets."""


class HistogramSeries(Observed):
    """Counts observations by bucket."""

    __slots__ = ("_bounds", "_counts")

    def __init__(self, text: str, bounds: Sequence[float]) -> None:
        """Take upper bounds, in order, without the infinite one."""
        super().__init__(text)
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)

    def observe(self, value: float, weight: int) -> None:
        """Take an observation; what is no number falls in the last bucket, as in Go."""
        at = bisect_left(self._bounds, value) if value == value else -1  # noqa: PLR0124
        self._counts[at] += weight
        self.value += value * weight

    def spread(self, labels: str) -> Spread:
        """Return counts up to each bound."""
        counts = [*accumulate(self._counts)]
        return Spread(labels, [*self._bounds, inf], counts, self.value, counts[-1])


class SummarySeries(Observed):
    """Counts observations, and keeps the latest for quantiles."""

    __slots__ = ("_wheel", "_window", "count")

    def __init__(self, text: str, wheel: Wheel) -> None:
        """Begin empty; the wheel says what time it is."""
        super().__init__(text)
        self._wheel = wheel
        self._window = Window()
        self.count = 0

    def observe(self, value: float, weight: int) -> None:
        """Take an observation."""
        wheel = self._wheel
        if value == value:  # noqa: PLR0124 - what is no number has no place among the others
            self._window.add(value, weight, wheel.now, wheel.settings)
        self.value += value * weight
        self.count += weight

    def spread(self, labels: str) -> Spread:
        """Return the values at the quantiles of the settings."""
        settings = self._wheel.settings
        edges = [quantile for quantile, _ in settings.quantiles]
        values = self._window.quantiles(self._wheel.now, settings)
        return Spread(labels, edges, values, self.value, self.count)


class SetSeries(GaugeSeries):
    """How many distinct members came in the last whole window; in the first one, so far."""

    __slots__ = ("_end", "_is_first", "_members", "_window")

    def __init__(self, text: str, window: float, now: float) -> None:
        """``window`` is in seconds."""
        super().__init__(text)
        self._window = window
        self._end = now + window
        self._is_first = True
        self._members: set[str] = set()

    def add(self, member: str, now: float) -> None:
        """Take a member; more than 10,000 of one window are not told apart."""
        self.turn(now)
        if len(self._members) < _MOST_MEMBERS:
            self._members.add(member[:_LONGEST_MEMBER])
        if self._is_first:
            self.value = float(len(self._members))

    def turn(self, now: float) -> None:
        """Begin a new window when the old one is over."""
        if now >= self._end:
            is_last = now < self._end + self._window
            self.value = float(len(self._members)) if is_last else 0.0
            self._members.clear()
            self._end = now + self._window
            self._is_first = False


class Nothing:
    """What a line leads to that a rule drops, or whose rate says that it counts zero times."""

    __slots__ = ("account",)

    def __init__(self, account: Account) -> None:
        """Count there."""
        self.account = account


class Alias:
    """A line that leads to a series otherwise than plainly: scaled, weighted, observed."""

    __slots__ = ("_divisor", "_scale", "_weight", "account", "series")

    def __init__(
        self,
        series: Series,
        account: Account,
        divisor: float,
        scale: float | None,
    ) -> None:
        """The account knows the weight."""
        self.series = series
        self.account = account
        self._divisor = divisor
        self._scale = 1.0 if scale is None else scale
        self._weight = account.weight

    def take(self, number: float, *, is_relative: bool) -> bool:
        """Change the series; False when a counter would fall."""
        number = number / self._divisor * self._scale
        series = self.series
        if isinstance(series, Observed):
            series.observe(number, self._weight)
        elif isinstance(series, CounterSeries):
            if number < 0:
                return False
            series.value += number
        elif is_relative:
            series.value += number
        else:
            series.value = number
        return True
