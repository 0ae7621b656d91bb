"""The mapping file: its keys, defaults and mistakes. Pure.

The keys are statsd_exporter's. Ours are ``defaults.strict_order`` (the file's order is the only
one), ``defaults.counter_suffix`` and a ``*`` inside a field of a glob.
"""

import re
from collections.abc import Mapping as Keyed
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import isnan
from typing import Final

from adapter.documents import Node, document
from adapter.rules import labels_at, regex_at
from sidecar.catalog.regex import Regex

__all__ = ["BUCKETS", "Defaults", "Mapping", "Rule", "Summary", "mapping_of"]

BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
KINDS: Final = ("counter", "gauge", "observer")
_FIELD: Final = r"[A-Za-z0-9_*-]+"
_GLOB: Final = re.compile(rf"[A-Za-z_*][A-Za-z0-9_*-]*(?:\.{_FIELD})*", re.ASCII)
_REFERENCE: Final = r"\$\{?\d+\}?"
_NAME: Final = re.compile(rf"(?:[a-zA-Z_]|{_REFERENCE})(?:[a-zA-Z0-9_]|{_REFERENCE})*", re.ASCII)
_STEPS: Final = 100_000
"""Of a regular expression on one name: some milliseconds."""

_SUMMARY: Final = ("quantiles", "max_age", "age_buckets", "buf_cap")
_HISTOGRAM: Final = ("buckets", "native_histogram_bucket_factor", "native_histogram_max_buckets")
_OBSERVERS: Final = ("summary", "histogram")
_MATCHES: Final = ("glob", "regex")
_OLD: Final = ("timer_type", "buckets", "quantiles")
_DEFAULTS: Final = (
    *("observer_type", "match_type", "glob_disable_ordering", "ttl", "summary_options"),
    *("histogram_options", "strict_order", "counter_suffix"),
)
_RULE: Final = (
    *("match", "match_type", "name", "labels", "honor_labels", "observer_type", "help", "action"),
    *("match_metric_type", "ttl", "scale", "summary_options", "histogram_options"),
)

Keys = Keyed[str, Node]


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary's quantiles, each with the error that is allowed, and its window."""

    quantiles: tuple[tuple[float, float], ...] = ((0.5, 0.05), (0.9, 0.01), (0.99, 0.001))
    max_age: float = 600.0
    age_buckets: int = 5


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds where a rule says nothing, and where there is no rule."""

    observer_type: str = "summary"
    match_type: str = "glob"
    is_ordered: bool = True
    ttl: float = 0.0
    summary: Summary = Summary()
    buckets: tuple[float, ...] = BUCKETS
    is_strict: bool = False
    adds_total: bool = False
    says_observer: bool = field(default=False, compare=False)
    """Whether the file says the observer type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One mapping, with the defaults filled in."""

    number: int
    line: int
    match: str
    regex: Regex | None
    name: str
    labels: tuple[tuple[str, str], ...]
    honors_labels: bool
    observer_type: str
    help: str
    is_drop: bool
    kind: str
    """The only type of event it is for; nothing: all."""
    ttl: float
    scale: float | None
    summary: Summary
    buckets: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """A whole file."""

    defaults: Defaults = Defaults()
    rules: tuple[Rule, ...] = ()
    warnings: tuple[str, ...] = field(default=(), compare=False)


def mapping_of(text: str, name: str) -> Mapping:
    """Return what a file says. Raises ConfigError with every mistake."""
    root, problems = document(text, name)
    warnings: list[str] = []
    top = root.fields(("defaults", "mappings"))
    defaults = _defaults(top["defaults"], warnings)
    rules = [
        _rule(node, number, defaults, warnings)
        for number, node in enumerate(top["mappings"].elements())
    ]
    problems.check()
    found = tuple(rule for rule in rules if rule is not None)
    return Mapping(defaults, found, tuple(f"{name}: {warning}" for warning in warnings))


def _defaults(node: Node, warnings: list[str]) -> Defaults:
    keys = node.fields((*_DEFAULTS, *_OLD))
    observer, buckets, quantiles = _with_old(keys, warnings)
    start = Defaults()
    return Defaults(
        observer_type=observer.choice(_OBSERVERS, start.observer_type),
        match_type=keys["match_type"].choice(_MATCHES, start.match_type),
        is_ordered=not keys["glob_disable_ordering"].truth(),
        ttl=keys["ttl"].duration(0.0),
        summary=_summary(keys["summary_options"], start.summary, quantiles),
        buckets=_buckets(keys["histogram_options"], start.buckets, buckets),
        is_strict=keys["strict_order"].truth(),
        adds_total=keys["counter_suffix"].choice(("none", "auto"), "none") == "auto",
        says_observer=bool(observer),
    )


def _with_old(keys: Keys, warnings: list[str]) -> tuple[Node, Node, Node]:
    """Return the places of observer type, buckets and quantiles, which had other names once."""
    for old, new in zip(
        _OLD, ("observer_type", "histogram_options", "summary_options"), strict=True
    ):
        if keys[old]:
            warnings.append(f"line {keys[old].line}: {old} is an old name; use {new}")
    keys["timer_type"].choice(_OBSERVERS, "")
    observer = keys["observer_type"] or keys["timer_type"]
    return observer, keys["buckets"], keys["quantiles"]


def _rule(node: Node, number: int, defaults: Defaults, warnings: list[str]) -> Rule | None:
    keys = node.fields((*_RULE, *_OLD))
    observer, old_buckets, old_quantiles = _with_old(keys, warnings)
    match, name = keys["match"].text(), keys["name"].text()
    is_glob = keys["match_type"].choice(_MATCHES, defaults.match_type) == "glob"
    if is_glob and not _GLOB.fullmatch(match):
        keys["match"].wrong(f"invalid match {match!r}: fields of letters, digits, _ - *, and dots")
    if not name:
        node.wrong("needs a name")
    elif not _NAME.fullmatch(name):
        keys["name"].wrong(f"{name!r} cannot be the name of a metric")
    observer_type = observer.choice(_OBSERVERS, defaults.observer_type)
    _check_options(keys, observer_type, warnings, is_said=bool(observer) or defaults.says_observer)
    return Rule(
        number=number,
        line=node.line,
        match=match,
        regex=None if is_glob else regex_at(keys["match"], _STEPS),
        name=name,
        labels=labels_at(keys["labels"]),
        honors_labels=keys["honor_labels"].truth(),
        observer_type=observer_type,
        help=keys["help"].text(),
        is_drop=keys["action"].choice(("map", "drop"), "map") == "drop",
        kind=_kind(keys["match_metric_type"]),
        ttl=keys["ttl"].duration(0.0) or defaults.ttl,
        scale=keys["scale"].number(1.0) if keys["scale"] else None,
        summary=_summary(keys["summary_options"], defaults.summary, old_quantiles),
        buckets=_buckets(keys["histogram_options"], defaults.buckets, old_buckets),
    )


def _check_options(keys: Keys, observer: str, warnings: list[str], *, is_said: bool) -> None:
    """Note options of the other type; where nobody said which it is, the peer overlooks them."""
    other = "summary_options" if observer == "histogram" else "histogram_options"
    if keys[other] and is_said:
        keys[other].wrong(f"does not go with observer_type {observer}")
    elif keys[other]:
        warnings.append(
            f"line {keys[other].line}: {other} have no effect without observer_type histogram"
        )


def _kind(node: Node) -> str:
    """Return a type of event; ``timer`` is the old name of an observer."""
    kind = node.choice((*KINDS, "timer"), "")
    return "observer" if kind == "timer" else kind


def _summary(node: Node, start: Summary, old: Node) -> Summary:
    keys = node.fields(_SUMMARY)
    quantiles = _quantiles(_once(keys["quantiles"], old, "quantiles", "summary_options"))
    keys["buf_cap"].whole(500)
    return replace(
        start,
        quantiles=quantiles or start.quantiles,
        max_age=keys["max_age"].duration(0.0) or start.max_age,
        age_buckets=keys["age_buckets"].whole(0) or start.age_buckets,
    )


def _once(new: Node, old: Node, name: str, options: str) -> Node:
    """Return the place that says something, of the two that may."""
    if new and old:
        old.wrong(f"{name} is given twice, here and in {options}")
    return new or old


def _quantiles(node: Node) -> tuple[tuple[float, float], ...]:
    found = {}
    for element in node.elements():
        keys = element.fields(("quantile", "error"))
        quantile, error = keys["quantile"].number(-1.0), keys["error"].number(0.0)
        if not 0 <= quantile <= 1 or not 0 <= error <= 1:
            element.wrong("quantile and error must be from 0 to 1")
        found[quantile] = error
    return tuple(sorted(found.items()))


def _buckets(node: Node, start: Sequence[float], old: Node) -> tuple[float, ...]:
    keys = node.fields(_HISTOGRAM)
    keys["native_histogram_bucket_factor"].number(1.1)
    keys["native_histogram_max_buckets"].whole(256)
    place = _once(keys["buckets"], old, "buckets", "histogram_options")
    bounds = tuple(place.each(lambda element: element.number(0.0)))
    if any(isnan(bound) for bound in bounds):
        place.wrong("a bucket must be a number")
    if any(low >= high for low, high in pairwise(bounds)):
        place.wrong("must rise from each bucket to the next")
    return tuple(bound for bound in bounds if bound != float("inf")) or tuple(start)
