"""Go's types, as far as templates can tell them apart. Pure."""

from dataclasses import dataclass
from typing import Final

__all__ = [
    "ANY",
    "ANYS",
    "BOOL",
    "BYTES",
    "COMPLEX",
    "FLOAT",
    "FUNC",
    "INT",
    "MAP",
    "NILABLE",
    "STRING",
    "UINT8",
    "VALUE",
    "GoType",
    "map_of",
    "pointer_to",
    "slice_of",
]


@dataclass(frozen=True, slots=True)
class GoType:
    """A type: its name as %T prints it, its kind, what it holds, an interface's methods."""

    name: str
    kind: str
    elem: "GoType | None" = None
    key: "GoType | None" = None
    methods: frozenset[str] = frozenset()

    def __str__(self) -> str:
        """Return the name."""
        return self.name


NILABLE: Final = frozenset({"chan", "func", "interface", "map", "ptr", "slice", "value"})

ANY: Final = GoType("interface {}", "interface")
BOOL: Final = GoType("bool", "bool")
INT: Final = GoType("int", "int")
UINT8: Final = GoType("uint8", "uint")
FLOAT: Final = GoType("float64", "float")
COMPLEX: Final = GoType("complex128", "complex")
STRING: Final = GoType("string", "string")
FUNC: Final = GoType("func()", "func")
# A parameter that takes every value as it is, even the absent one: Go's reflect.Value.
VALUE: Final = GoType("reflect.Value", "value")


def slice_of(elem: GoType) -> GoType:
    """Return the type of a list of elem."""
    return GoType(f"[]{elem.name}", "slice", elem)


def map_of(key: GoType, elem: GoType) -> GoType:
    """Return the type of a map from key to elem."""
    return GoType(f"map[{key.name}]{elem.name}", "map", elem, key)


def pointer_to(elem: GoType) -> GoType:
    """Return the type of a pointer to elem."""
    return GoType(f"*{elem.name}", "ptr", elem)


ANYS: Final = slice_of(ANY)
BYTES: Final = slice_of(UINT8)
MAP: Final = map_of(STRING, ANY)
