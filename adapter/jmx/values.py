"""What an attribute can be that ends in numbers: plain, composite, tabular. Pure.

``meant`` turns a record of the stream into one of these; everything else is UNSUPPORTED. Both
transports end here.
"""

import struct
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from adapter.jmx.numbers import java_text, number_in
from adapter.jmx.records import JavaArray, JavaEnum, JavaObject, is_a

__all__ = [
    "ARRAY",
    "UNSUPPORTED",
    "Composite",
    "Marker",
    "Slot",
    "Tabular",
    "Unlearnable",
    "items_of",
    "meant",
    "pairs_of",
    "text_of",
]

_OPEN: Final = "javax.management.openmbean."


class Marker(NamedTuple):
    """A kind of value without numbers."""

    what: str


UNSUPPORTED: Final = Marker("unsupported")
ARRAY: Final = Marker("array")


class Slot(NamedTuple):
    """Where a number stands in an answer (``layout``)."""

    number: int


class Composite(NamedTuple):
    """Named values."""

    items: Mapping[str, object]
    description: str = ""


class Tabular(NamedTuple):
    """Rows that are found by the values of some columns."""

    columns: tuple[str, ...]
    rows: tuple[Composite, ...]


def meant(value: object) -> object:
    """Return None, a number, a text, a boolean, Composite, Tabular, ARRAY or UNSUPPORTED.

    What composites contain is not yet turned.
    """
    if value is None or isinstance(value, int | float | str | Slot | Composite | Tabular):
        return value
    if isinstance(value, JavaArray):
        return ARRAY
    if isinstance(value, JavaEnum):
        return value.name
    if isinstance(value, JavaObject):
        return _meant(value)
    return UNSUPPORTED


def _meant(value: JavaObject) -> object:
    if is_a(value, _OPEN + "CompositeDataSupport"):
        return _composite(value)
    if is_a(value, _OPEN + "TabularDataSupport"):
        return _tabular(value)
    if is_a(value, "java.util.Date"):
        return _seconds(value)
    number = number_in(value)
    return UNSUPPORTED if number is None else number


def _composite(value: JavaObject) -> Composite:
    contents = dict(pairs_of(value.fields.get("contents")))
    described = value.fields.get("compositeType")
    text = described.fields.get("description") if isinstance(described, JavaObject) else ""
    return Composite({key: contents[key] for key in sorted(contents)}, str(text or ""))


def _tabular(value: JavaObject) -> object:
    described = value.fields.get("tabularType")
    names = described.fields.get("indexNames") if isinstance(described, JavaObject) else None
    index = tuple(name for name in items_of(names) if isinstance(name, str))
    data = value.fields.get("dataMap")
    found = _raw_items(data)
    rows = [_composite(row) for row in found[1::2] if isinstance(row, JavaObject)]
    return Tabular(index, tuple(rows)) if index else UNSUPPORTED


def _seconds(value: JavaObject) -> object:
    block = value.data[0] if value.data else b""
    if not isinstance(block, bytes) or len(block) != 8:
        return UNSUPPORTED
    (milliseconds,) = struct.unpack(">q", block)
    nanoseconds = value.fields.get("nanos")  # of a java.sql.Timestamp, which has whole seconds else
    if isinstance(nanoseconds, int):
        milliseconds += nanoseconds // 1_000_000
    return milliseconds / 1000


def pairs_of(value: object) -> Iterator[tuple[str, object]]:
    """Yield what a map of the JDK holds under texts."""
    found = _raw_items(value)
    for key, item in zip(found[::2], found[1::2], strict=False):
        if isinstance(key, str):
            yield key, item


def items_of(value: object) -> list[object]:
    """Return what a collection of the JDK holds, also behind its unmodifiable views."""
    for _ in range(5):
        if isinstance(value, JavaArray):
            return [*value.items]
        if not isinstance(value, JavaObject):
            return []
        inner = value.fields.get("list") or value.fields.get("c") or value.fields.get("a")
        if inner is None:
            return _raw_items(value)
        value = inner
    return []


def _raw_items(value: object) -> list[object]:
    if not isinstance(value, JavaObject):
        return []
    inner = value.fields.get("m")
    if isinstance(inner, JavaObject) and not value.data:
        value = inner
    return [item for item in value.data if not isinstance(item, bytes)]


class Unlearnable(Exception):
    """A number is part of a label: answers cannot be told apart by their other bytes alone."""


def text_of(value: object) -> str | None:
    """Return a label's text for a value, or None where Java would show an address.

    Raises Unlearnable for a number of which only the place is known.
    """
    found = meant(value)
    if isinstance(found, Slot):
        raise Unlearnable
    if isinstance(found, int | float | str):
        return java_text(found)
    return _said_by(value) if isinstance(value, JavaObject) else None


def _said_by(value: JavaObject) -> str | None:
    """Return the text of an object that is no number and says more than where it lies."""
    if value.type == "javax.management.ObjectName":
        return next((text for text in value.data if isinstance(text, str)), None)
    letter = value.fields.get("value")
    is_letter = value.type == "java.lang.Character" and isinstance(letter, int)
    return chr(letter) if is_letter and isinstance(letter, int) else None
