"""From an attribute's value to the single values that rules see. Pure.

A composite adds the attribute to the path and each item is a value of its own; a row of a table
makes its index columns further properties of the bean (jmx_exporter's order and names).
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from adapter.jmx.values import ARRAY, UNSUPPORTED, Composite, Slot, Tabular, meant, text_of

__all__ = ["Leaf", "Unsupported", "leaves"]

_DEEPEST = 20


class Leaf(NamedTuple):
    """One value: where it stands, and what it is."""

    properties: Mapping[str, str]
    path: tuple[str, ...]
    name: str
    description: str
    value: object


class Unsupported(Exception):
    """The attribute is of a class that holds no numbers."""


def leaves(
    properties: Mapping[str, str],
    name: str,
    description: str,
    value: object,
    path: tuple[str, ...] = (),
    depth: int = 0,
) -> Iterator[Leaf]:
    """Yield the numbers, texts and booleans in a value; raise Unsupported where none can be."""
    found = meant(value)
    if found is None or found is ARRAY or depth > _DEEPEST:
        return
    if isinstance(found, int | float | str | Slot) and not isinstance(found, Composite):
        yield Leaf(properties, path, name, description, found)
    elif isinstance(found, Composite):
        inside = (*path, name)
        for key, item in found.items.items():
            yield from leaves(properties, key, found.description, item, inside, depth + 1)
    elif isinstance(found, Tabular):
        for row in found.rows:
            yield from _row(properties, name, found, row, path, depth)
    elif found is UNSUPPORTED:
        raise Unsupported(name)


def _row(
    properties: Mapping[str, str],
    name: str,
    table: Tabular,
    row: Composite,
    path: tuple[str, ...],
    depth: int,
) -> Iterator[Leaf]:
    extended = dict(properties)
    for column in table.index:
        _index_property(extended, column, row.items.get(column))
    for column in sorted(row.items.keys() - set(table.index)):
        item = row.items[column]
        if column.lower() == "value":
            yield from leaves(extended, name, row.description, item, path, depth + 1)
        else:
            yield from leaves(extended, column, row.description, item, (*path, name), depth + 1)


def _index_property(extended: dict[str, str], column: str, value: object) -> None:
    found = meant(value)
    if found is None:
        return
    while column in extended:
        column += "_"
    if isinstance(found, Composite):
        for key, item in found.items.items():
            extended[f"{column}_{key}"] = text_of(item) or ""
    else:
        text = text_of(found)
        if text is not None:
            extended[column] = text
