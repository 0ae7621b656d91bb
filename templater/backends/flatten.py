"""Nested values as one level of keys, as confd's file backend has them. Pure.

Mappings join with a slash, lists by index. Text stays, numbers are decimal and never have an
exponent, true and false are words; null and whatever else is dropped (measured on confd).
"""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

from sidecar.errors import ProtocolError

__all__ = ["flattened", "number_text"]

_MOST: Final = 1_000_000  # aliases of YAML can stand for more than memory holds
_DEEPEST: Final = 200


def flattened(value: object, prefix: str = "") -> dict[str, str]:
    """Return the leaves by path. Raises ProtocolError when there are too many, or too deep."""
    found: dict[str, str] = {}
    for count, (path, text) in enumerate(_leaves(value, prefix, 0)):
        if count >= _MOST:
            raise ProtocolError(f"more than {_MOST} values")
        found[path] = text
    return found


def _leaves(value: object, path: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth > _DEEPEST:
        raise ProtocolError(f"nested more than {_DEEPEST} deep")
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}/{_key(key)}", depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{path}/{index}", depth + 1)
    elif isinstance(value, str):
        yield path, value
    elif isinstance(value, bool | int | float):
        yield path, number_text(value)


def _key(key: object) -> str:
    """Return a mapping's key as text; confd panics at one that is not text."""
    return key if isinstance(key, str) else json.dumps(key, default=str)


def number_text(value: bool | float) -> str:
    """Return a number as ``strconv.FormatFloat(v, 'f', -1, 64)`` and friends write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if value != value:  # noqa: PLR0124  (the test for not-a-number)
        return "NaN"
    if value in {float("inf"), float("-inf")}:
        return "+Inf" if value > 0 else "-Inf"
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
