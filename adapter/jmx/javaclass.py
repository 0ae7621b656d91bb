"""Java's character classes as Python's: ``\\p{..}``, unions and intersections. Pure.

Python has no sets of sets; but one character can be looked at twice: ``[a-z&&[^aeiou]]`` becomes
``(?=[a-z])[^aeiou]``, and a union an alternative. Names are those of java.util.regex.Pattern;
categories of Unicode are counted out when a pattern asks for one.
"""

import re
import unicodedata
from functools import cache
from typing import Final

__all__ = ["PREDEFINED", "Unknown", "property_class", "read_class"]


class Unknown(ValueError):
    """Something in a pattern that has no counterpart."""


_POSIX: Final = {
    "Lower": "a-z", "Upper": "A-Z", "ASCII": r"\x00-\x7f", "Alpha": "a-zA-Z", "Digit": "0-9",
    "Alnum": "a-zA-Z0-9", "Punct": r"!-/:-@\[-`{-~", "Graph": "!-~", "Print": " -~",
    "Blank": r" \t", "Cntrl": r"\x00-\x1f\x7f", "XDigit": "0-9a-fA-F", "Space": r" \t\n\x0b\f\r",
}  # fmt: skip
_BINARY: Final = {
    "IsAlphabetic": ("L", "Nl"), "IsLetter": ("L",), "IsDigit": ("Nd",), "IsUppercase": ("Lu",),
    "IsLowercase": ("Ll",), "IsPunctuation": ("P",), "IsWhite_Space": ("Z",), "IsControl": ("Cc",),
    "javaUpperCase": ("Lu",), "javaLowerCase": ("Ll",), "javaLetter": ("L",),
    "javaLetterOrDigit": ("L", "Nd"), "javaDigit": ("Nd",), "javaWhitespace": ("Z",),
}  # fmt: skip
_HORIZONTAL: Final = r" \t\xa0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000"
_VERTICAL: Final = r"\n\x0b\f\r\x85\u2028\u2029"
PREDEFINED: Final = {
    "d": "0-9", "D": "^0-9", "w": "a-zA-Z0-9_", "W": "^a-zA-Z0-9_", "s": r" \t\n\x0b\f\r",
    "S": r"^ \t\n\x0b\f\r", "h": _HORIZONTAL, "H": "^" + _HORIZONTAL, "v": _VERTICAL,
    "V": "^" + _VERTICAL,
}  # fmt: skip
_CONTROLS: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "a": "\a", "e": "\x1b"}


def property_class(name: str) -> str:
    """Return the inside of a class for ``\\p{name}``. Raises Unknown."""
    if name in _POSIX:
        return _POSIX[name]
    wanted = _BINARY.get(name)
    if wanted is None:
        short = name.removeprefix("general_category=").removeprefix("gc=").removeprefix("Is")
        wanted = (short,)
    found = _category(wanted)
    if not found:
        raise Unknown(f"there is no character class \\p{{{name}}}")
    return found


@cache
def _category(wanted: tuple[str, ...]) -> str:
    ranges, start = [], -1
    for code in range(0x110001):
        inside = code < 0x110000 and unicodedata.category(chr(code)).startswith(wanted)
        if inside and start < 0:
            start = code
        elif not inside and start >= 0:
            ranges.append(f"\\U{start:08x}-\\U{code - 1:08x}")
            start = -1
    return "".join(ranges)


def escape_at(text: str, at: int) -> tuple[str, int]:
    """Return the character that an escape means (``at`` is behind the backslash) and its end."""
    char = text[at : at + 1]
    if char in _CONTROLS:
        return _CONTROLS[char], at + 1
    if char == "c" and at + 1 < len(text):
        return chr(ord(text[at + 1]) ^ 64), at + 2
    for pattern, base in (
        (r"x\{([0-9a-fA-F]+)\}", 16), (r"x([0-9a-fA-F]{2})", 16), (r"u([0-9a-fA-F]{4})", 16),
        (r"0([0-3]?[0-7]{1,2})", 8),
    ):  # fmt: skip
        if match := re.compile(pattern).match(text, at):
            code = int(match[1], base)
            if code > 0x10FFFF:
                raise Unknown(f"there is no character {code:#x}")
            return chr(code), match.end()
    if not char or (char.isascii() and char.isalnum()):
        raise Unknown(f"\\{char} means nothing here")
    return char, at + 1


def class_escape(text: str, at: int) -> tuple[str, int] | None:
    """Return the inside of the class that an escape means, and its end; None: it is no class."""
    char = text[at : at + 1]
    if char in PREDEFINED:
        return PREDEFINED[char], at + 1
    if char not in {"p", "P"}:
        return None
    match = re.compile(r"\{(\^?)([\w=.]+)\}|([A-Z])").match(text, at + 1)
    if match is None:
        raise Unknown(f"\\{char} wants a name in braces")
    negated = (char == "P") != bool(match[1])
    return ("^" if negated else "") + property_class(match[2] or match[3]), match.end()


def read_class(text: str, at: int) -> tuple[str, int]:
    """Return a Python expression for the class whose ``[`` is before ``at``, and its end."""
    negated = text[at : at + 1] == "^"
    at += negated
    both: list[str] = []
    while True:
        union, at = _union(text, at)
        both.append(union)
        if text[at : at + 1] == "]":
            break
        at += 2  # &&
    *seen, last = both
    one = "".join(f"(?={part})" for part in seen) + last
    if negated:
        one = f"(?!{one})[\\s\\S]"
    simple = len(both) == 1 and not negated
    return (one if simple else f"(?:{one})"), at + 1


def _union(text: str, at: int) -> tuple[str, int]:
    """Read up to ``&&`` or the end; return one expression."""
    members, others = "", list[str]()
    while not text.startswith(("]", "&&"), at) or (not members and not others and text[at] == "]"):
        if at >= len(text):
            raise Unknown("a [ is not closed")
        char = text[at]
        if char == "[":
            inner, at = read_class(text, at + 1)
            others.append(inner)
        elif char == "\\" and text[at + 1 : at + 2] == "Q":
            end = text.find("\\E", at)
            quoted = text[at + 2 : end if end >= 0 else len(text)]
            members += "".join(map(_member, quoted))
            at = end + 2 if end >= 0 else len(text)
        elif char == "\\" and (found := class_escape(text, at + 1)):
            if found[0].startswith("^"):
                others.append(f"[{found[0]}]")
            else:
                members += found[0]
            at = found[1]
        else:
            first, at = _char(text, at)
            if text[at : at + 1] == "-" and text[at + 1 : at + 2] not in {"]", "[", ""}:
                last, at = _char(text, at + 1)
                if last < first:
                    raise Unknown(f"the range {first}-{last} runs backwards")
                members += f"{_member(first)}-{_member(last)}"
            else:
                members += _member(first)
    parts = ([f"[{members}]"] if members else []) + others
    return (parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"), at


def _char(text: str, at: int) -> tuple[str, int]:
    return escape_at(text, at + 1) if text[at] == "\\" else (text[at], at + 1)


def _member(char: str) -> str:
    return "\\" + char if char in "\\]^-[&~|" else char
