"""Text as Go's standard library writes and reads it: Consul's error texts are made of it. Pure."""

import re
from binascii import a2b_base64
from typing import Final

__all__ = ["base64_of", "integer", "quoted", "truth", "unquoted"]

_NAMED: Final = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
    '"': '\\"',
}
_LETTERS: Final = {escaped[1]: plain for plain, escaped in _NAMED.items()}
_ESCAPE: Final = re.compile(
    r"\\(?:([abfnrtv\\\"])|([0-7]{3})|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8}))"
)
_INTEGER: Final = re.compile(
    r"[+-]?(?:0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO]?(?:_?[0-7])+|0|[1-9](?:_?[0-9])*)",
    re.ASCII,
)
_BASE64: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})


def quoted(text: str) -> str:
    """Return text as ``%q`` prints it."""
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in _NAMED:
        return _NAMED[character]
    code = ord(character)
    if character.isprintable():
        return character
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def unquoted(literal: str) -> str | None:
    """Return what a quoted literal means (``strconv.Unquote``), or None when it is malformed."""
    inner = literal[1:-1]
    if literal[0] == "`":
        return inner.replace("\r", "")
    if "\n" in inner:
        return None
    out: list[bytes] = []
    at = 0
    while at < len(inner):
        if inner[at] != "\\":
            end = inner.find("\\", at)
            end = len(inner) if end < 0 else end
            out.append(inner[at:end].encode("utf-8", "surrogatepass"))
            at = end
            continue
        found = _ESCAPE.match(inner, at)
        meant = _meaning(found) if found else None
        if found is None or meant is None:
            return None
        out.append(meant)
        at = found.end()
    return b"".join(out).decode("utf-8", "replace")


def _meaning(found: re.Match[str]) -> bytes | None:
    letter, octal, byte, short, long = found.groups()
    if letter:
        return _LETTERS[letter].encode()
    if octal or byte:
        code = int(octal, 8) if octal else int(byte, 16)
        return bytes([code]) if code < 256 else None
    code = int(short or long, 16)
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        return None
    return chr(code).encode()


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
