"""Numbers in Go's notation, as confd's configuration has them. Pure."""

import re
from typing import Final

__all__ = ["parse_uint"]

_PREFIXED: Final = re.compile(r"0(?:[xX][0-9a-fA-F_]+|[bB][01_]+|[oO]?[0-7_]+)|[1-9][0-9_]*|0")


def parse_uint(text: str) -> int:
    """Return what ``strconv.ParseUint(text, 0, 32)`` does; a leading 0 means octal.

    Raises ValueError with Go's words.
    """
    if not _PREFIXED.fullmatch(text) or text.endswith("_") or "__" in text:
        raise ValueError(f'strconv.ParseUint: parsing "{text}": invalid syntax')
    plain = text.replace("_", "")
    octal = len(plain) > 1 and plain[0] == "0" and plain[1].isdigit()
    value = int(plain, 8 if octal else 0)
    if value >= 1 << 32:
        raise ValueError(f'strconv.ParseUint: parsing "{text}": value out of range')
    return value
