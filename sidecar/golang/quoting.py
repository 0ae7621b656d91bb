"""Go's string and character literals, read and written. Pure.

A Go string is bytes. Here it is ``str``, with bytes that are no UTF-8 kept as lone surrogates
(``surrogateescape``); encode output in the same way and every byte comes out as it went in.
"""

import re
from typing import Final

__all__ = ["decoded", "encoded", "quoted", "quoted_char", "unquoted", "unquoted_char"]

_NAMED: Final = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
}
_LETTERS: Final = {escaped[1]: ord(plain) for plain, escaped in _NAMED.items()}
_ESCAPE: Final = re.compile(
    r"\\(?:([abfnrtv\\'\"])|([0-7]{3})|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8}))"
)
_PLAIN: Final = re.compile(r"[ !#-\[\]-~]*", re.ASCII)
_LAST: Final = 0x10FFFF


def encoded(text: str) -> bytes:
    """Return the bytes of a Go string."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # halves of pairs that stand for no byte
        return text.encode("utf-8", "surrogatepass")


def decoded(data: bytes) -> str:
    """Return bytes as a Go string."""
    return data.decode("utf-8", "surrogateescape")


def quoted(text: str, *, ascii_only: bool = False) -> str:
    """Return text as ``%q`` prints it (``%+q`` with ascii_only)."""
    if _PLAIN.fullmatch(text):
        return f'"{text}"'
    return '"' + "".join(_shown(character, '"', ascii_only) for character in text) + '"'


def quoted_char(code: int, *, ascii_only: bool = False) -> str:
    """Return a code point as a character literal; a number that is none shows as U+FFFD."""
    if not 0 <= code <= _LAST or 0xD800 <= code <= 0xDFFF:
        code = 0xFFFD
    return "'" + _shown(chr(code), "'", ascii_only) + "'"


def _shown(character: str, quote: str, ascii_only: bool) -> str:
    if character == quote:
        return "\\" + quote
    if character in _NAMED:
        return _NAMED[character]
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if character.isprintable() and not (ascii_only and code >= 0x80):
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
            out.append(encoded(inner[at:end]))
            at = end
            continue
        found = _ESCAPE.match(inner, at)
        if found is None or found.group(1) == "'":
            return None
        meant = _meaning(found)
        if meant is None:
            return None
        code, is_byte = meant
        out.append(bytes([code]) if is_byte else chr(code).encode())
        at = found.end()
    return decoded(b"".join(out))


def unquoted_char(literal: str) -> tuple[int, str] | None:
    """Return the code of the first character after the opening quote, and what follows it."""
    inner = literal[1:]
    if not inner or inner[0] == "'":
        return None
    if inner[0] != "\\":
        return ord(inner[0]), inner[1:]
    found = _ESCAPE.match(inner)
    if found is None or found.group(1) == '"':
        return None
    meant = _meaning(found)
    return None if meant is None else (meant[0], inner[found.end() :])


def _meaning(found: re.Match[str]) -> tuple[int, bool] | None:
    """Return the number an escape stands for and whether that is a byte."""
    letter, octal, byte, short, long = found.groups()
    if letter:
        return _LETTERS.get(letter, ord(letter)), False
    if octal or byte:
        code = int(octal, 8) if octal else int(byte, 16)
        return (code, True) if code < 256 else None
    code = int(short or long, 16)
    return None if code > _LAST or 0xD800 <= code <= 0xDFFF else (code, False)
