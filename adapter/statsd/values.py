"""Numbers as Go's ``strconv.ParseFloat`` reads them. Pure.

Python's ``float`` takes more (spaces, other scripts' digits, ``+nan``) and less (hexadecimal ones),
and makes infinity of what is too large, which Go refuses.
"""

import re
from math import isinf
from typing import Final

__all__ = ["go_float"]

_DIGITS: Final = r"[0-9](?:_?[0-9])*"
_HEX: Final = r"[0-9a-fA-F](?:_?[0-9a-fA-F])*"
_DECIMAL: Final = re.compile(
    rf"[+-]?(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?"
)
_HEXADECIMAL: Final = re.compile(
    rf"[+-]?0[xX]_?(?:{_HEX}(?:\.(?:{_HEX})?)?|\.{_HEX})[pP][+-]?{_DIGITS}"
)
_INFINITE: Final = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE | re.ASCII)


def go_float(text: str) -> float:
    """Return the number. Raises ValueError."""
    if _DECIMAL.fullmatch(text):
        value = float(text)
    elif _INFINITE.fullmatch(text):
        return float(text)
    elif text.lower() == "nan":
        return float("nan")
    elif _HEXADECIMAL.fullmatch(text):
        value = _hexadecimal(text)
    else:
        raise ValueError(f"{text!r} is not a number")
    if isinf(value):
        raise ValueError(f"{text!r} is out of range")
    return value


def _hexadecimal(text: str) -> float:
    try:
        return float.fromhex(text.replace("_", ""))
    except OverflowError:
        raise ValueError(f"{text!r} is out of range") from None
