"""From an attribute's value to the single values that rules see. Pure.

A composite adds the attribute to the path and each item is a value of its own; a row of a table
makes its index columns further properties of the bean (jmx_exporter's order and names).
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from adapter.jmx.values import ARRAY, Composite, Slot, Tabular, meant, text_of

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


class _Place(NamedTuple):
    """Where a value stands."""

    properties: Mapping[str, str]
    path: tuple[str, ...] = ()
    depth: int = 0

    def below(self, *names: str, properties: Mapping[str, str] | None = None) -> "_Place":
        return _Place(properties or self.properties, (*self.path, *names), self.depth + 1)


def leaves(
    properties: Mapping[str, str], name: str, description: str, value: object
) -> Iterator[Leaf]:
    """Yield the numbers, texts and booleans in a value; raise Unsupported where none can be.

    An item inside that holds none costs no other item.
    """
    return _leaves(_Place(properties), name, description, value)


def _leaves(place: _Place, name: str, description: str, value: object) -> Iterator[Leaf]:
    found = meant(value)
    if found is None or found is ARRAY or place.depth > _DEEPEST:
        return
    if isinstance(found, int | float | str | Slot):
        yield Leaf(place.properties, place.path, name, description, found)
    elif isinstance(found, Composite):
        inside = place.below(name)
        for key, item in found.items.items():
            yield from _leaves(inside, key, found.description, item)
    elif isinstance(found, Tabular):
        for row in found.rows:
            yield from _row(place, name, found, row)
    elif not place.depth:
        raise Unsupported(name)


def _row(place: _Place, name: str, table: Tabular, row: Composite) -> Iterator[Leaf]:
    extended = dict(place.properties)
    for column in table.columns:
        _index_property(extended, column, row.items.get(column))
    same, below = place.below(properties=extended), place.below(name, properties=extended)
    for column in sorted(row.items.keys() - set(table.columns)):
        item = row.items[column]
        if column.lower() == "value":
            yield from _leaves(same, name, row.description, item)
        else:
            yield from _leaves(below, column, row.description, item)


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
        text = text_of(value)
        if text is not None:
            extended[column] = text
