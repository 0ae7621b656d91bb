"""Template values to what encoders work on, with Go's names for fields. Pure."""

from collections.abc import Callable, Mapping

from sidecar.gotemplate.access import fields_of
from sidecar.gotemplate.printing import sorted_items
from sidecar.gotemplate.values import INVALID, Pointer, is_struct
from templater.functions.bounds import DEEPEST, bounded

__all__ = ["Unsupported", "float_text", "plain"]


class Unsupported(ValueError):
    """A value has no form in the encoding; the text names its type."""


def plain(value: object, name: Callable[[str], str] = str, depth: int = 0) -> object:
    """Return None, bool, int, float, str, bytes, and dicts and lists of these; maps are sorted.

    ``name`` makes a key of a struct's field name. Keys of maps stay what they are.
    """
    if depth > DEEPEST:
        raise Unsupported("nested too deeply")
    if not depth:
        bounded(value)
    while isinstance(value, Pointer):
        value = value.target
    if value is None or value is INVALID:
        return None
    if isinstance(value, str | bytes | bool | int | float):
        return value
    if isinstance(value, Mapping):
        items = sorted_items(value)
        return {key: plain(inner, name, depth + 1) for key, inner in items}
    if is_struct(value):
        return {name(key): plain(inner, name, depth + 1) for key, inner in fields_of(value)}
    if isinstance(value, list | tuple):
        return [plain(inner, name, depth + 1) for inner in value]
    raise Unsupported(f"unsupported type: {type(value).__name__}")


def float_text(value: float, least: float, most: int) -> str:
    """Return the shortest decimal text that is this number.

    It has an exponent below 10^least and from 10^most on, as Go's ``strconv`` writes one.
    """
    if value != value:  # noqa: PLR0124  (the test for not-a-number)
        return "NaN"
    if value in {float("inf"), float("-inf")}:
        return "+Inf" if value > 0 else "-Inf"
    sign, digits, power = _decimal(value)
    if digits == "0":
        return f"{sign}0"
    if power < least or power >= most:
        tail = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{tail}e{'-' if power < 0 else '+'}{abs(power):02d}"
    if power < 0:
        return f"{sign}0.{'0' * (-power - 1)}{digits}"
    whole, fraction = digits[: power + 1].ljust(power + 1, "0"), digits[power + 1 :]
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def _decimal(value: float) -> tuple[str, str, int]:
    """Return sign, shortest digits, and the power of ten of the first of them."""
    mantissa, _, given = repr(float(value)).partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0").rstrip("0") or "0"
    if given:
        return sign, digits, int(given) + len(whole) - 1
    if whole == "0":
        return sign, digits, -(len(fraction) - len(fraction.lstrip("0")) + 1)
    return sign, digits, len(whole) - 1
