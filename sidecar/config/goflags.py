"""Command lines as programs in Go take them (package ``flag``). Pure.

One or two dashes, ``-f value`` or ``-f=value``; a switch only ``-f`` or ``-f=true``. Flags end at
the first word that is none, or after ``--``. Texts of refusal and the layout of the usage are
Go's, because scripts compare them.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

__all__ = ["Flag", "FlagError", "Help", "Parsed", "parse", "usage"]

_TRUTHS: Final[Mapping[str, bool]] = dict.fromkeys(
    ("1", "t", "T", "TRUE", "true", "True"), True
) | dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False)
_NUMBER: Final = re.compile(
    r"([+-]?)(0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0(?:_?[0-7])*"
    r"|[1-9](?:_?[0-9])*)",
    re.ASCII,
)
_INT64: Final = 1 << 63


class Flag(NamedTuple):
    """A flag; given several times the last counts, unless somebody asks for ``all``."""

    name: str
    kind: Literal["string", "int", "bool"]
    meaning: str
    default: str | int | bool


class FlagError(Exception):
    """The command line is wrong; the text is Go's."""


class Help(Exception):
    """``-h`` or ``-help``."""


class Parsed(NamedTuple):
    """What was given, by flag and in order, and the words that are no flags."""

    given: Mapping[str, Sequence[str | int | bool]]
    rest: tuple[str, ...]
    order: tuple[tuple[str, str | int | bool], ...] = ()
    """The same across flags, for those that speak of one before them."""

    def all(self, name: str) -> tuple[str, ...]:
        """Return every text given for a flag."""
        return tuple(str(value) for value in self.given.get(name, ()))

    def text(self, name: str) -> str:
        """Return the last text given for a flag, or none."""
        return self.all(name)[-1] if name in self.given else ""

    def number(self, name: str, default: int) -> int:
        """Return the last number given for a flag."""
        return int(self.given[name][-1]) if name in self.given else default

    def is_on(self, name: str) -> bool:
        """Say whether a switch is on."""
        return bool(self.given[name][-1]) if name in self.given else False


def parse(flags: Sequence[Flag], words: Sequence[str]) -> Parsed:
    """Return what the words say. Raises FlagError or Help."""
    known = {flag.name: flag for flag in flags}
    given: dict[str, list[str | int | bool]] = {}
    order: list[tuple[str, str | int | bool]] = []
    left = list(words)
    while left and left[0].startswith("-") and left[0] != "-":
        word = left.pop(0)
        if word == "--":
            break
        name, equals, text = word.removeprefix("-").removeprefix("-").partition("=")
        if not name or name.startswith("-"):
            raise FlagError(f"bad flag syntax: {word}")
        flag = known.get(name)
        if flag is None:
            if name in ("h", "help"):
                raise Help
            raise FlagError(f"flag provided but not defined: -{name}")
        if not equals and flag.kind == "bool":
            text = "true"
        elif not equals:
            if not left:
                raise FlagError(f"flag needs an argument: -{name}")
            text = left.pop(0)
        order.append((name, _value(flag, text)))
        given.setdefault(name, []).append(order[-1][1])
    return Parsed(given, tuple(left), tuple(order))


def usage(flags: Sequence[Flag]) -> str:
    """Return the lines that describe flags, by name."""
    lines = []
    for flag in sorted(flags, key=lambda flag: flag.name):
        kind = "" if flag.kind == "bool" else f" {flag.kind}"
        lines += [f"  -{flag.name}{kind}", f"    \t{flag.meaning}{_default(flag)}"]
    return "\n".join(lines)


def _default(flag: Flag) -> str:
    if not flag.default:
        return ""
    shown = f'"{flag.default}"' if flag.kind == "string" else str(flag.default).lower()
    return f" (default {shown})"


def _value(flag: Flag, text: str) -> str | int | bool:
    if flag.kind == "string":
        return text
    if flag.kind == "bool":
        if text not in _TRUTHS:
            raise FlagError(f"invalid boolean value {_quoted(text)} for -{flag.name}: parse error")
        return _TRUTHS[text]
    wrong = f"invalid value {_quoted(text)} for flag -{flag.name}"
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise FlagError(f"{wrong}: parse error")
    digits = match[2].replace("_", "")
    octal = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
    number = int(match[1] + digits, 8 if octal else 0) if len(digits) < 100 else _INT64
    if not -_INT64 <= number < _INT64:
        raise FlagError(f"{wrong}: value out of range")
    return number


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
