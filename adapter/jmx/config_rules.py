"""Rules: the part of the YAML that names metrics. Pure."""

from collections.abc import Mapping
from typing import Final

from adapter.documents import Node
from adapter.jmx.javapattern import JavaPattern
from adapter.jmx.javaregex import compiled
from adapter.jmx.javatemplate import Template, template
from adapter.jmx.numbers import java_number
from adapter.jmx.rules import Naming, Rule

__all__ = ["NAMING_KEYS", "naming_of", "rules_of"]

NAMING_KEYS: Final = (
    "lowercaseOutputName",
    "lowercaseOutputLabelNames",
    "inferCounterTypeFromName",
)
_KEYS: Final = (
    "pattern", "name", "value", "valueFactor", "labels", "help", "cache", "type",
    "attrNameSnakeCase",
)  # fmt: skip
_TYPES: Final = ("COUNTER", "GAUGE", "UNKNOWN", "UNTYPED")


def naming_of(fields: Mapping[str, Node], base: Naming) -> Naming:
    """Return how names are changed."""
    return Naming(
        *(fields[key].truth(default=old) for key, old in zip(NAMING_KEYS, base, strict=True))
    )


def rules_of(node: Node, base: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Return the rules; without any given, those of ``base``. An empty list exports nothing."""
    return tuple(node.each(_rule)) if node else base


def _rule(node: Node) -> Rule:
    fields = node.fields(_KEYS)
    pattern = _pattern(fields["pattern"])
    name, value, help_text = fields["name"], fields["value"], fields["help"]
    labels = fields["labels"]
    if not name and (labels or help_text):
        node.wrong("labels and help need a name")
    for given in (name, value):
        if given and pattern is None:
            given.wrong("needs a pattern")
    return Rule(
        pattern=pattern,
        name=_template(name, pattern),
        value=_template(value, pattern) if value.text() else None,
        factor=_factor(fields["valueFactor"]),
        labels=_labels(labels, pattern),
        help=_template(help_text, pattern),
        is_cached=fields["cache"].truth(),
        type=_type(fields["type"]),
        snake_case=fields["attrNameSnakeCase"].truth(),
    )


def _type(node: Node) -> str:
    """Return a type; the peer takes any other word for none."""
    text = node.text("UNKNOWN")
    if text in _TYPES:
        return text
    node.warn(f"{text!r} is none of {', '.join(_TYPES)}: the metric has no type")
    return "UNKNOWN"


def _pattern(node: Node) -> JavaPattern | None:
    if not node:
        return None
    try:
        return compiled(node.text())
    except ValueError as error:
        node.wrong(str(error))
        return compiled("")


def _template(node: Node, pattern: JavaPattern | None) -> Template | None:
    return _filled(node, node.text(), pattern) if node and pattern is not None else None


def _filled(node: Node, text: str, pattern: JavaPattern) -> Template:
    try:
        return template(text, pattern.search)
    except ValueError as error:
        node.wrong(str(error))
        return Template(())


def _labels(node: Node, pattern: JavaPattern | None) -> tuple[tuple[Template, Template], ...]:
    if pattern is None:
        return ()
    pairs = sorted(node.items(), key=lambda pair: pair[0])
    return tuple(
        (_filled(value, name, pattern), _filled(value, value.text(), pattern))
        for name, value in pairs
    )


def _factor(node: Node) -> float:
    found = java_number(node.text("1"))
    if found is None:
        node.wrong("has to be a number")
        return 1.0
    return found
