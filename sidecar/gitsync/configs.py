r"""git settings on a command line: ``key:value,"a key":"a value"``. Pure.

Source: kubernetes/git-sync's manual: keys and values may be quoted; in quotes and in all values
``\n \t \" \, \\`` are known.
"""

from collections.abc import Iterator
from typing import Final

__all__ = ["pairs_of"]

_ESCAPES: Final = {"n": "\n", "t": "\t", '"': '"', ",": ",", "\\": "\\"}


def pairs_of(text: str) -> list[tuple[str, str]]:
    """Return keys and values. Raises ValueError."""
    found: list[tuple[str, str]] = []
    rest = iter(text.strip())
    while (first := next(rest, "")) != "":
        if first in ", ":
            continue
        key = _quoted(rest) if first == '"' else first + _until(rest, ":")
        if first == '"' and next(rest, "") != ":":
            raise ValueError(f"no colon after the key {key!r}")
        found.append((key.strip(), _value(rest)))
    return found


def _until(rest: Iterator[str], end: str) -> str:
    found = ""
    for char in rest:
        if char == end:
            return found
        found += char
    raise ValueError(f"no {end!r} after a key")


def _value(rest: Iterator[str]) -> str:
    found = ""
    for char in rest:
        if char == ",":
            break
        if char == '"' and not found.strip():
            found = _quoted(rest)
            after = next(rest, ",")
            if after != ",":
                raise ValueError(f"unexpected {after!r} after {found!r}")
            return found
        found += _escaped(rest) if char == "\\" else char
    return found.strip(" ")


def _quoted(rest: Iterator[str]) -> str:
    found = ""
    for char in rest:
        if char == '"':
            return found
        found += _escaped(rest) if char == "\\" else char
    raise ValueError(f"no closing quote after {found!r}")


def _escaped(rest: Iterator[str]) -> str:
    char = next(rest, "")
    if char not in _ESCAPES or not char:
        raise ValueError(f"\\{char} is not known")
    return _ESCAPES[char]
