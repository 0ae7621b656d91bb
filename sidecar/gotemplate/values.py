"""What Python values are to a template, and wrappers for what Python has no type for. Pure.

| Python                     | Go                                                      |
|----------------------------|---------------------------------------------------------|
| str, bool, int, float      | string, bool, int, float64                              |
| None                       | nil                                                     |
| dict, any Mapping          | map[string]interface {}                                 |
| list, tuple                | []interface {}                                          |
| bytes                      | []uint8                                                 |
| dataclass, NamedTuple      | struct: ``node_id`` and ``NodeID`` are both field NodeID |
| a callable                 | func, for ``call``                                      |
| Uint and its like          | the type in their ``go_type``                           |
| Record, Pointer            | struct and pointer types that say all about themselves  |

INVALID is Go's absent value: a missing key, or a whole pipeline that gave nil. Taking a field of it
gives it again, while taking a field of a nil that *is* there (None) is an error.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from sidecar.gotemplate.kinds import (
    ANY,
    ANYS,
    BOOL,
    BYTES,
    COMPLEX,
    FLOAT,
    FUNC,
    INT,
    MAP,
    STRING,
    GoType,
    map_of,
)

if TYPE_CHECKING:
    from sidecar.gotemplate.signatures import Function

__all__ = [
    "INVALID",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "Invalid",
    "Map",
    "Pointer",
    "Record",
    "Slice",
    "Uint",
    "Uint8",
    "Uint16",
    "Uint32",
    "Uint64",
    "indirect",
    "is_struct",
    "truth",
    "type_of",
    "zero_of",
]


class Invalid:
    """The type of INVALID."""

    __slots__ = ()

    def __bool__(self) -> bool:
        """Return that nothing is no truth."""
        return False

    def __repr__(self) -> str:
        """Return the constant's name."""
        return "INVALID"


INVALID: Final = Invalid()


class Int8(int):
    """int8."""

    go_type: ClassVar = GoType("int8", "int")


class Int16(int):
    """int16."""

    go_type: ClassVar = GoType("int16", "int")


class Int32(int):
    """int32, which is also rune."""

    go_type: ClassVar = GoType("int32", "int")


class Int64(int):
    """int64."""

    go_type: ClassVar = GoType("int64", "int")


class Uint(int):
    """uint."""

    go_type: ClassVar = GoType("uint", "uint")


class Uint8(int):
    """uint8, which is also byte: an element of a string or of bytes."""

    go_type: ClassVar = GoType("uint8", "uint")


class Uint16(int):
    """uint16."""

    go_type: ClassVar = GoType("uint16", "uint")


class Uint32(int):
    """uint32."""

    go_type: ClassVar = GoType("uint32", "uint")


class Uint64(int):
    """uint64."""

    go_type: ClassVar = GoType("uint64", "uint")


class Slice(list[object]):
    """A list that knows its type, such as []string."""

    def __init__(self, items: Iterable[object] = (), go_type: GoType = ANYS) -> None:
        """Take the items and the whole type."""
        super().__init__(items)
        self.go_type = go_type


class Map(dict[object, object]):
    """A map that knows its type, such as map[string]string."""

    def __init__(self, items: Mapping[object, object], go_type: GoType = MAP) -> None:
        """Take the items and the whole type."""
        super().__init__(items)
        self.go_type = go_type


class Record:
    """A struct that says itself what its type, fields and methods are."""

    go_type: GoType

    def go_fields(self) -> Sequence[tuple[str, object]]:
        """Return all fields in order; one with a small first letter is not exported."""
        raise NotImplementedError

    def go_method(self, _name: str, /) -> "Function | None":
        """Return a method bound to this value."""
        return None


class Pointer:
    """A pointer; target None is nil. Anything else but a nil pointer needs none."""

    def __init__(self, target: object, go_type: GoType) -> None:
        """Take what it points to and the pointer's type."""
        self.target = target
        self.go_type = go_type

    def __bool__(self) -> bool:
        """Tell whether it is not nil."""
        return self.target is not None

    def go_method(self, name: str, /) -> "Function | None":
        """Return a method of the pointer type, bound to this value."""
        return self.target.go_method(name) if isinstance(self.target, Record) else None

    def go_has_field(self, _name: str, /) -> bool:
        """Tell, of a nil pointer, whether what it could point to has a field."""
        return False


_PLAIN: Final[dict[type, GoType]] = {
    str: STRING,
    bool: BOOL,
    int: INT,
    float: FLOAT,
    complex: COMPLEX,
    list: ANYS,
    tuple: ANYS,
    bytes: BYTES,
    type(None): ANY,
    Invalid: ANY,
}
_STRUCTS: Final[dict[type, GoType]] = {}


def type_of(value: object) -> GoType:
    """Return the Go type of a value."""
    plain = _PLAIN.get(type(value))
    if plain is not None:
        return plain
    declared = getattr(value, "go_type", None)
    if isinstance(declared, GoType):
        return declared
    if isinstance(value, Mapping):
        return _map_type(value)
    if is_struct(value):
        return _struct_type(type(value))
    for base, go_type in _PLAIN.items():
        if isinstance(value, base):
            return go_type
    return FUNC if callable(value) else _struct_type(type(value))


def _map_type(value: Mapping[object, object]) -> GoType:
    """Return a map's type; Python does not tell that of its keys, so the first one does."""
    for key in value:
        return MAP if isinstance(key, str) else map_of(type_of(key), ANY)
    return MAP


def _struct_type(cls: type) -> GoType:
    found = _STRUCTS.get(cls)
    if found is None:
        found = _STRUCTS[cls] = GoType(f"main.{cls.__name__}", "struct")
    return found


def is_struct(value: object) -> bool:
    """Tell whether a value's fields are those of a struct."""
    declared = getattr(value, "go_type", None)
    if isinstance(declared, GoType):
        return declared.kind == "struct"
    if isinstance(value, tuple):
        return hasattr(value, "_fields")
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def indirect(value: object) -> tuple[object, bool]:
    """Follow pointers; tell whether the end is nil."""
    while isinstance(value, Pointer):
        if value.target is None:
            return value, True
        value = value.target
    return value, value is None


def truth(value: object) -> bool:
    """Tell whether if and its like take a value as true.

    A struct always is one in Go; here too unless its class says otherwise by ``__bool__``.
    """
    return bool(value)


_ZEROS: Final[dict[str, Callable[[GoType], object]]] = {
    "bool": lambda _: False,
    "int": lambda _: 0,
    "uint": lambda _: 0,
    "float": lambda _: 0.0,
    "complex": lambda _: 0j,
    "string": lambda _: "",
    "slice": lambda go_type: Slice((), go_type),
    "map": lambda go_type: Map({}, go_type),
    "ptr": lambda go_type: Pointer(None, go_type),
}


def zero_of(go_type: GoType | None) -> object:
    """Return the zero value of a type; None for those whose zero is nil."""
    made = None if go_type is None else _ZEROS.get(go_type.kind)
    return None if made is None or go_type is None else made(go_type)
