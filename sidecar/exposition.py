"""The metrics as prometheus_client sees them; loaded when somebody looks at them first."""

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from sidecar.metrics import FAMILIES, LATE, Family, Spread

__all__ = ["REGISTRY", "text"]


class _Everything(Collector):
    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        for family in FAMILIES.values():
            yield _shown(family)
        for late in LATE:
            yield from late()


def _shown(family: Family[Any]) -> Metric:
    name, documentation, labels = family.name, family.documentation, family.label_names
    if family.kind == "histogram":
        return _histogram(family)
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    found = kind(name, documentation, labels=labels)
    for values, cell in list(family.cells.items()):
        found.add_metric(values, cell.value)
    return found


def _histogram(family: Family[Spread]) -> Metric:
    found = HistogramMetricFamily(family.name, family.documentation, labels=family.label_names)
    for values, spread in list(family.cells.items()):
        bounds = [*map(str, spread.bounds), "+Inf"]
        totals = map(float, accumulate(spread.counts))
        found.add_metric(values, list(zip(bounds, totals, strict=True)), spread.sum)
    return found


REGISTRY: Final = CollectorRegistry()
REGISTRY.register(_Everything())


def text() -> bytes:
    """Return all metrics in Prometheus' text format."""
    return generate_latest(REGISTRY)
