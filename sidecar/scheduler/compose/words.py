"""Texts of a Compose file that stand for several: commands, and files of variables. Pure."""

import re
import shlex
from collections.abc import Iterator
from typing import Final

from sidecar.scheduler.compose.document import Item

__all__ = ["pairs_of_file", "words_of"]

_NAME: Final = re.compile(r"\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*(=|$)", re.ASCII)
_COMMENT: Final = re.compile(r"\s#.*$")
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$"}


def words_of(item: Item | None) -> list[str] | None:
    """Return a command's words: a text is split as a shell does. Raises ValueError."""
    if item is None:
        return None
    if isinstance(item.value, str):
        return shlex.split(item.value)
    return [each.text for each in item.items]


def pairs_of_file(text: str, *, is_raw: bool = False) -> Iterator[tuple[str, str | None]]:
    """Yield what an ``env_file`` says; None: the value is the caller's own. Raises ValueError.

    Quotes go, ``\\n`` within double ones is a line's end, `` #`` begins a comment; in a raw file
    all that stands after the first ``=`` is the value.
    """
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _NAME.match(line)
        if found is None:
            raise ValueError(f"line {number} is not NAME=VALUE: {line.strip()[:60]!r}")
        rest = line[found.end() :]
        if not found[2]:
            yield found[1], None
        else:
            yield found[1], rest if is_raw else _value(rest)


def _value(text: str) -> str:
    text = text.strip()
    for quote in "'\"":
        end = _closing(text, quote)
        if end:
            inner = text[1:end]
            return inner if quote == "'" else _unescaped(inner)
    return _COMMENT.sub("", f" {text}").strip()


def _closing(text: str, quote: str) -> int:
    """Return where the text in quotes ends; 0 when it is in none."""
    if text[:1] != quote:
        return 0
    place = 1
    while place < len(text):
        if text[place] == "\\" and quote == '"':
            place += 1
        elif text[place] == quote:
            return place
        place += 1
    return 0


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), text)
