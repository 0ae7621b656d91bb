"""JSON text to values as templates have them, errors in Go's words. Pure."""

import json
from typing import Final, NoReturn

from sidecar.web.consul.gojson import BadJson, read

__all__ = ["read_array", "read_object", "read_value"]

_GO: Final = {dict: "object", list: "array", str: "string", bool: "bool", float: "number"}
_SPACE: Final = " \t\r\n"


def _float(text: str) -> float:
    """Every number is a float in Go, so 2592000 prints as 2.592e+06."""
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        raise _Unsuitable(f"json: cannot unmarshal number {text} into Go value of type float64")
    return value


def _exact(text: str) -> int | float:
    return int(text) if text.lstrip("-").isdigit() else _float(text)


class _Unsuitable(Exception):
    """A value does not fit; not a ValueError, because the text is good JSON."""


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def read_value(text: str, *, is_exact: bool = False) -> object:
    """Return the value of a text; with ``is_exact`` whole numbers stay whole.

    Raises ValueError in Go's words.
    """
    number = _exact if is_exact else _float
    try:
        return json.loads(text, parse_int=number, parse_float=_float, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise ValueError(_mistake(text)) from None
    except _Unsuitable as error:
        raise ValueError(str(error)) from None


def read_object(text: str, *, is_exact: bool = False) -> dict[str, object]:
    """Return a map; null is an empty one. Raises ValueError."""
    value = read_value(text, is_exact=is_exact)
    if isinstance(value, dict):
        return value
    return {} if value is None else _other(value, "map[string]interface {}")


def read_array(text: str, *, is_exact: bool = False) -> list[object]:
    """Return a list; null is an empty one. Raises ValueError."""
    value = read_value(text, is_exact=is_exact)
    if isinstance(value, list):
        return value
    return [] if value is None else _other(value, "[]interface {}")


def _other(value: object, wanted: str) -> NoReturn:
    kind = "number" if type(value) in {int, float} else _GO.get(type(value), "value")
    raise ValueError(f"json: cannot unmarshal {kind} into Go value of type {wanted}")


def _mistake(text: str) -> str:
    """Return what is wrong with a text that is no JSON."""
    try:
        read(text.encode("utf-8", "surrogateescape"))
    except BadJson as error:
        return "unexpected end of JSON input" if "EOF" in str(error) else str(error)
    _, end = json.JSONDecoder().raw_decode(text.lstrip(_SPACE))
    rest = text.lstrip(_SPACE)[end:].lstrip(_SPACE)
    shown = {"'": "\\'", "\n": "\\n"}.get(rest[0], rest[0])
    return f"invalid character '{shown}' after top-level value"
