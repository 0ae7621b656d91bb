"""A pattern of a rule: matched by Python's engine or, where that may take long, a linear one. Pure.

So no pattern of a file can hold up the process, whatever a JVM names its beans.
"""

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol

from adapter.jmx.regexwork import Node, Work

if TYPE_CHECKING:
    from sidecar.catalog.regex import Regex

__all__ = ["CHEAP", "DEAR", "JavaPattern", "Matched"]

CHEAP: Final = 1_000_000  # steps of Python's engine: some milliseconds
DEAR: Final = 10 * CHEAP  # where there is no other engine


class Matched(Protocol):
    """The groups of a match; 0 is all of it."""

    def __getitem__(self, group: int, /) -> str | Any:
        """Return a group's text, or None."""


class _Found:
    """A match of the linear engine."""

    def __init__(self, text: str, places: tuple[int, ...]) -> None:
        self._text = text
        self._places = places

    def __getitem__(self, group: int, /) -> str | None:
        start, end = self._places[2 * group : 2 * group + 2]
        return self._text[start:end] if start >= 0 else None


class JavaPattern:
    """A compiled pattern that has to match a whole text, in a time that has a bound."""

    def __init__(
        self,
        text: str,
        search: re.Pattern[str],
        work: Work,
        row: tuple[Node, ...] | None,
        *,
        is_fixed: bool,
    ) -> None:
        """``text`` is as the user wrote it; ``row`` is for the linear engine, if that can do it."""
        self.text = text
        self.search = search
        self.is_fixed = is_fixed
        self.gave_up = 0
        self._work = work
        self._row = row

    @property
    def is_endless(self) -> bool:
        """Whether no engine has a bound for it."""
        return self._work.is_endless and self.linear is None

    @cached_property
    def linear(self) -> "Regex | None":
        """The same for the other engine, made when it is needed."""
        if self._row is None:
            return None
        from adapter.jmx.linear import regex_of  # noqa: PLC0415 - memory

        return regex_of(self._row)

    def match(self, text: str) -> Matched | None:
        """Return the groups; what would take too long is no match, and counted."""
        work = self._work.on(text)
        if work <= CHEAP or (work <= DEAR and self.linear is None):
            return self.search.fullmatch(text)
        if self.linear is not None:
            try:
                found = self.linear.all(text, 1)
            except ValueError:
                pass
            else:
                return _Found(text, found[0]) if found else None
        self.gave_up += 1
        return None
