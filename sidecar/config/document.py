"""TOML text to values and positions, with every mistake, not just the first. Pure.

``tomllib`` stops at the first syntax error. To find the next one too, the statement that is wrong
is blanked (lines keep their numbers) and the rest is parsed again; a table whose header is wrong
goes as a whole, so that its keys do not fall into the table before. When it is not clear where
the wrong statement ends, we stop there rather than report errors which are none.
"""

import re
import tomllib
from collections.abc import Mapping
from typing import Final, NamedTuple

from sidecar.config.positions import Path, Position, Repeat, Scan, scan

__all__ = ["Document", "Mistake", "parse"]

_MOST_MISTAKES: Final = 20
_PLACE: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
# What tomllib says when a key or table was given before.
_REPEATED: Final = ("Cannot overwrite", "Cannot declare", "Duplicate inline table key")
_UNQUOTED: Final = re.compile(r"""[^=#]*=\s*(?!["'\[{])(?:[^#]*[^\d_+.\s=-]|\d+\.\d+\.)""")
_STATEMENT: Final = re.compile(r"\s*(?:$|#|\[|[^\s=,\]}#]+\s*=)")


class Mistake(NamedTuple):
    """What is wrong and where (None: no place is known)."""

    at: Position | None
    message: str


class Document(NamedTuple):
    """The values of a document, where its keys stand, and its syntax errors."""

    values: Mapping[str, object]
    positions: Mapping[Path, Position]
    mistakes: tuple[Mistake, ...]


class _Fault(NamedTuple):
    """A mistake and the lines it spoils (from 0, end excluded); none when that is not known."""

    mistake: Mistake
    spoiled: range


def parse(text: str) -> Document:
    """Return what the text says; where it has syntax errors, what the rest of it says."""
    lines = text.replace("\r\n", "\n").split("\n")
    mistakes: list[Mistake] = []
    while len(mistakes) < _MOST_MISTAKES:
        try:
            read = _read(lines)
        except RecursionError:
            mistakes.append(Mistake(None, "arrays or tables are nested too deeply"))
            break
        if isinstance(read, Document):
            return read._replace(mistakes=tuple(mistakes))
        mistakes.append(read.mistake)
        if not read.spoiled:
            break
        for number in read.spoiled:
            lines[number] = ""
    return Document({}, {}, tuple(mistakes))


def _read(lines: list[str]) -> Document | _Fault:
    source = "\n".join(lines)
    found = scan(source)
    try:
        return Document(tomllib.loads(source), found.positions, ())
    except ValueError as error:  # TOMLDecodeError, or int() on a number of 5,000 digits
        return _fault(str(error), lines, found)


def _fault(error: str, lines: list[str], found: Scan) -> _Fault:
    place = _PLACE.search(error)
    if place is None:
        return _Fault(Mistake(None, error), range(0))
    at = (
        Position(int(place[1]), int(place[2]))
        if place[1]
        else Position(len(lines), len(lines[-1]) + 1)
    )
    what = error[: place.start()]
    if what.startswith(_REPEATED) and found.repeats:
        return _repeated(found.repeats[0], at, lines)
    line = lines[at.line - 1]
    message = what[0].lower() + what[1:]
    if _UNQUOTED.match(line):
        message += "; text must be in quotes"
    one_line = at.line in found.statements
    return _Fault(Mistake(at, message), _spoiled(lines, at.line, at.line) if one_line else range(0))


def _repeated(repeat: Repeat, end: Position, lines: list[str]) -> _Fault:
    name = ".".join(map(str, repeat.path))
    message = f"{name!r} is given twice, first at line {repeat.first.line}"
    return _Fault(Mistake(repeat.at, message), _spoiled(lines, repeat.at.line, end.line))


def _spoiled(lines: list[str], first: int, last: int) -> range:
    """Return which lines to blank for a wrong statement on lines ``first`` to ``last``."""
    is_header = lines[first - 1].lstrip().startswith("[")
    end = last
    while end < len(lines) and not _starts_anew(lines[end], after_header=is_header):
        end += 1
    return range(first - 1, end)


def _starts_anew(line: str, *, after_header: bool) -> bool:
    if after_header:
        return line.lstrip().startswith("[")
    return _STATEMENT.match(line) is not None
