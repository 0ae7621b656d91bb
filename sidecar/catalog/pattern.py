"""Regular expressions in Go's syntax (RE2), with Go's texts for what is wrong. Pure.

Groups are in the tree only for those who want to know their places (``keeps_groups``).
Difference: of ``\\p{...}`` only the general categories are known, not the scripts.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import Final

from sidecar.catalog.automaton import Assert, Either, Flag, Group, One, Repeat, Sequence, Tree

__all__ = ["MAX_PATTERN", "PatternError", "parse_pattern"]

MAX_PATTERN: Final = 1000
_MAX_DEPTH: Final = 50
_MAX_REPEAT: Final = 1000

Test = Callable[[str], bool]


class PatternError(ValueError):
    """The pattern is wrong: what, and the piece of it that is."""

    def __init__(self, what: str, piece: str) -> None:
        """Take Go's words for it and the piece."""
        super().__init__(f"error parsing regexp: {what}: `{piece}`")


def _member(characters: str) -> Test:
    return frozenset(characters).__contains__


def _not(test: Test) -> Test:
    return lambda character: not test(character)


def _span(low: str, high: str) -> Test:
    return lambda character: low <= character <= high


_DIGITS: Final = "0123456789"
_LOWER: Final = "abcdefghijklmnopqrstuvwxyz"
_UPPER: Final = _LOWER.upper()
_PUNCTUATION: Final = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
_PERL: Final = {
    "d": _member(_DIGITS),
    "s": _member("\t\n\f\r "),
    "w": _member(_DIGITS + _LOWER + _UPPER + "_"),
}
_POSIX: Final = {
    "alnum": _member(_DIGITS + _LOWER + _UPPER),
    "alpha": _member(_LOWER + _UPPER),
    "ascii": _span("\x00", "\x7f"),
    "blank": _member("\t "),
    "cntrl": lambda character: character < " " or character == "\x7f",
    "digit": _PERL["d"],
    "graph": _span("!", "~"),
    "lower": _member(_LOWER),
    "print": _span(" ", "~"),
    "punct": _member(_PUNCTUATION),
    "space": _member("\t\n\v\f\r "),
    "upper": _member(_UPPER),
    "word": _PERL["w"],
    "xdigit": _member(_DIGITS + "abcdefABCDEF"),
}
_CONTROL: Final = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_PLACES: Final = {
    "A": Flag.BEGIN,
    "z": Flag.END,
    "b": Flag.WORD_EDGE,
    "B": Flag.NO_WORD_EDGE,
}
_CATEGORY: Final = re.compile(r"\\([pP])(?:([CLMNPSZ])|\{(\^?)([CLMNPSZ][a-z]?)\})")
_COUNT: Final = re.compile(r"\{(\d+)(?:(,)(\d*))?\}", re.ASCII)
_CODE: Final = re.compile(
    r"\\(?:x\{([0-9A-Fa-f]{1,8})\}|x([0-9A-Fa-f]{2})|([1-7][0-7]{1,2}|0[0-7]{0,2}))"
)
_WRONG_CODE: Final = re.compile(r"\\x(?:\{\}|\{[0-9A-Fa-f]*|[0-9A-Fa-f])")
_POSIX_NAME: Final = re.compile(r"\[:(\^?)([a-z]*):\]")
_NAME: Final = re.compile(r"\(\?P<([A-Za-z0-9_]+)>")


def parse_pattern(pattern: str, *, keeps_groups: bool = False) -> Tree:
    """Return the tree of a pattern. Raises PatternError."""
    if len(pattern) > MAX_PATTERN:
        raise PatternError(f"expression is longer than {MAX_PATTERN} characters", pattern[:20])
    reader = _Reader(pattern, keeps_groups=keeps_groups)
    tree = reader.alternatives()
    if reader.at < len(pattern):
        raise PatternError("unexpected )", pattern)
    return tree


class _Reader:
    """One walk over a pattern."""

    def __init__(self, pattern: str, *, keeps_groups: bool = False) -> None:
        self.pattern = pattern
        self.at = 0
        self._keeps_groups = keeps_groups
        self._flags: frozenset[str] = frozenset()
        self._depth = 0

    def alternatives(self) -> Tree:
        found = [self._sequence()]
        while self._peek() == "|":
            self.at += 1
            found.append(self._sequence())
        return found[0] if len(found) == 1 else Either(tuple(found))

    def _peek(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def _sequence(self) -> Tree:
        parts: list[Tree] = []
        repeated: int | None = None  # where the repetition right before this place began
        while (character := self._peek()) not in {"", "|", ")"}:
            start = self.at
            counts = self._repetition()
            if counts is None:
                part = self._atom(character)
                if part is not None:
                    parts.append(part)
                repeated = None
                continue
            if repeated is not None:
                piece = self.pattern[repeated : self.at]
                raise PatternError("invalid nested repetition operator", piece)
            if not parts:
                piece = self.pattern[start : self.at]
                raise PatternError("missing argument to repetition operator", piece)
            parts[-1] = Repeat(parts[-1], *counts)
            repeated = start
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _repetition(self) -> tuple[int, int | None, bool] | None:
        start = self.at
        simple: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        counts = simple.get(self._peek())
        if counts is not None:
            self.at += 1
        elif found := _COUNT.match(self.pattern, start):
            least = int(found[1][:5])
            most = least if not found[2] else int(found[3][:5]) if found[3] else None
            if max(least, most or 0) > _MAX_REPEAT or (most is not None and most < least):
                raise PatternError("invalid repeat count", found[0])
            self.at = found.end()
            counts = least, most
        else:
            return None
        is_lazy = self._peek() == "?"
        self.at += is_lazy
        return *counts, is_lazy != ("U" in self._flags)

    def _atom(self, character: str) -> Tree | None:
        if character == "(":
            return self._group()
        if character in "[\\":
            return One(self._folded(self._class())) if character == "[" else self._escape()
        self.at += 1
        if character == ".":
            return One((lambda _: True) if "s" in self._flags else (lambda found: found != "\n"))
        many = "m" in self._flags
        if character == "^":
            return Assert(Flag.LINE_BEGIN if many else Flag.BEGIN)
        if character == "$":
            return Assert(Flag.LINE_END if many else Flag.END)
        return self._literal(character)

    def _literal(self, character: str) -> One:
        return One(self._folded(_member(character)))

    def _folded(self, test: Test) -> Test:
        if "i" not in self._flags:
            return test
        return lambda found: any(
            map(test, {found, found.upper(), low := found.lower(), low.upper()})
        )

    def _group(self) -> Tree | None:
        outer = self._flags
        name: str | None = None
        if self.pattern.startswith("(?P<", self.at) and len(self.pattern) > self.at + 4:
            name = self._named()
        elif self.pattern.startswith("(?", self.at):
            if self._set_flags():
                return None  # flags for the rest of the group we are in
        else:
            self.at += 1
            name = ""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise PatternError("expression nests too deeply", self.pattern[:20])
        inner = self.alternatives()
        self._depth -= 1
        if self._peek() != ")":
            raise PatternError("missing closing )", self.pattern)
        self.at += 1
        self._flags = outer
        return inner if name is None or not self._keeps_groups else Group(inner, name)

    def _named(self) -> str:
        found = _NAME.match(self.pattern, self.at)
        if found is None:
            end = self.pattern.find(">", self.at)
            piece = self.pattern[self.at : end + 1] if end >= 0 else self.pattern[self.at :]
            raise PatternError("invalid named capture", piece)
        self.at = found.end()
        return found[1]

    def _set_flags(self) -> bool:
        """Read ``(?flags)`` or ``(?flags:``; return whether the group ends right there."""
        start = self.at
        self.at += 2
        chosen, negated, fresh = set(self._flags), False, False
        while character := self._peek():
            self.at += 1
            if character in "imsU":
                (chosen.discard if negated else chosen.add)(character)
                fresh = True
            elif character == "-" and not negated:
                negated, fresh = True, False
            elif character in ":)" and (fresh or not negated):
                self._flags = frozenset(chosen)
                return character == ")"
            else:
                break
        piece = self.pattern[start : self.at]
        raise PatternError("invalid or unsupported Perl syntax", piece)

    # --- escapes

    def _escape(self) -> Tree | None:
        if self.pattern.startswith("\\Q", self.at):
            end = self.pattern.find("\\E", self.at)
            quoted = self.pattern[self.at + 2 :] if end < 0 else self.pattern[self.at + 2 : end]
            self.at = len(self.pattern) if end < 0 else end + 2
            parts = tuple(self._literal(character) for character in quoted)
            return parts[0] if len(parts) == 1 else Sequence(parts)
        letter = self.pattern[self.at + 1 : self.at + 2]
        if letter in _PLACES:
            self.at += 2
            return Assert(_PLACES[letter])
        test = self._set()
        return One(self._folded(test)) if test else self._literal(self._escaped())

    def _set(self) -> Test | None:
        """Read ``\\d`` and its like, or a category; None when there is none here."""
        letter = self.pattern[self.at + 1 : self.at + 2]
        if letter and letter in "pP":
            return self._category()
        if letter.lower() not in _PERL:
            return None
        self.at += 2
        test = _PERL[letter.lower()]
        return test if letter.islower() else _not(test)

    def _category(self) -> Test:
        found = _CATEGORY.match(self.pattern, self.at)
        if found is None:
            end = self.pattern.find("}", self.at)
            piece = self.pattern[self.at : end + 1 if end >= 0 else self.at + 3]
            raise PatternError("invalid character class range", piece)
        self.at = found.end()
        name = found[2] or found[4]
        test: Test = lambda character: unicodedata.category(character).startswith(name)  # noqa: E731
        return _not(test) if (found[1] == "P") != bool(found[3]) else test

    def _escaped(self) -> str:
        """Read an escape that stands for one character."""
        letter = self.pattern[self.at + 1 : self.at + 2]
        if not letter:
            raise PatternError("trailing backslash at end of expression", "")
        found = _CODE.match(self.pattern, self.at)
        if found is not None:
            code = int(found[3], 8) if found[3] else int(found[1] or found[2], 16)
            if code <= 0x10FFFF:
                self.at = found.end()
                return chr(code)
        elif letter in _CONTROL or (letter.isascii() and not letter.isalnum()):
            self.at += 2
            return _CONTROL.get(letter, letter)
        wrong = _WRONG_CODE.match(self.pattern, self.at)
        piece = wrong[0] if wrong else self.pattern[self.at : self.at + 2]
        raise PatternError("invalid escape sequence", piece)

    # --- character classes

    def _class(self) -> Test:
        start = self.at
        self.at += 1
        negated = self._peek() == "^"
        self.at += negated
        tests: list[Test] = []
        while self._peek() != "]" or not tests:
            if not self._peek():
                raise PatternError("missing closing ]", self.pattern[start:])
            tests.append(self._class_item(start))
        self.at += 1
        found = tuple(tests)
        test: Test = lambda character: any(one(character) for one in found)  # noqa: E731
        folded = self._folded(test)
        return _not(folded) if negated else folded

    def _class_item(self, start: int) -> Test:
        if named := _POSIX_NAME.match(self.pattern, self.at):
            if named[2] not in _POSIX:
                raise PatternError("invalid character class range", named[0])
            self.at = named.end()
            test = _POSIX[named[2]]
            return _not(test) if named[1] else test
        if self._peek() == "\\" and (found := self._set()):
            return found
        begin = self.at
        low = high = self._class_character(start)
        if self._peek() == "-" and self.pattern[self.at + 1 : self.at + 2] not in {"", "]"}:
            self.at += 1
            high = self._class_character(start)
        if high < low:
            raise PatternError("invalid character class range", self.pattern[begin : self.at])
        return _span(low, high)

    def _class_character(self, start: int) -> str:
        character = self._peek()
        if not character:  # pragma: no cover - the callers looked
            raise PatternError("missing closing ]", self.pattern[start:])
        if character == "\\":
            return self._escaped()
        self.at += 1
        return character
