"""Durations as the API takes them: Go's strings, or a number of nanoseconds. Pure.

Apart from ``sidecar.config.units``: people write ``"10"`` or ``"1d"`` in a file, but over the API
both are refused with Go's own texts, and signs are allowed.
"""

import re
from typing import Final

__all__ = ["duration_of"]

_LONGEST: Final = (1 << 63) / 1e9
_UNITS: Final = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_NUMBER: Final = re.compile(r"\d+(?:\.\d*)?|\.\d+", re.ASCII)
_UNIT: Final = re.compile(r"[^0-9.]+", re.ASCII)


def duration_of(value: object) -> float:
    """Return seconds; what is neither a string nor a number counts as 0, as in Consul.

    Raises ValueError with the text of Go's ``time.ParseDuration``.
    """
    if isinstance(value, str):
        return _parsed(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if not abs(value) < 1 << 63:
            raise ValueError(f'time: invalid duration "{value}"')
        return value / 1e9
    return 0.0


def _parsed(text: str) -> float:
    invalid = ValueError(f'time: invalid duration "{text}"')
    rest = text[1:] if text[:1] in {"+", "-"} else text
    if rest == "0":
        return 0.0
    seconds = 0.0
    at = 0
    while True:
        number = _NUMBER.match(rest, at)
        if number is None:
            raise invalid
        unit = _UNIT.match(rest, number.end())
        if unit is None:
            raise ValueError(f'time: missing unit in duration "{text}"')
        if unit[0] not in _UNITS:
            raise ValueError(f'time: unknown unit "{unit[0]}" in duration "{text}"')
        seconds += float(number[0]) * _UNITS[unit[0]]
        at = unit.end()
        if at == len(rest):
            break
    if seconds >= _LONGEST:
        raise invalid
    return -seconds if text[0] == "-" else seconds
