"""Paths into JSON: ``queues.*.depth``. Pure.

Fields are between dots; ``*`` is every key or index at its place, and is captured; a field in
double quotes may hold dots. A number is an index where there is a list.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

__all__ = ["Found", "Path", "find", "path_of"]

_FIELD: Final = re.compile(r'"([^"]+)"|([^."]+)')
_DEEPEST: Final = 32

Path = tuple[str | None, ...]
"""Fields; None is ``*``."""


class Found(NamedTuple):
    """A value, what the stars stood for, and the value at the last of them."""

    value: Any
    captures: tuple[str, ...]
    element: Any


def path_of(text: str) -> Path:
    """Return a path. Raises ValueError."""
    fields: list[str | None] = []
    at = 0
    text = text.removeprefix("$.")
    while True:
        match = _FIELD.match(text, at)
        if match is None:
            raise ValueError(f"{text!r} is not a path; write for example queues.*.depth")
        fields.append(match[1] or (None if match[2] == "*" else match[2]))
        at = match.end()
        if at == len(text):
            break
        if text[at] != ".":
            raise ValueError(f"{text!r} is not a path: a dot is missing at {text[at:]!r}")
        at += 1
    if len(fields) > _DEEPEST:
        raise ValueError(f"{text!r} has more than {_DEEPEST} fields")
    return tuple(fields)


def find(root: Any, path: Path) -> Iterator[Found]:
    """Yield every value at a path."""
    yield from _walk(root, path, (), root)


def _walk(value: Any, path: Path, captures: tuple[str, ...], element: Any) -> Iterator[Found]:
    if not path:
        yield Found(value, captures, element)
        return
    field, rest = path[0], path[1:]
    if field is None:
        for key, member in _members(value):
            yield from _walk(member, rest, (*captures, key), member)
    elif isinstance(value, dict):
        if field in value:
            yield from _walk(value[field], rest, captures, element)
    elif isinstance(value, list) and field.isascii() and field.isdigit() and len(field) < 9:
        index = int(field)
        if index < len(value):
            yield from _walk(value[index], rest, captures, element)


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield str(index), member
