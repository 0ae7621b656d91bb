"""Rules: the part of the YAML that names metrics. Pure."""

from typing import Final

from adapter.jmx.javaregex import JavaPattern, compiled
from adapter.jmx.javatemplate import Template, template
from adapter.jmx.numbers import java_number
from adapter.jmx.rules import Naming, Rule
from adapter.yamldoc import Item, Table

__all__ = ["naming_of", "rules_of"]

_TYPES: Final = ("COUNTER", "GAUGE", "UNKNOWN", "UNTYPED")


def naming_of(table: Table, base: Naming) -> Naming:
    """Return how names are changed."""
    return Naming(
        table.a("lowercaseOutputName", bool, base.lower_names),
        table.a("lowercaseOutputLabelNames", bool, base.lower_labels),
        table.a("inferCounterTypeFromName", bool, base.infer_counters),
    )


def rules_of(item: Item | None, base: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Return the rules; without any given, those of ``base``."""
    if item is None:
        return base
    return () if item.is_null else tuple(_rule(entry) for entry in item.items())


def _rule(item: Item) -> Rule:
    table = item.table()
    pattern = _pattern(table.get("pattern"))
    name, value, help_text = (table.get(key) for key in ("name", "value", "help"))
    labels = table.get("labels")
    if name is None and (labels is not None or help_text is not None):
        item.wrong("labels and help need a name")
    if (given := name or value) is not None and "pattern" not in table:
        given.wrong("needs a pattern")
    rule = Rule(
        pattern=pattern,
        name=_template(name, pattern),
        value=_template(value, pattern) if value is not None and value.written else None,
        factor=_factor(table.get("valueFactor")),
        labels=_labels(labels, pattern),
        help=_template(help_text, pattern),
        is_cached=table.a("cache", bool, default=False),
        type=table.one_of("type", _TYPES, "UNKNOWN"),
        snake_case=table.a("attrNameSnakeCase", bool, default=False),
    )
    table.finish()
    return rule


def _pattern(item: Item | None) -> JavaPattern | None:
    if item is None:
        return None
    try:
        return compiled(item.a(str, ""))
    except ValueError as error:
        item.wrong(str(error))
        return compiled("")


def _template(item: Item | None, pattern: JavaPattern | None) -> Template | None:
    if item is None or pattern is None:
        return None
    return _filled(item, item.a(str, ""), pattern)


def _filled(item: Item, text: str, pattern: JavaPattern) -> Template:
    try:
        return template(text, pattern.search)
    except ValueError as error:
        item.wrong(str(error))
        return Template(())


def _labels(
    item: Item | None, pattern: JavaPattern | None
) -> tuple[tuple[Template, Template], ...]:
    if item is None or pattern is None:
        return ()
    pairs = sorted(item.table().pairs(), key=lambda pair: pair[0])
    return tuple(
        (_filled(value, name, pattern), _filled(value, value.a(str, ""), pattern))
        for name, value in pairs
    )


def _factor(item: Item | None) -> float:
    if item is None:
        return 1.0
    found = java_number(item.written)
    if found is None:
        item.wrong("has to be a number")
        return 1.0
    return found
