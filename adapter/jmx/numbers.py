"""Numbers as Java has them: their text, their parsing, and the classes that hold one. Pure."""

import re
import struct
from decimal import Context, Decimal
from math import inf, isinf, isnan, nan
from typing import Final

from adapter.jmx.records import Exact, JavaArray, JavaObject, Single, is_a

__all__ = ["java_number", "java_text", "number_in"]

_NUMBER: Final = re.compile(
    r"[+-]?(?:(?P<name>NaN|Infinity)|(?P<hex>0[xX][0-9a-fA-F]*\.?[0-9a-fA-F]*[pP][+-]?[0-9]+)[fFdD]?"
    r"|(?P<plain>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[fFdD]?)"
)
_EXACTLY: Final = Context(prec=2000)
_MOST_DIGITS: Final = 400  # bytes of a BigInteger: beyond every double


def java_text(value: object) -> str:
    """Return what ``toString`` says of a number, text or boolean."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Exact):
        return value.text
    if isinstance(value, float):
        return _float_text(value)
    return str(value)


def _float_text(value: float) -> str:
    if isnan(value):
        return "NaN"
    if isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return repr(float(value))  # with the sign
    sign, digits, exponent = Decimal(_shortest(value)).as_tuple()
    text = "".join(map(str, digits)).rstrip("0") or "0"
    power = int(exponent) + len(digits) - 1
    before = "-" if sign else ""
    if 1e-3 <= abs(value) < 1e7:
        if power < 0:
            return f"{before}0.{'0' * (-power - 1)}{text}"
        padded = text.ljust(power + 1, "0")
        return f"{before}{padded[: power + 1]}.{padded[power + 1 :] or '0'}"
    return f"{before}{text[0]}.{text[1:] or '0'}E{power}"


def _shortest(value: float) -> str:
    """Return the shortest text of two digits or more that is this number and no other."""
    if not isinstance(value, Single):
        two = f"{value:.1e}"
        return two if float(two) == value else repr(float(value))
    shorter = (f"{value:.{digits}e}" for digits in range(1, 9))
    packed = struct.pack(">f", value)
    return next(text for text in shorter if struct.pack(">f", float(text)) == packed)


def java_number(text: str) -> float | None:
    """Return what ``Double.valueOf`` makes of text, or None where it refuses it."""
    text = text.strip("".join(map(chr, range(33))))
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    if match["name"]:
        value = nan if match["name"] == "NaN" else inf
        return -value if text[0] == "-" else value
    plain = text.rstrip("fFdD") if match["plain"] else text.removesuffix(text[match.end("hex") :])
    try:
        return float(plain) if match["plain"] else float.fromhex(plain)
    except (ValueError, OverflowError):
        return None


def number_in(value: JavaObject) -> int | float | None:
    """Return the number that an object is (BigInteger, AtomicLong ...), or None."""
    if value.type == "java.math.BigInteger":
        return _big_integer(value)
    if value.type == "java.math.BigDecimal":
        return _big_decimal(value)
    if is_a(value, "java.lang.Number") or value.type.endswith("Adder$SerializationProxy"):
        inner = value.fields.get("value")
        if isinstance(inner, int | float):
            return inner
        bits = value.fields.get("bits")
        if isinstance(bits, int):
            (number,) = struct.unpack(">d", struct.pack(">q", bits))
            return float(number)
    return None


def _big_integer(value: JavaObject) -> int | None:
    sign, magnitude = value.fields.get("signum"), value.fields.get("magnitude")
    if not isinstance(sign, int) or not isinstance(magnitude, JavaArray):
        return None
    digits = magnitude.items
    if not isinstance(digits, bytes) or len(digits) > _MOST_DIGITS or sign not in {-1, 0, 1}:
        return None
    return sign * int.from_bytes(digits, "big")


def _big_decimal(value: JavaObject) -> float | None:
    scale, whole = value.fields.get("scale"), value.fields.get("intVal")
    number = _big_integer(whole) if isinstance(whole, JavaObject) else None
    if number is None or not isinstance(scale, int):
        return None
    if abs(scale) > 5000:
        return None
    exact = Decimal(number).scaleb(-scale, _EXACTLY)
    return Exact(float(exact), str(exact))
