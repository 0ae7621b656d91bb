"""consul-template's arithmetic: arguments are the wrong way round, for pipes. Pure.

``subtract 2 5`` is 3. Two whole numbers give a whole one of 64 bits (unsigned when both are), a
float on either side a float.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Final

from sidecar.gotemplate.values import Int64, Uint64, type_of

__all__ = ["ARITHMETIC"]

_BITS: Final = 1 << 64
_INT_MOST: Final = 1 << 63


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_unsigned(value: object) -> bool:
    return type_of(value).kind == "uint"


def _number(name: str, value: object) -> int | float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise TypeError(f"{name}: unknown type for {_shown(value)} ({type_of(value)})")


def _shown(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else f"%!q({type_of(value)}={value})"


def _wrapped(value: int, *, unsigned: bool) -> int:
    if unsigned:
        return Uint64(value % _BITS)
    return Int64((value + _INT_MOST) % _BITS - _INT_MOST)


def _operation(
    name: str, whole: Callable[[int, int], int], real: Callable[[float, float], float] | None
) -> Callable[[object, object], object]:
    def act(b: object, a: object) -> object:
        left, right = _number(name, a), _number(name, b)
        if _is_whole(left) and _is_whole(right):
            unsigned = _is_unsigned(a) and _is_unsigned(b)
            return _wrapped(whole(int(left), int(right)), unsigned=unsigned)
        if real is None:
            wrong = b if _is_whole(left) else a
            raise TypeError(f"{name}: unknown type for {_shown(wrong)} ({type_of(wrong)})")
        return real(float(left), float(right))

    return act


def _divided(a: int, b: int) -> int:
    if b == 0:
        raise ZeroDivisionError("runtime error: integer divide by zero")
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def _rest(a: int, b: int) -> int:
    if b == 0:
        raise ZeroDivisionError("runtime error: integer divide by zero")
    return abs(a) % abs(b) * (-1 if a < 0 else 1)


def _real_divided(a: float, b: float) -> float:
    if b:
        return a / b
    return float("nan") if not a else float("inf") if a > 0 else float("-inf")


def _choice(
    name: str, is_better: Callable[[float, float], bool]
) -> Callable[[object, object], object]:
    def act(b: object, a: object) -> object:
        left, right = _number(name, a), _number(name, b)
        chosen = a if is_better(left, right) else b
        if type(chosen) is int:
            return Int64(chosen)
        return chosen

    return act


ARITHMETIC: Final[Mapping[str, Callable[..., object]]] = {
    "add": _operation("add", operator.add, operator.add),
    "subtract": _operation("subtract", operator.sub, operator.sub),
    "multiply": _operation("multiply", operator.mul, operator.mul),
    "divide": _operation("divide", _divided, _real_divided),
    "modulo": _operation("modulo", _rest, None),
    "minimum": _choice("minimum", operator.lt),
    "maximum": _choice("maximum", operator.gt),
}
