"""Numbers, booleans and base64 as Go reads them, refused in Go's words. Pure."""

import re
from binascii import a2b_base64
from typing import Final

from sidecar.golang.quoting import quoted

__all__ = ["base64_of", "integer", "truth"]

_INTEGER: Final = re.compile(
    r"[+-]?(?:0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO]?(?:_?[0-7])+|0|[1-9](?:_?[0-9])*)",
    re.ASCII,
)
_BASE64: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})


def integer(text: str) -> int:
    """Return a 64-bit integer as ``strconv.ParseInt(text, 0, 64)`` reads it. Raises ValueError."""
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"strconv.ParseInt: parsing {quoted(text)}: invalid syntax")
    digits = text.replace("_", "").lstrip("+-").lower()
    value = int(digits, 8) if digits[0] == "0" and digits.isdigit() else int(digits, 0)
    value = -value if text[0] == "-" else value
    if not -(1 << 63) <= value < 1 << 63:
        raise ValueError(f"strconv.ParseInt: parsing {quoted(text)}: value out of range")
    return value


def truth(text: str) -> bool:
    """Return a boolean as ``strconv.ParseBool`` reads it. Raises ValueError."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f"strconv.ParseBool: parsing {quoted(text)}: invalid syntax")


def base64_of(text: str) -> bytes:
    """Return what standard base64 says; raises ValueError in Go's words, line ends are skipped."""
    symbols = [(at, symbol) for at, symbol in enumerate(text) if symbol not in "\r\n"]
    body = next((n for n, (_, s) in enumerate(symbols) if s not in _BASE64), len(symbols))
    padding = "".join(symbol for _, symbol in symbols[body:])
    missing = -body % 4
    if padding == "=" * missing and missing != 3:
        return a2b_base64("".join(symbol for _, symbol in symbols))
    raise ValueError(f"illegal base64 data at input byte {_offset(text, symbols, body, missing)}")


def _offset(text: str, symbols: list[tuple[int, str]], body: int, missing: int) -> int:
    """Return the byte that Go's decoder stops at."""
    rest = symbols[body:]
    if not rest:  # the end came within a group of four
        return len(text.encode()) - (4 - missing)
    at, symbol = rest[0]
    if symbol == "=" and missing in {1, 2}:
        last = missing - 1
        if len(rest) <= last:
            return len(text.encode())
        at = rest[0][0] if rest[last][1] != "=" else rest[missing][0]
    return len(text[:at].encode())
