"""Number constants of templates: each is kept under every type that can hold it. Pure."""

import math
import re
from dataclasses import dataclass
from typing import Final

from sidecar.golang.quoting import quoted, unquoted_char
from sidecar.gotemplate.tokens import Kind

__all__ = ["Number", "number"]

_INTEGER: Final = re.compile(
    r"(?P<sign>[+-]?)(?:0[xX](?P<hex>(?:_?[0-9a-fA-F])+)|0[bB](?P<binary>(?:_?[01])+)"
    r"|0[oO]?(?P<octal>(?:_?[0-7])+)|(?P<decimal>0|[1-9](?:_?[0-9])*))"
)
_BASES: Final = {"hex": 16, "binary": 2, "octal": 8, "decimal": 10}
_DECIMAL: Final = re.compile(
    r"[+-]?(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+(?:_\d+)*)(?:[eE][+-]?\d+(?:_\d+)*)?", re.ASCII
)
_HEX: Final = re.compile(
    r"[+-]?0[xX](?:(?:_?[0-9a-fA-F])+\.?(?:[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*)?|\.[0-9a-fA-F]+)"
    r"[pP][+-]?\d+(?:_\d+)*",
    re.ASCII,
)
_COMPLEX: Final = re.compile(r"(.*[^eEpP+-])([+-].*)i")


@dataclass(frozen=True, slots=True)
class Number:
    """A constant's value as int, uint, float and complex; None where the type cannot hold it."""

    text: str
    integer: int | None = None
    unsigned: int | None = None
    real: float | None = None
    pair: complex | None = None


def number(text: str, kind: Kind) -> Number:
    """Read a constant; ValueError with Go's text when it is none."""
    if kind is Kind.CHAR_CONSTANT:
        return _character(text)
    if kind is Kind.COMPLEX:
        return _pair(text)
    if text.endswith("i"):
        imaginary = _float(text[:-1])
        if imaginary is not None:
            return _of_complex(text, complex(0, imaginary))
    integer = _integer(text)
    if integer is not None:
        signed = text[0] in "+-"
        return _of_integer(text, integer, signed=signed)
    return _of_float(text)


def _character(text: str) -> Number:
    found = unquoted_char(text)
    if found is None:
        raise ValueError("invalid syntax")
    code, tail = found
    if tail != "'":
        raise ValueError(f"malformed character constant: {text}")
    return Number(text, code, code, float(code))


def _pair(text: str) -> Number:
    found = _COMPLEX.fullmatch(text)
    parts = [_float(part) for part in found.groups()] if found else []
    if len(parts) != 2 or parts[0] is None or parts[1] is None:
        raise ValueError("syntax error scanning complex number")
    return _of_complex(text, complex(parts[0], parts[1]))


def _of_complex(text: str, value: complex) -> Number:
    if value.imag != 0:
        return Number(text, pair=value)
    return Number(text, _int_of(value.real), _uint_of(value.real), value.real, value)


def _of_integer(text: str, value: int, *, signed: bool) -> Number:
    fits = value if -(1 << 63) <= value < 1 << 63 else None
    # Go reads an unsigned number without a sign only; zero is one with any sign.
    uint = value if (not signed and value < 1 << 64) or value == 0 else None
    if fits is None and uint is None:
        raise ValueError(f"integer overflow: {quoted(text)}")
    return Number(text, fits, uint, float(value))


def _of_float(text: str) -> Number:
    value = _float(text)
    if value is None:
        raise ValueError(f"illegal number syntax: {quoted(text)}")
    if not any(letter in text for letter in ".eEpP"):
        raise ValueError(f"integer overflow: {quoted(text)}")
    return Number(text, _int_of(value), _uint_of(value), value)


def _integer(text: str) -> int | None:
    found = _INTEGER.fullmatch(text)
    if found is None:
        return None
    digits = next(found[name] for name in _BASES if found[name] is not None)
    base = next(base for name, base in _BASES.items() if found[name] is not None)
    value = int(digits.lstrip("_"), base) if len(digits) < 1000 else 1 << 65
    return -value if found["sign"] == "-" else value


def _float(text: str) -> float | None:
    plain = text.replace("_", "")
    if _DECIMAL.fullmatch(text):
        value = float(plain)
    elif _HEX.fullmatch(text):
        try:
            value = float.fromhex(plain)
        except OverflowError:
            return None
    else:
        return None
    return None if math.isinf(value) else value


def _int_of(value: float) -> int | None:
    return int(value) if value.is_integer() and -(2.0**63) <= value < 2.0**63 else None


def _uint_of(value: float) -> int | None:
    return int(value) if value.is_integer() and 0 <= value < 2.0**64 else None
