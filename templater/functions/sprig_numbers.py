"""Sprig's functions on numbers. Pure.

Numbers are taken in any form, as there: a text that is none counts as 0.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import reduce
from typing import Final

from sidecar.gotemplate.values import Int64

__all__ = ["NUMBERS", "float_of", "int_of"]

_MOST: Final = 1_000_000


def float_of(value: object) -> float:
    """Return any value as a float."""
    if isinstance(value, bool):
        return float(value)
    try:
        return float(value) if isinstance(value, str | int | float) else 0.0
    except ValueError:
        return 0.0


def int_of(value: object) -> int:
    """Return any value as a whole number."""
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        try:
            return int(value, 0) if value[:2].lower() in {"0x", "0b", "0o"} else int(value, 10)
        except ValueError:
            return 0
    found = float_of(value)
    return int(found) if math.isfinite(found) else 0


def _sum(*values: object) -> int:
    return Int64(sum(map(int_of, values)))


def _product(first: object, *values: object) -> int:
    return Int64(math.prod(map(int_of, (first, *values))))


def _div(a: object, b: object) -> int:
    left, right = int_of(a), int_of(b)
    if right == 0:
        raise ZeroDivisionError("runtime error: integer divide by zero")
    return Int64(abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1))


def _mod(a: object, b: object) -> int:
    left, right = int_of(a), int_of(b)
    if right == 0:
        raise ZeroDivisionError("runtime error: integer divide by zero")
    return Int64(math.fmod(left, right))


def _round(value: object, places: int, *at: float) -> float:
    factor = 10.0**places
    whole, limit = float_of(value) * factor, at[0] if at else 0.5
    fraction = whole - math.floor(whole)
    return (math.ceil(whole) if fraction >= limit else math.floor(whole)) / factor


def _until_step(start: int, stop: int, step: int) -> list[object]:
    if step == 0 or (stop - start) * step < 0:
        return []
    found = range(start, stop, step)
    if len(found) > _MOST:
        raise ValueError(f"more than {_MOST} numbers")
    return list(found)


def _until(count: int) -> list[object]:
    return _until_step(0, count, -1 if count < 0 else 1)


def _seq(*bounds: int) -> str:
    match bounds:
        case (end,):
            start, step = 1, -1 if end < 1 else 1
        case (start, end):
            step = -1 if end < start else 1
        case (start, step, end):
            if step == 0 or (end - start) * step < 0:
                return ""
        case _:
            return ""
    return " ".join(map(str, _until_step(start, end + (1 if step > 0 else -1), step)))


def _exact(operation: Callable[[Iterable[Decimal]], Decimal | int], *values: object) -> float:
    """Return a float of decimals: 0.1 and 0.2 are 0.3, as there."""
    return float(operation([Decimal(str(float_of(value))) for value in values]))


def _difference(values: Iterable[Decimal]) -> Decimal:
    return reduce(lambda left, right: left - right, values)


def _quotient(values: Iterable[Decimal]) -> Decimal:
    return reduce(_divided, values)


def _divided(left: Decimal, right: Decimal) -> Decimal:
    if not right:
        raise ZeroDivisionError("decimal division by 0")
    return left / right


NUMBERS: Final[Mapping[str, Callable[..., object]]] = {
    "add": _sum,
    "add1": lambda value: _sum(value, 1),
    "add1f": lambda value: _exact(sum, value, 1.0),
    "addf": lambda *values: _exact(sum, *values),
    "atoi": int_of,
    "ceil": lambda value: float(math.ceil(float_of(value))),
    "div": _div,
    "divf": lambda *values: _exact(_quotient, *values),
    "float64": float_of,
    "floor": lambda value: float(math.floor(float_of(value))),
    "int": int_of,
    "int64": lambda value: Int64(int_of(value)),
    "max": lambda *values: Int64(max(map(int_of, values))),
    "maxf": lambda *values: max(map(float_of, values)),
    "min": lambda *values: Int64(min(map(int_of, values))),
    "minf": lambda *values: min(map(float_of, values)),
    "mod": _mod,
    "mul": _product,
    "mulf": lambda *values: _exact(math.prod, *values),
    "round": _round,
    "seq": _seq,
    "sub": lambda a, b: Int64(int_of(a) - int_of(b)),
    "subf": lambda *values: _exact(_difference, *values),
    "until": _until,
    "untilStep": _until_step,
}
