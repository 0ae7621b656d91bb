"""From what was read to samples: numbers of containers, and how they become ``Measured``. Pure.

CPU is a difference between two readings: of nanoseconds used, by the time that passed. A reading
that fell (a container that began anew) is a first one.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sidecar.scheduler.scale import Measured
from sidecar.scheduler.sources.wanted import Kind, Wanted

__all__ = [
    "Sample",
    "Usage",
    "measured_of",
    "number_of",
    "rate_of",
    "series_of",
    "stub_of",
    "usage_of",
]

_ACTIVE: Final = re.compile(r"^Active connections:\s*(\d+)\s*$", re.MULTILINE | re.ASCII)
_HANDLED: Final = re.compile(r"^ *\d+ +\d+ +(\d+) *$", re.MULTILINE | re.ASCII)
_SERIES: Final = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?:\{(.*)\})?\s*", re.DOTALL)
_LABEL: Final = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)')
_ESCAPES: Final = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


class Sample(NamedTuple):
    """A number and when it was read."""

    value: float
    at: float


@dataclass(frozen=True, slots=True)
class Usage:
    """One reading of a container's statistics."""

    cpu: int
    """Nanoseconds of CPU used so far."""
    system: int
    """Nanoseconds of all CPUs of the host so far; 0 where that is not told."""
    cpus: int
    memory: int
    limit: int

    def cpu_share(self, before: "Usage", seconds: float, allowed: float) -> float | None:
        """Return the CPU used since an earlier reading, as a part of ``allowed`` CPUs."""
        used = self.cpu - before.cpu
        if used < 0 or seconds <= 0:
            return None
        return used / 1e9 / seconds / (allowed or 1.0)

    @property
    def memory_share(self) -> float | None:
        """Return the memory used as a part of the limit."""
        return self.memory / self.limit if self.limit else None


def usage_of(document: Mapping[str, Any]) -> Usage | None:
    """Return one reading of ``/containers/ID/stats``; None when the container does not run.

    Memory is what Docker's own client shows: without the page cache that can be given back.
    """
    cpu, memory = document.get("cpu_stats") or {}, document.get("memory_stats") or {}
    total = (cpu.get("cpu_usage") or {}).get("total_usage")
    used = memory.get("usage")
    if not isinstance(total, int) or not isinstance(used, int):
        return None
    stats = memory.get("stats") or {}
    cache = stats.get("inactive_file", stats.get("total_inactive_file", 0))
    return Usage(
        cpu=total,
        system=int(cpu.get("system_cpu_usage") or 0),
        cpus=int(cpu.get("online_cpus") or 1),
        memory=max(used - int(cache), 0),
        limit=int(memory.get("limit") or 0),
    )


def stub_of(text: str, *, requests: bool = False) -> float | None:
    """Return the connections that nginx' ``stub_status`` tells of, or all requests so far."""
    found = (_HANDLED if requests else _ACTIVE).search(text)
    return float(found[1]) if found else None


def rate_of(before: Sample | None, now: Sample) -> Sample | None:
    """Return by how much a count grew per second; None at first, and when it began anew."""
    if before is None or before.value > now.value or before.at >= now.at:
        return None
    return Sample((now.value - before.value) / (now.at - before.at), now.at)


def series_of(text: str, wanted: str) -> float | None:
    """Return the sum of the series of an exposition with this name and at least these labels."""
    asked = _SERIES.fullmatch(wanted.strip())
    if asked is None:
        return None
    name, labels = asked[1], _labels(asked[2] or "")
    total, found = 0.0, False
    for line in text.splitlines():
        if not line.startswith(name):
            continue
        head, value = _split(line)
        here = _SERIES.fullmatch(head)
        if here is None or here[1] != name or not labels.items() <= _labels(here[2] or "").items():
            continue
        number = number_of(value)
        if number is not None:
            total, found = total + number, True
    return total if found else None


def _split(line: str) -> tuple[str, str]:
    """Return a line's series and its value, without the time that may follow."""
    brace = line.rfind("}")
    if brace >= 0:
        head, rest = line[: brace + 1], line[brace + 1 :].split()
    else:
        words = line.split()
        head, rest = words[0], words[1:]
    return head, rest[0] if rest else ""


def _labels(text: str) -> dict[str, str]:
    return {
        match[1]: re.sub(r"\\.", lambda e: _ESCAPES.get(e[0], e[0]), match[2])
        for match in _LABEL.finditer(text)
    }


def number_of(text: str) -> float | None:
    """Return a finite number, or None."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def measured_of(
    wanted: Wanted,
    samples: Mapping[str, Sample],
    ready: Iterable[str],
    *,
    not_ready: int,
    now: float,
    oldest: float,
) -> Measured:
    """Return what scaling is decided by: samples of ready containers that are young enough.

    A kind that is not about single containers has its sample under the empty id: it is that of
    all together, or what each of them has in the mean.
    """
    ids = [*ready]
    if wanted.kind in {Kind.PROMETHEUS, Kind.KEY}:
        whole = samples.get("")
        if whole is None or now - whole.at > oldest:
            return Measured(failed=True)
        if wanted.metric.is_total:
            return Measured((whole.value,), not_ready=not_ready, ready=len(ids))
        return Measured((whole.value,) * len(ids), not_ready=not_ready, failed=not ids)
    found = [each.value for id_ in ids if (each := samples.get(id_)) and now - each.at <= oldest]
    if not found:
        return Measured(missing=len(ids), not_ready=not_ready, failed=True)
    return Measured(tuple(found), missing=len(ids) - len(found), not_ready=not_ready)
