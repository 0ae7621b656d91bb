"""What the README of every package has: fixed headings, true examples, each of its metrics."""

import doctest
import re
from pathlib import Path

from sidecar.metrics import exposition

__all__ = ["HEADINGS", "declared_metrics", "headings", "run_examples", "shown_metrics"]

HEADINGS = ["Name", "Description", "Syntax", "Examples", "Metrics", "Readiness", "Limits"]


def headings(path: Path) -> list[str]:
    """Return the headings of the second level."""
    return re.findall(r"^## (.*)$", path.read_text(), re.MULTILINE)


def run_examples(path: Path) -> tuple[int, int]:
    """Return how many examples ran, and how many were wrong."""
    result = doctest.testfile(str(path), module_relative=False)
    return result.attempted, result.failed


def shown_metrics(path: Path, prefix: str) -> set[str]:
    """Return the metrics in its tables; the first cell of a row may have several."""
    cells = re.findall(r"^\| (`[^|]+) \|", path.read_text(), re.MULTILINE)
    return set(re.findall(rf"`({prefix}\w+)", " ".join(cells)))


def declared_metrics(prefix: str) -> set[str]:
    """Return the metrics that the code declares."""
    found = re.findall(rf"^# TYPE ({prefix}\w+) ", exposition().decode(), re.MULTILINE)
    return {name for name in found if not name.endswith("_created")}
