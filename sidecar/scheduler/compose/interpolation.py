"""Variables in a Compose file: ``$NAME``, ``${NAME:-default}``, ``${NAME:?why}``, ``$$``. Pure.

Sources: the Compose specification's chapter on interpolation. Only values are looked at, not keys.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from sidecar.scheduler.compose.document import Item, Problems

__all__ = ["interpolated"]

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR: Final = re.compile(r":?[-?+]")
_DEEPEST: Final = 10


class _Wrong(Exception):
    pass


def interpolated(item: Item, environ: Mapping[str, str], problems: Problems) -> Item:
    """Return the item with all variables put in; what is wrong is noted in ``problems``."""
    value = item.value
    if isinstance(value, dict):
        return replace(
            item, value={key: interpolated(each, environ, problems) for key, each in value.items()}
        )
    if isinstance(value, list):
        return replace(item, value=[interpolated(each, environ, problems) for each in value])
    if value is None or "$" not in value:
        return item
    unset: set[str] = set()
    try:
        text = _Text(environ, unset).expand(value, 0)
    except _Wrong as error:
        problems.error(item.place, str(error))
        return item
    for name in sorted(unset):
        problems.warn(item.place, f"the variable {name} is not set: it becomes empty")
    return replace(item, value=text if text or item.is_quoted or not value else "")


class _Text:
    def __init__(self, environ: Mapping[str, str], unset: set[str]) -> None:
        self._environ = environ
        self._unset = unset

    def expand(self, text: str, depth: int) -> str:
        if depth > _DEEPEST:
            raise _Wrong(f"variables are nested deeper than {_DEEPEST}")
        parts: list[str] = []
        at = 0
        while (dollar := text.find("$", at)) >= 0:
            parts.append(text[at:dollar])
            value, at = self._one(text, dollar + 1, depth)
            parts.append(value)
        return "".join(parts) + text[at:]

    def _one(self, text: str, at: int, depth: int) -> tuple[str, int]:
        if text.startswith("$", at):
            return "$", at + 1
        if text.startswith("{", at):
            return self._braced(text, at + 1, depth)
        name = _NAME.match(text, at)
        if name is None:
            raise _Wrong(f"a single $ in {text!r}; write $$ for the character")
        return self._value(name[0]), name.end()

    def _braced(self, text: str, at: int, depth: int) -> tuple[str, int]:
        end = _closing(text, at)
        name = _NAME.match(text, at, end)
        if name is None:
            raise _Wrong(f"no name of a variable in ${{{text[at:end]}}}")
        if name.end() == end:
            return self._value(name[0]), end + 1
        operator = _OPERATOR.match(text, name.end(), end)
        if operator is None:
            raise _Wrong(f"cannot read ${{{text[at:end]}}}; write for example ${{{name[0]}:-text}}")
        word = text[operator.end() : end]
        return self._operated(name[0], operator[0], word, depth), end + 1

    def _operated(self, name: str, operator: str, word: str, depth: int) -> str:
        value = self._environ.get(name)
        is_there = bool(value) if operator[0] == ":" else value is not None
        if operator[-1] == "+":
            return self.expand(word, depth + 1) if is_there else ""
        if is_there:
            return value or ""
        if operator[-1] == "?":
            raise _Wrong(f"the variable {name} is required: {self.expand(word, depth + 1)}")
        return self.expand(word, depth + 1)

    def _value(self, name: str) -> str:
        if name not in self._environ:
            self._unset.add(name)
        return self._environ.get(name, "")


def _closing(text: str, at: int) -> int:
    depth = 1
    while at < len(text):
        if text.startswith("${", at):
            depth, at = depth + 1, at + 1
        elif text[at] == "}":
            depth -= 1
            if not depth:
                return at
        at += 1
    raise _Wrong(f"a ${{ without its }} in {text!r}")
