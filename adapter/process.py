"""The process's own numbers: ``process_*`` as other exporters have them, and ``pinnace_*``."""

import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import Any

from adapter.exposition import Family, Kind
from sidecar.metrics import FAMILIES
from sidecar.metrics import Family as Counted

__all__ = ["PROCESS", "pinnace_families", "process_families"]

PROCESS: "frozenset[str]" = frozenset(
    f"process_{name}"
    for name in (
        *("cpu_seconds_total", "resident_memory_bytes", "virtual_memory_bytes"),
        *("start_time_seconds", "open_fds", "max_fds"),
    )
)
"""Names of the first kind."""


def process_families() -> list[Family]:
    """Return what the system knows of this process; it reads files, so not in the loop."""
    used = os.times()
    found: list[tuple[str, Kind, str, float]] = [
        ("cpu_seconds_total", "counter", "CPU time, user and system.", used.user + used.system),
        (
            "max_fds",
            "gauge",
            "Most open descriptors.",
            resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        ),
    ]
    with suppress(OSError, ValueError, IndexError):
        found += _from_proc(Path("/proc/self"))
    families = []
    for name, kind, text, value in found:
        family = Family(f"process_{name}", kind, text)
        family.add({}, value)
        families.append(family)
    return families


def _from_proc(place: Path) -> Iterator[tuple[str, Kind, str, float]]:
    # The name of the program, in brackets, may hold anything.
    fields = (place / "stat").read_text().rpartition(")")[2].split()
    booted = next(
        float(line.split()[1])
        for line in Path("/proc/stat").read_text().splitlines()
        if line.startswith("btime ")
    )
    started = booted + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    yield "start_time_seconds", "gauge", "When the process began.", started
    yield "virtual_memory_bytes", "gauge", "Virtual memory.", int(fields[20])
    resident = int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    yield "resident_memory_bytes", "gauge", "Resident memory.", resident
    yield "open_fds", "gauge", "Open descriptors.", len([*(place / "fd").iterdir()])


def pinnace_families() -> list[Family]:
    """Return what every part of Pinnace counts in this process."""
    return [_shown(family) for family in list(FAMILIES.values())]


def _shown(counted: Counted[Any]) -> Family:
    family = Family(counted.name, counted.kind, counted.documentation)  # type: ignore[arg-type]
    for values, cell in list(counted.cells.items()):
        labels = dict(zip(counted.label_names, values, strict=True))
        if counted.kind == "histogram":
            totals = [*accumulate(cell.counts)]
            edges = dict(zip(cell.bounds, totals, strict=False))
            family.spread(labels, edges, total=cell.sum, count=totals[-1])
        else:
            family.add(labels, cell.value)
    return family
