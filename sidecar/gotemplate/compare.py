"""eq, ne, lt, le, gt, ge: Go compares values of one kind only, but int with uint. Pure."""

from typing import Final

from sidecar.gotemplate.failures import CallFailed
from sidecar.gotemplate.numerals import Flags
from sidecar.gotemplate.printing import formatted
from sidecar.gotemplate.values import INVALID, Pointer, type_of

__all__ = ["eq", "ge", "gt", "le", "lt", "ne"]

_BASIC: Final = frozenset({"bool", "int", "uint", "float", "complex", "string"})
_WHOLE: Final = frozenset({"int", "uint"})
_ORDERED: Final = frozenset({"int", "uint", "float", "string"})
_SIMPLE: Final = frozenset({str, int, bool, float})
_INCOMPATIBLE: Final = "incompatible types for comparison"


def _kind(value: object) -> str:
    """Return the kind of a value that has an order or an equality of its own, else ''."""
    kind = "" if value is None or value is INVALID else type_of(value).kind
    return kind if kind in _BASIC else ""


def eq(first: object, *others: object) -> bool:
    """Tell whether the first equals one of the others."""
    if not others:
        raise CallFailed("missing argument for comparison")
    return any(_equal(first, other) for other in others)


def _equal(first: object, second: object) -> bool:
    if type(first) is type(second) and type(first) in _SIMPLE:
        return first == second
    one, two = _kind(first), _kind(second)
    if one != two and not {one, two} <= _WHOLE:
        if _absent(first) or _absent(second):
            return False
        raise CallFailed(_INCOMPATIBLE)
    return first == second if one else _equal_others(first, second)


def _absent(value: object) -> bool:
    return value is None or value is INVALID


def _is_nil(value: object) -> bool:
    return _absent(value) or (isinstance(value, Pointer) and value.target is None)


def _equal_others(first: object, second: object) -> bool:
    kinds = [type_of(value).kind for value in (first, second) if not _absent(value)]
    if len(set(kinds)) > 1:
        raise CallFailed(
            f"non-comparable types {_shown(first)}: {type_of(first)}, "
            f"{type_of(second)}: {formatted(second, 'v', Flags())}"
        )
    if _is_nil(first) or _is_nil(second) or len(kinds) < 2:
        return _is_nil(first) == _is_nil(second)
    if type_of(second).kind in ("map", "slice", "func"):
        raise CallFailed(f"non-comparable type {_shown(second)}: {type_of(second)}")
    if isinstance(first, Pointer) and isinstance(second, Pointer):
        return first.target is second.target
    return first == second


def _shown(value: object) -> str:
    return formatted(value, "s", Flags())


def ne(first: object, second: object) -> bool:
    """Tell whether two values differ."""
    return not eq(first, second)


def lt(first: object, second: object) -> bool:
    """Tell whether the first is less."""
    if type(first) is type(second) and (type(first) is int or type(first) is str):
        return first < second  # type: ignore[operator]
    one, two = _kind(first), _kind(second)
    if not one or not two:
        raise CallFailed("invalid type for comparison")
    if one != two and not {one, two} <= _WHOLE:
        raise CallFailed(_INCOMPATIBLE)
    if one not in _ORDERED:
        raise CallFailed("invalid type for comparison")
    return first < second  # type: ignore[operator, no-any-return]


def le(first: object, second: object) -> bool:
    """Tell whether the first is less or equal."""
    return lt(first, second) or eq(first, second)


def gt(first: object, second: object) -> bool:
    """Tell whether the first is greater."""
    return not le(first, second)


def ge(first: object, second: object) -> bool:
    """Tell whether the first is greater or equal."""
    return not lt(first, second)
