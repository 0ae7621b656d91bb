"""What nginx's log of requests says of each endpoint. Pure.

nginx counts nothing by endpoint, but writes a line for each request that it passed on, when it is
done: group, addresses tried, what each answered, how long that took. Most lines are alike, so
they are counted before they are read.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

__all__ = ["Done", "Journal"]

_FIELDS: Final = 4
_BETWEEN: Final = re.compile(r", | : ")
_FAILED: Final = "502"  # what nginx says itself of a try that came to nothing
_SERVER_ERROR: Final = 500
_MEAN: Final = 1024  # answers, as HAProxy's means have
_LEAST: Final = 0.5  # seconds between two looks that tell a rate


@dataclass(slots=True)
class Done:
    """What one endpoint of one group has done."""

    requests: int = 0
    failures: int = 0
    retries: int = 0
    latency: float | None = None
    """Seconds until the answer began (of TCP: until connected)."""
    rate: float = 0.0
    fresh: int = 0
    timed: int = 0

    def count(self, times: int, *, failed: bool, retried: bool, seconds: float | None) -> None:
        """Add so many tries, all alike."""
        self.requests += times
        self.fresh += times
        self.failures += times * failed
        self.retries += times * retried
        if seconds is not None:
            self.timed = min(self.timed, _MEAN) + times
            self.latency = (self.latency or 0.0) + (
                (seconds - (self.latency or 0.0)) * times / self.timed
            )


class Journal:
    """The sums of all lines read, by group and address."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._done: dict[tuple[str, str], Done] = {}
        self._at: float | None = None

    def of(self, groups: Iterable[str], address: str) -> Done:
        """Return what an endpoint has done in all these groups."""
        found = [one for group in groups if (one := self._done.get((group, address))) is not None]
        if len(found) == 1:
            return found[0]
        return Done(
            requests=sum(one.requests for one in found),
            failures=sum(one.failures for one in found),
            retries=sum(one.retries for one in found),
            latency=max((one.latency for one in found if one.latency is not None), default=None),
            rate=sum(one.rate for one in found),
        )

    def keep(self, places: Iterable[tuple[str, str]]) -> None:
        """Forget all others than these groups and addresses."""
        self._done = {place: self._done[place] for place in places if place in self._done}

    def take(self, octets: bytes, at: float) -> None:
        """Add whole lines that were read at a moment."""
        for line, times in Counter(octets.split(b"\n")).items():
            self._line(line.decode("ascii", "replace"), times)
        elapsed = 0.0 if self._at is None else at - self._at
        if self._at is not None and elapsed < _LEAST:
            return
        self._at = at
        for done in self._done.values():
            # Workers write once a second, not all at once: half of it is what was before.
            done.rate = (done.rate + done.fresh / elapsed) / 2 if elapsed else 0.0
            done.fresh = 0

    def _line(self, line: str, times: int) -> None:
        fields = line.split(";")
        if len(fields) != _FIELDS:
            return
        group = fields[0]
        tried, answers, seconds = (_BETWEEN.split(field) for field in fields[1:])
        for number, address in enumerate(tried):
            if ":" not in address:
                continue  # the group's own name: no endpoint of it could be tried
            is_last = number == len(tried) - 1
            answer = answers[number] if len(answers) == len(tried) else _FAILED
            if is_last:
                answer = answers[-1]
            done = self._done.setdefault((group, address), Done())
            done.count(
                times,
                failed=answer.isdigit() and int(answer) >= _SERVER_ERROR,
                retried=not is_last,
                seconds=_seconds(seconds[number]) if number < len(seconds) else None,
            )


def _seconds(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None  # nothing was answered
