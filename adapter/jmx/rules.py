"""Rules: from one value of a bean to a metric's name, labels and type. Pure.

A rule's pattern sees ``domain<key=value, ...><path, ...>attribute: value``. The first rule that
matches decides; none, and there is no sample. What is decided is a ``Recipe``, which serves every
later value of the same attribute when no rule on the way can look at the value
(``javaregex._Tail``): at the next scrape nothing is matched again.
"""

import re
from collections.abc import Mapping, Sequence
from math import inf
from typing import Final, NamedTuple

from adapter.exposition import Kind, label_text
from adapter.jmx.javapattern import JavaPattern, Matched
from adapter.jmx.javatemplate import Template
from adapter.jmx.leaves import Leaf
from adapter.jmx.numbers import java_number, java_text

__all__ = ["Judgement", "Naming", "Recipe", "Rule", "judge", "match_text", "safe_name", "snake"]

_KINDS: Final[Mapping[str, Kind]] = {"COUNTER": "counter", "GAUGE": "gauge"}
_UNSAFE: Final = re.compile(r"[^a-zA-Z0-9:]+")
_SUFFIXES: Final = ("_total", "_created", "_bucket", "_info")
"""Endings that client_java keeps for itself and takes off the names of metrics."""


class Rule(NamedTuple):
    """One rule of the file; without a name the metric gets the default one."""

    pattern: JavaPattern | None = None
    name: Template | None = None
    value: Template | None = None
    factor: float = 1.0
    labels: tuple[tuple[Template, Template], ...] = ()
    help: Template | None = None
    is_cached: bool = False
    type: str = "UNKNOWN"
    snake_case: bool = False

    @property
    def is_fixed(self) -> bool:
        """Whether what this rule does with an attribute is the same for each of its values."""
        if self.pattern is None or self.is_cached:
            return True
        templates = (self.name, self.value, self.help, *(t for pair in self.labels for t in pair))
        sees_all = any(template is not None and 0 in template.parts for template in templates)
        return self.pattern.is_fixed and not sees_all


class Naming(NamedTuple):
    """How all names are changed."""

    lower_names: bool = False
    lower_labels: bool = False
    infer_counters: bool = False


class Recipe:
    """What becomes of an attribute: everything but the number."""

    __slots__ = ("constant", "factor", "help", "kind", "labels", "match", "name", "rule", "text")

    def __init__(
        self,
        name: str,
        kind: Kind,
        help_text: str,
        labels: Mapping[str, str],
        *,
        match: str,
        rule: int,
        factor: float = 1.0,
        constant: float | None = None,
    ) -> None:
        """``match`` is the text without the value; ``constant`` takes the value's place."""
        self.name = name
        self.kind: Kind = kind
        self.help = help_text
        self.labels = {key: labels[key] for key in sorted(labels)}
        self.text = label_text(self.labels)
        self.match = match
        self.rule = rule
        self.factor = factor
        self.constant = constant

    def value(self, found: object) -> float | None:
        """Return the sample's number for what was read, or None where there is none."""
        if self.constant is not None:
            return self.constant * self.factor
        if found is True:
            return 1.0
        if found is False:
            return 0.0
        if isinstance(found, int | float):
            try:
                return float(found) * self.factor
            except OverflowError:
                return inf * self.factor if found > 0 else -inf * self.factor
        return None


class Judgement(NamedTuple):
    """A recipe or none, and whether that holds for every value; ``cached``: by a cached rule."""

    recipe: Recipe | None
    is_fixed: bool
    cached: bool = False


def match_text(domain: str, leaf: Leaf, name: str) -> str:
    """Return the text that patterns see, up to the colon before the value."""
    properties = ", ".join(f"{key}={value}" for key, value in leaf.properties.items())
    return f"{domain}<{properties}><{', '.join(leaf.path)}>{name}"


class _Case(NamedTuple):
    """One value before one rule."""

    domain: str
    leaf: Leaf
    attribute: str
    text: str
    rule: Rule
    number: int
    naming: Naming
    extra: Mapping[str, str]


def judge(
    domain: str,
    leaf: Leaf,
    rules: Sequence[Rule],
    naming: Naming,
    extra: Mapping[str, str],
) -> Judgement:
    """Return what the rules make of a value; ``extra`` are labels taken from attributes."""
    value_text = java_text(leaf.value)
    is_text = isinstance(leaf.value, str)
    is_fixed = True  # by all rules so far
    for index, rule in enumerate(rules):
        name = snake(leaf.name) if rule.snake_case else leaf.name
        text = match_text(domain, leaf, name)
        case = _Case(domain, leaf, name, text, rule, index, naming, extra)
        if rule.pattern is None:
            return Judgement(_default(case, None), is_fixed and not is_text)
        shown = "<cache>" if rule.is_cached else value_text
        is_fixed = is_fixed and rule.is_fixed
        match = rule.pattern.match(f"{text}: {shown}")
        if match is not None:
            recipe = _by_rule(case, match)
            holds = is_fixed and (rule.is_cached or not is_text)
            return Judgement(recipe, holds, rule.is_cached)
    return Judgement(None, is_fixed and not is_text)


def _by_rule(case: _Case, match: Matched) -> Recipe | None:
    rule, naming = case.rule, case.naming
    constant = None
    if rule.value is not None and (constant := java_number(rule.value.of(match))) is None:
        return None
    if rule.name is None:
        return _default(case, constant)
    name = safe_name(rule.name.of(match))
    if not name:
        return None
    labels = _attribute_labels(case.extra, naming)
    for key, value in rule.labels:
        label, filled = safe_name(key.of(match)), value.of(match)
        if label and filled:
            labels[_label(label, naming)] = filled
    help_text = _help(case) if rule.help is None else rule.help.of(match)
    return _recipe(case, name, help_text, labels, constant)


def _default(case: _Case, constant: float | None) -> Recipe:
    leaf, naming = case.leaf, case.naming
    first, *others = leaf.properties.items()
    name = safe_name("_".join([case.domain, first[1], *leaf.path, case.attribute]))
    labels = {_label(safe_name(key), naming): value for key, value in others}
    labels |= _attribute_labels(case.extra, naming)
    return _recipe(case, name, _help(case), labels, constant)


def _recipe(
    case: _Case, name: str, help_text: str, labels: Mapping[str, str], constant: float | None
) -> Recipe:
    rule = case.rule
    name = name.lower() if case.naming.lower_names else name
    is_counter = case.naming.infer_counters and name.endswith("_total")
    return Recipe(
        _unreserved(name),
        "counter" if is_counter else _KINDS.get(rule.type, "unknown"),
        help_text,
        labels,
        match=case.text,
        rule=case.number,
        factor=rule.factor,
        constant=constant,
    )


def _unreserved(name: str) -> str:
    again = True
    while again:
        again = False
        for suffix in _SUFFIXES:
            if name == suffix:
                return suffix[1:]
            if name.endswith(suffix):
                name, again = name.removesuffix(suffix), True
    return name


def _attribute_labels(extra: Mapping[str, str], naming: Naming) -> dict[str, str]:
    return {_label(safe_name(key), naming): value for key, value in extra.items()}


def _label(name: str, naming: Naming) -> str:
    name = name.replace(":", "_")
    return name.lower() if naming.lower_labels else name


def _help(case: _Case) -> str:
    leaf = case.leaf
    name = leaf.properties.get("name", "null")
    kind = leaf.properties.get("type", "null")
    text = f"{case.domain}:name={name},type={kind},attribute={leaf.name}"
    return text if leaf.description in {"", leaf.name} else f"{leaf.description} {text}"


def safe_name(name: str) -> str:
    """Return a name of a metric: other characters, and runs of them, become one ``_``."""
    safe = _UNSAFE.sub("_", name)
    # Java asks whether the first character is a digit of any script.
    return "_" + safe if name[:1].isdecimal() else safe


def snake(name: str) -> str:
    """Return ``heapMemoryUsed`` as ``heap_memory_used``; a run of capitals stays together."""
    out, after_upper = "", True
    for char in name:
        upper = char.isupper()
        out += ("_" if upper and not after_upper else "") + char.lower()
        after_upper = upper or char == "_"
    return out
