"""Which beans and attributes: the part of the YAML that selects. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from adapter.jmx.objectname import parse_pattern
from adapter.jmx.settings import Customizer, Extra, Key, Matcher, Selection
from adapter.yamldoc import Item, Table

__all__ = ["customizers_of", "selection_of"]


def selection_of(table: Table, base: Selection) -> Selection:
    """Return what is selected; what is not given stays as in ``base``."""
    include = table.get("includeObjectNames")
    older = table.get("whitelistObjectNames")
    exclude = table.get("excludeObjectNames")
    unwanted = table.get("blacklistObjectNames")
    include, exclude = include or older, exclude or unwanted
    only = table.get("includeObjectNameAttributes")
    never = table.get("excludeObjectNameAttributes")
    return replace(
        base,
        include=base.include if include is None else _patterns(include),
        exclude=base.exclude
        if exclude is None
        else tuple(matcher for _, matcher in _patterns(exclude)),
        without_jvm=table.a("excludeJvmMetrics", bool, base.without_jvm),
        attributes=base.attributes if only is None else (_attributes(only) or None),
        not_attributes=base.not_attributes if never is None else _attributes(never),
        auto_exclude=table.a("autoExcludeObjectNameAttributes", bool, base.auto_exclude),
    )


def _patterns(item: Item) -> tuple[tuple[str, Matcher], ...]:
    found = []
    for entry in [] if item.is_null else item.texts():
        try:
            pattern, matcher = parse_pattern(entry.written)
        except ValueError as error:
            entry.wrong(str(error))
        else:
            found.append((pattern.text, matcher))
    return tuple(found)


def _attributes(item: Item) -> Mapping[Key, frozenset[str]]:
    found: dict[Key, frozenset[str]] = {}
    for name, names in item.table().pairs():
        try:
            key = parse_pattern(name)[0].key
        except ValueError as error:
            names.wrong(str(error))
            continue
        found[key] = found.get(key, frozenset()) | {entry.written for entry in names.texts()}
    return found


def customizers_of(table: Table, base: tuple[Customizer, ...]) -> tuple[Customizer, ...]:
    """Return the ``metricCustomizers``."""
    item = table.get("metricCustomizers")
    return base if item is None else tuple(_customizer(entry) for entry in item.items())


def _customizer(item: Item) -> Customizer:
    table = item.table()
    domain, properties = "", dict[str, str]()
    if (chosen := table.get("mbeanFilter")) is None:
        item.wrong("mbeanFilter is needed")
    else:
        inner = chosen.table()
        domain = inner.a("domain", str, "")
        if not domain:
            chosen.wrong("domain is needed")
        if (given := inner.get("properties")) is not None:
            properties = {key: value.a(str, "") for key, value in given.table().pairs()}
        inner.finish()
    labels, extras = table.get("attributesAsLabels"), table.get("extraMetrics")
    if labels is None and extras is None:
        item.wrong("attributesAsLabels or extraMetrics is needed")
    table.finish()
    return Customizer(
        domain,
        properties,
        () if labels is None else tuple(entry.written for entry in labels.texts()),
        () if extras is None else tuple(_extra(entry) for entry in extras.items()),
    )


def _extra(item: Item) -> Extra:
    table = item.table()
    name, value = table.a("name", str, ""), table.get("value")
    found = None if value is None else value.plain()
    if not name:
        item.wrong("name is needed")
    if not isinstance(found, bool | int | float | str):
        (value or item).wrong("a value is needed: a number, text or boolean")
    extra = Extra(name, found, table.a("description", str, ""))
    table.finish()
    return extra
