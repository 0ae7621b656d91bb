"""What a stream of Java objects is turned into: inert values. Pure.

No class is ever loaded or run. Strings, numbers and booleans are Python's; all else is one of the
records below, whatever its class was (reliability T17).
"""

import struct
from typing import Final, Self, final

__all__ = ["ClassDesc", "Exact", "JavaArray", "JavaEnum", "JavaObject", "Single", "is_a"]

_CODES: Final = {"B": "b", "C": "H", "D": "d", "F": "f", "I": "i", "J": "q", "S": "h", "Z": "?"}

Run = tuple[struct.Struct | None, tuple[str, ...]]


class Single(float):
    """A Java ``float``: prints with fewer digits than a double does."""

    __slots__ = ()


class Exact(float):
    """A number whose text says more than its value: a ``BigDecimal`` keeps its last zeros."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, value: float, text: str) -> Self:
        """Keep both."""
        made = super().__new__(cls, value)
        made.text = text
        return made


@final
class ClassDesc:
    """A class as the stream describes it."""

    __slots__ = ("fields", "flags", "interfaces", "name", "parent", "runs")

    def __init__(
        self,
        name: str,
        flags: int = 0,
        fields: tuple[tuple[str, str], ...] = (),
        interfaces: tuple[str, ...] = (),
    ) -> None:
        """Take name, flags and the fields' (type code, name); ``interfaces`` only of a proxy."""
        self.name = name
        self.flags = flags
        self.fields = fields
        self.interfaces = interfaces
        self.parent: ClassDesc | None = None
        self.runs = _runs(fields)

    @property
    def chain(self) -> "list[ClassDesc]":
        """The class and those above it, the highest first: the order of the data."""
        found: list[ClassDesc] = []
        at: ClassDesc | None = self
        while at is not None:
            found.append(at)
            at = at.parent
        return found[::-1]


def _runs(fields: tuple[tuple[str, str], ...]) -> tuple[Run, ...]:
    """Return what is read at once: primitives that follow each other, and each object alone."""
    runs: list[Run] = []
    codes, names = "", []
    for code, name in fields:
        if code in _CODES:
            codes += _CODES[code]
            names.append(name)
            continue
        if codes:
            runs.append((struct.Struct(">" + codes), tuple(names)))
            codes, names = "", []
        runs.append((None, (name,)))
    if codes:
        runs.append((struct.Struct(">" + codes), tuple(names)))
    return tuple(runs)


@final
class JavaObject:
    """An object: its fields, and what its class wrote beside them.

    Where a class hides a field of one above it, the upper one is kept: those are the JDK's.
    ``data`` holds blocks of raw bytes and values in the order they were written.
    """

    __slots__ = ("data", "desc", "fields")

    def __init__(self, desc: ClassDesc) -> None:
        """Start empty; the reader fills it."""
        self.desc = desc
        self.fields: dict[str, object] = {}
        self.data: list[object] = []

    @property
    def type(self) -> str:
        """The name of its class."""
        return self.desc.name

    def __repr__(self) -> str:
        """Return its class only; objects may contain each other."""
        return f"<{self.desc.name}>"


@final
class JavaArray:
    """An array; ``items`` is bytes for ``byte[]``, else a list."""

    __slots__ = ("items", "type")

    def __init__(self, type_name: str) -> None:
        """Start empty; the reader fills it."""
        self.type = type_name
        self.items: list[object] | bytes = []


@final
class JavaEnum:
    """A constant of an enumeration."""

    __slots__ = ("name", "type")

    def __init__(self, type_name: str, name: str) -> None:
        """Take the class and the constant's name."""
        self.type = type_name
        self.name = name


def is_a(value: object, name: str) -> bool:
    """Say whether a value is an object of this class or one below it."""
    if not isinstance(value, JavaObject):
        return False
    at: ClassDesc | None = value.desc
    while at is not None:
        if at.name == name:
            return True
        at = at.parent
    return False
