"""Where each key of a TOML document stands, because ``tomllib`` does not say. Pure.

The scanner walks the text once, statement by statement, and knows just enough of the grammar of
TOML 1.0 to find keys: it tells where a string, an array or an inline table ends, and nothing
about whether a number is a number. It is meant for text ``tomllib`` has accepted; in other text
it stops at the first thing it cannot follow and keeps what it saw.

A path is a tuple of names and, inside arrays, indexes: ``[[a]]`` twice and ``b = 1`` is
``("a", 1, "b")``. A table that is opened several times stands where it was named first.
"""

import re
import tomllib
from bisect import bisect_right
from contextlib import suppress
from typing import Final, NamedTuple

__all__ = ["Path", "Position", "Repeat", "Scan", "scan"]

Path = tuple[str | int, ...]


class Position(NamedTuple):
    """Line and column, both from 1; a column counts characters."""

    line: int
    column: int

    def __str__(self) -> str:
        """Return ``line:column``."""
        return f"{self.line}:{self.column}"


class Repeat(NamedTuple):
    """A key or table that was given before."""

    path: Path
    at: Position
    first: Position


class Scan(NamedTuple):
    """What was found: positions by path, repeated keys, and the line each statement starts on."""

    positions: dict[Path, Position]
    repeats: list[Repeat]
    statements: list[int]


_Part = tuple[str, int]  # a key part and its offset

_BLANK: Final = re.compile(r"[ \t]*")
_BLANK_LINES: Final = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_KEY_PART: Final = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\[^\n])*"|'[^'\n]*'""")
# The closing quotes of a multi-line string may be preceded by up to two more of their kind.
_STRING: Final = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:[^"\\\n]|\\[^\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR: Final = re.compile(r"""[^\s,\]}#"'\[{][^,\]}#\n]*""")


def scan(text: str) -> Scan:
    """Return where the keys of a document stand; CRLF counts as one line end, as in TOML."""
    scanner = _Scanner(text.replace("\r\n", "\n"))
    with suppress(_Lost):
        scanner.document()
    return Scan(scanner.positions, scanner.repeats, scanner.statements)


class _Lost(Exception):
    """The text is not TOML from here on."""


class _Scanner:
    def __init__(self, text: str) -> None:
        self.positions: dict[Path, Position] = {}
        self.repeats: list[Repeat] = []
        self.statements: list[int] = []
        self._text = text
        self._at = 0
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._last_index: dict[Path, int] = {}  # of each array of tables
        self._given: dict[Path, Position] = {}  # values and [tables], which may come only once

    def document(self) -> None:
        table: Path = ()
        while True:
            self._match(_BLANK_LINES)
            if self._at == len(self._text):
                return
            self.statements.append(self._position(self._at).line)
            if self._accept("[["):
                table = self._array_header()
            elif self._accept("["):
                table = self._table_header()
            else:
                self._pair(table)
            self._match(_BLANK)
            if self._at < len(self._text) and self._text[self._at] not in "#\n":
                raise _Lost

    def _table_header(self) -> Path:
        parts = self._key()
        path = self._name((), parts)
        self._give(path, parts[-1][1])
        self._expect("]")
        return self._inside(path)

    def _array_header(self) -> Path:
        parts = self._key()
        path = self._name((), parts)
        self._last_index[path] = self._last_index.get(path, -1) + 1
        self._expect("]]")
        element = self._inside(path)
        self.positions[element] = self._position(parts[-1][1])
        return element

    def _pair(self, table: Path) -> None:
        parts = self._key()
        path = self._name(table, parts)
        self._give(path, parts[-1][1])
        self._expect("=")
        self._match(_BLANK)
        self._value(path)

    def _key(self) -> list[_Part]:
        parts = []
        while True:
            self._match(_BLANK)
            start = self._at
            parts.append((_unquoted(self._match(_KEY_PART)), start))
            self._match(_BLANK)
            if not self._accept("."):
                return parts

    def _name(self, table: Path, parts: list[_Part]) -> Path:
        """Return the path of a dotted key, giving each new part its position."""
        path = table
        for part, offset in parts:
            path = (*self._inside(path), part)
            self.positions.setdefault(path, self._position(offset))
        return path

    def _inside(self, path: Path) -> Path:
        """Return the path that keys below ``path`` have: the last element of an array of tables."""
        index = self._last_index.get(path)
        return path if index is None else (*path, index)

    def _give(self, path: Path, offset: int) -> None:
        at = self._position(offset)
        first = self._given.setdefault(path, at)
        if first != at:
            self.repeats.append(Repeat(path, at, first))

    def _value(self, path: Path) -> None:
        if self._accept("["):
            self._array(path)
        elif self._accept("{"):
            self._inline_table(path)
        elif self._text.startswith(('"', "'"), self._at):
            self._match(_STRING)
        else:
            self._match(_SCALAR)

    def _array(self, path: Path) -> None:
        index = 0
        self._match(_BLANK_LINES)
        while not self._accept("]"):
            element = (*path, index)
            self.positions[element] = self._position(self._at)
            self._value(element)
            self._separator("]")
            index += 1

    def _inline_table(self, path: Path) -> None:
        self._match(_BLANK_LINES)
        while not self._accept("}"):
            self._pair(path)
            self._separator("}")

    def _separator(self, end: str) -> None:
        self._match(_BLANK_LINES)
        if self._accept(","):
            self._match(_BLANK_LINES)
        elif not self._text.startswith(end, self._at):
            raise _Lost

    def _match(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise _Lost
        self._at = match.end()
        return match[0]

    def _accept(self, token: str) -> bool:
        found = self._text.startswith(token, self._at)
        if found:
            self._at += len(token)
        return found

    def _expect(self, token: str) -> None:
        if not self._accept(token):
            raise _Lost

    def _position(self, offset: int) -> Position:
        line = bisect_right(self._line_starts, offset)
        return Position(line, offset - self._line_starts[line - 1] + 1)


def _unquoted(part: str) -> str:
    if "\\" in part and part.startswith('"'):
        try:
            return str(tomllib.loads(f"key = {part}")["key"])
        except tomllib.TOMLDecodeError:
            raise _Lost from None
    return part[1:-1] if part[0] in "\"'" else part
