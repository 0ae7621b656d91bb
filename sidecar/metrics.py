"""Our own telemetry: names of metrics and where they are kept.

Names are ``pinnace_<package>_<noun>_<unit>[_total]`` (``dnsd_`` for the DNS server, whose names
follow CoreDNS), declared at the top of the module that counts; a test checks the pattern. The
adapters' big expositions do not come from here.

A metric is a number in a cell; prometheus_client, which takes a tenth of the start-up time, is
loaded when somebody looks (``sidecar.exposition``). All that counts runs on the loop's thread, or
may lose a count against one that does: no lock.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

    REGISTRY: CollectorRegistry

__all__ = [
    "CONTENT_TYPE",
    "FAMILIES",
    "LATE",
    "REGISTRY",
    "Cell",
    "Family",
    "Spread",
    "collected",
    "counter",
    "exposition",
    "gauge",
    "histogram",
]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
T = TypeVar("T")


class Cell:
    """A number."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        """Start at 0."""
        self.value = 0.0

    def inc(self, amount: float = 1.0) -> None:
        """Add to it."""
        self.value += amount

    def set(self, value: float) -> None:
        """Replace it."""
        self.value = float(value)


class Spread:
    """How often values fell between bounds, and their sum."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        """Start empty; ``bounds`` are upper ones, in order."""
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Family(Generic[T]):
    """A metric with its cells by label."""

    def __init__(
        self, kind: str, name: str, documentation: str, labels: Sequence[str], make: Callable[[], T]
    ) -> None:
        """Keep cells that ``make`` makes."""
        if name in FAMILIES:
            raise ValueError(f"{name} is declared twice")
        self.kind = kind
        self.name = name
        self.documentation = documentation
        self.label_names = tuple(labels)
        self.cells: dict[tuple[str, ...], T] = {}
        self._make = make
        FAMILIES[name] = self

    def labels(self, *values: object) -> T:
        """Return the cell of these values, in the order of the names."""
        key = tuple(map(str, values))
        cell = self.cells.get(key)
        if cell is None:
            if len(key) != len(self.label_names):
                raise ValueError(f"{self.name} has the labels {self.label_names}")
            cell = self.cells[key] = self._make()
        return cell


FAMILIES: Final[dict[str, Family[Any]]] = {}
"""Every metric that was declared, by name."""
LATE: "Final[list[Callable[[], Iterable[Metric]]]]" = []
"""What is only counted together when somebody looks."""


class Counting(Family[Cell]):
    """A counter or gauge; without labels it is its own only cell."""

    def inc(self, amount: float = 1.0) -> None:
        """Add to the cell without labels."""
        self.labels().inc(amount)

    def set(self, value: float) -> None:
        """Replace the cell without labels."""
        self.labels().set(value)


class Spreading(Family[Spread]):
    """A histogram; without labels it is its own only cell."""

    def observe(self, value: float) -> None:
        """Count a value in the cell without labels."""
        self.labels().observe(value)


def counter(name: str, documentation: str, labels: Sequence[str] = ()) -> Counting:
    """Declare a counter; its name ends in ``_total``."""
    return _declared(Counting("counter", name, documentation, labels, Cell))


def gauge(name: str, documentation: str, labels: Sequence[str] = ()) -> Counting:
    """Declare a gauge."""
    return _declared(Counting("gauge", name, documentation, labels, Cell))


def histogram(
    name: str, documentation: str, buckets: Sequence[float], labels: Sequence[str] = ()
) -> Spreading:
    """Declare a histogram with its upper bounds."""
    bounds = tuple(map(float, buckets))
    return _declared(Spreading("histogram", name, documentation, labels, lambda: Spread(bounds)))


F = TypeVar("F", bound=Family[Any])


def _declared(family: F) -> F:
    if not family.label_names:
        family.labels()  # so that it shows before it counts
    return family


def collected(function: "Callable[[], Iterable[Metric]]") -> None:
    """Ask this function too when somebody looks."""
    LATE.append(function)


def exposition() -> bytes:
    """Return all metrics in Prometheus' text format."""
    from sidecar.exposition import text  # noqa: PLC0415

    return text()


def __getattr__(name: str) -> object:
    """Return ``REGISTRY``, which prometheus_client makes when it is asked for."""
    if name == "REGISTRY":
        from sidecar.exposition import REGISTRY as found  # noqa: N811, PLC0415

        return found
    raise AttributeError(name)
