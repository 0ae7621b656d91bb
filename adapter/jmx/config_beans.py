"""Which beans and attributes: the part of the YAML that selects. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from adapter.documents import Node
from adapter.jmx.objectname import parse_pattern
from adapter.jmx.settings import Customizer, Extra, Key, Matcher, Selection

__all__ = ["KEYS", "customizers_of", "selection_of"]

KEYS: Final = (
    "includeObjectNames", "whitelistObjectNames", "excludeObjectNames", "blacklistObjectNames",
    "excludeJvmMetrics", "includeObjectNameAttributes", "excludeObjectNameAttributes",
    "autoExcludeObjectNameAttributes", "metricCustomizers",
)  # fmt: skip


def selection_of(fields: Mapping[str, Node], base: Selection) -> Selection:
    """Return what is selected; what is not given stays as in ``base``."""
    include = fields["includeObjectNames"] or fields["whitelistObjectNames"]
    exclude = fields["excludeObjectNames"] or fields["blacklistObjectNames"]
    only, never = fields["includeObjectNameAttributes"], fields["excludeObjectNameAttributes"]
    found = replace(
        base,
        without_jvm=fields["excludeJvmMetrics"].truth(default=base.without_jvm),
        auto_exclude=fields["autoExcludeObjectNameAttributes"].truth(default=base.auto_exclude),
    )
    if include:
        found = replace(found, include=_patterns(include))
    if exclude:
        found = replace(found, exclude=tuple(matcher for _, matcher in _patterns(exclude)))
    if only:
        found = replace(found, attributes=_attributes(only) or None)
    if never:
        found = replace(found, not_attributes=_attributes(never))
    return found


def _patterns(node: Node) -> tuple[tuple[str, Matcher], ...]:
    found = []
    for entry in node.elements():
        try:
            pattern, matcher = parse_pattern(entry.text())
        except ValueError as error:
            entry.wrong(str(error))
        else:
            found.append((pattern.text, matcher))
    return tuple(found)


def _attributes(node: Node) -> Mapping[Key, frozenset[str]]:
    found: dict[Key, frozenset[str]] = {}
    for name, names in node.items():
        try:
            key = parse_pattern(name)[0].key
        except ValueError as error:
            names.wrong(str(error))
            continue
        found[key] = found.get(key, frozenset()) | {entry.text() for entry in names.elements()}
    return found


def customizers_of(node: Node, base: tuple[Customizer, ...]) -> tuple[Customizer, ...]:
    """Return the ``metricCustomizers``."""
    return tuple(node.each(_customizer)) if node else base


def _customizer(node: Node) -> Customizer:
    fields = node.fields(("mbeanFilter", "attributesAsLabels", "extraMetrics"))
    chosen = fields["mbeanFilter"]
    inner = chosen.fields(("domain", "properties"))
    domain = inner["domain"].text()
    if not chosen:
        node.wrong("mbeanFilter is needed")
    elif not domain:
        chosen.wrong("domain is needed")
    labels, extras = fields["attributesAsLabels"], fields["extraMetrics"]
    if not labels and not extras:
        node.wrong("attributesAsLabels or extraMetrics is needed")
    return Customizer(
        domain,
        {key: value.text() for key, value in inner["properties"].items()},
        tuple(labels.each(Node.text)),
        tuple(extras.each(_extra)),
    )


def _extra(node: Node) -> Extra:
    fields = node.fields(("name", "value", "description"))
    name, value = fields["name"].text(), fields["value"]
    if not name:
        node.wrong("name is needed")
    if not value:
        node.wrong("value is needed")
    return Extra(name, value.plain(), fields["description"].text())
