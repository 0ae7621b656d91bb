"""Metrics as text: Prometheus' text format 0.0.4 and OpenMetrics 1.0. Pure.

The rows of a family are ready text and a number, so that writing 100,000 of them is one f-string
each. Neither format renames a series (docs/decisions/0028-one-name-in-both-formats.md):
OpenMetrics wants counters to end in ``_total``, so there a counter that does not is ``unknown``.

Pieces are a few thousand lines each: who writes them to a socket lets others work in between.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import chain, islice
from math import inf
from typing import Final, Literal, NamedTuple

__all__ = [
    "OPENMETRICS",
    "TEXT",
    "Family",
    "Format",
    "Kind",
    "Spread",
    "duplicates",
    "label_text",
    "negotiated",
    "number",
    "pieces",
    "written",
]

Kind = Literal["counter", "gauge", "histogram", "summary", "unknown"]


class Format(NamedTuple):
    """One of the two formats."""

    content_type: str
    is_open: bool


TEXT: Final = Format("text/plain; version=0.0.4; charset=utf-8", is_open=False)
OPENMETRICS: Final = Format(
    "application/openmetrics-text; version=1.0.0; charset=utf-8", is_open=True
)

_PIECE: Final = 2000  # lines
_SPREAD_PIECE: Final = 500  # of summaries: each quantile is a walk through what was observed
_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_SPECIAL: Final = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", '"': '\\"'})
_HELP_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n"})
_QUALITY: Final = re.compile(r";\s*q\s*=\s*([0-9.]+)")


class Spread(NamedTuple):
    """A histogram's cumulative counts by upper bound, or a summary's values by quantile."""

    labels: str
    edges: Sequence[float]
    values: Sequence[float]
    sum: float
    observations: float


class Family:
    """A metric: its name, what it is, and its series.

    Counters, gauges and unknown ones have ``rows``: the text of a series, ``name{labels}``, and its
    value. Histograms and summaries have ``spreads``, and ``later`` those that are made only when
    they are written. Labels are ready text (``label_text``). That no two series are equal is the
    maker's promise (``duplicates`` tells).
    """

    __slots__ = ("help", "kind", "later", "name", "rows", "spreads")

    def __init__(self, name: str, kind: Kind, help_text: str = "") -> None:
        """Begin without series. Raises ValueError when the name cannot be written."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot be the name of a metric")
        self.name = name
        self.kind: Kind = kind
        self.help = help_text
        self.rows: list[tuple[str, float]] = []
        self.spreads: list[Spread] = []
        self.later: Iterator[Spread] | None = None

    def add(self, labels: Mapping[str, str], value: float) -> None:
        """Add a series of one number. Raises ValueError on a label that cannot be written."""
        self.rows.append((self.name + label_text(labels), value))

    def spread(
        self,
        labels: Mapping[str, str],
        values: Mapping[float, float],
        *,
        total: float,
        count: float,
    ) -> None:
        """Add a histogram (cumulative counts by upper bound) or a summary (by quantile).

        A histogram's bucket without bound is added here.
        """
        edges = dict(values)
        if self.kind == "histogram":
            edges[inf] = count
        self.spreads.append(Spread(label_text(labels), [*edges], [*edges.values()], total, count))


def label_text(labels: Mapping[str, str]) -> str:
    """Return ``{name="value",...}``, or nothing for none. Raises ValueError on a bad name."""
    if not labels:
        return ""
    for name in labels:
        if not _LABEL.fullmatch(name):
            raise ValueError(f"{name!r} cannot be the name of a label")
    pairs = [f'{name}="{value.translate(_ESCAPES)}"' for name, value in labels.items()]
    return "{" + ",".join(pairs) + "}"


def number(value: float) -> str:
    """Return a number as both formats take it."""
    text = repr(value)
    return _SPECIAL[text] if text[-1] in "fn" else text


def negotiated(accept: str) -> Format:
    """Return the format that an Accept header likes best; the text format in case of doubt."""
    likes = {True: 0.0, False: 0.0}
    for part in accept.split(","):
        kind = part.partition(";")[0].strip().lower()
        if kind in ("application/openmetrics-text", "text/plain"):
            is_open = kind[0] == "a"
            likes[is_open] = max(likes[is_open], _quality(part))
    return OPENMETRICS if likes[True] > likes[False] else TEXT


def _quality(part: str) -> float:
    found = _QUALITY.search(part)
    try:
        return float(found[1]) if found else 1.0
    except ValueError:
        return 0.0


def written(families: Iterable[Family], form: Format = TEXT) -> str:
    """Return everything as one text."""
    return "".join(pieces(families, form))


def pieces(families: Iterable[Family], form: Format = TEXT) -> Iterator[str]:
    """Return everything in pieces; families may be made on the way."""
    lines: list[str] = []
    if form.is_open:
        families = _without_clashes(families)
    for family in families:
        lines += _head(family, form)
        made = _lines(family, form)
        piece = _PIECE if family.later is None else _SPREAD_PIECE
        while more := list(islice(made, piece)):
            lines += more
            if len(lines) >= piece:
                yield "".join(lines)
                lines.clear()
    if form.is_open:
        lines.append("# EOF\n")
    yield "".join(lines)


def _head(family: Family, form: Format) -> tuple[str, str]:
    name, kind = family.name, family.kind
    if not form.is_open:
        text = family.help.translate(_HELP_ESCAPES)
        written_kind = "untyped" if kind == "unknown" else kind
        return f"# HELP {name} {text}\n", f"# TYPE {name} {written_kind}\n"
    if kind == "counter":
        name = name.removesuffix("_total")
    return f"# HELP {name} {family.help.translate(_ESCAPES)}\n", f"# TYPE {name} {kind}\n"


def _lines(family: Family, form: Format) -> Iterator[str]:
    is_spread = bool(family.spreads) or family.later is not None
    return _spread_lines(family, form) if is_spread else _row_lines(family)


def _row_lines(family: Family) -> Iterator[str]:
    for series, value in family.rows:
        text = repr(value)
        if text[-1] in "fn":
            text = _SPECIAL[text]
        yield f"{series} {text}\n"


def _spread_lines(family: Family, form: Format) -> Iterator[str]:
    name = family.name
    is_histogram = family.kind == "histogram"
    head = f"{name}_bucket{{" if is_histogram else f"{name}{{"
    label = "le" if is_histogram else "quantile"
    for labels, edges, values, total, count in chain(family.spreads, family.later or ()):
        before = f"{head}{labels[1:-1]}," if labels else head
        for edge, value in zip(_edges(tuple(edges), label, form), values, strict=True):
            yield f"{before}{edge} {number(value)}\n"
        yield f"{name}_sum{labels} {number(total)}\n"
        yield f"{name}_count{labels} {number(count)}\n"


@lru_cache(1000)
def _edges(edges: Sequence[float], label: str, form: Format) -> Sequence[str]:
    """Return ``le="..."}`` for each: they are names of series, so both say what Go says."""
    return [f'{label}="{_edge(float(edge), form)}"}}' for edge in edges]


def _edge(edge: float, form: Format) -> str:
    text = number(edge)
    if edge.is_integer() and abs(edge) >= 1e6:  # Go: 1e+06
        digits, _, power = f"{Decimal(text).normalize():e}".partition("e+")
        return f"{digits}e+{power:0>2}"
    return text if form.is_open else text.removesuffix(".0")


def _without_clashes(families: Iterable[Family]) -> Iterator[Family]:
    """Make a counter ``unknown`` where its name without ``_total`` is or may be another's."""
    everything = list(families)
    names = {family.name for family in everything}
    for family in everything:
        base = family.name.removesuffix("_total")
        is_clash = base == family.name or base in names or f"{base}_created" in names
        if family.kind == "counter" and is_clash:
            shown = Family(family.name, "unknown", family.help)
            shown.rows = family.rows
            yield shown
        else:
            yield family


def duplicates(families: Iterable[Family]) -> list[str]:
    """Return what occurs more than once: names of families, and series."""
    names: Counter[str] = Counter()
    series: Counter[str] = Counter()
    for family in families:
        names[f"# TYPE {family.name}"] += 1
        series.update(line.rpartition(" ")[0] for line in _lines(family, TEXT))
    return [what for what, count in (names + series).items() if count > 1]
