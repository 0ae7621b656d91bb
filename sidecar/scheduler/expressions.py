"""Classic Swarm's expressions: ``storage==ssd``, ``node!=/web[0-9]+/``, ``image==~redis*``. Pure.

    expr  := key op value          the first "==" in the text splits it; without one, the first "!="
    value := "~"? text             "~" makes it a wish
    text  := "/" RE2 "/" | glob    a glob's "*" matches anything, and it matches as a whole

Differences from classic Swarm 1.2.9, unless ``classic`` asks for its own ways: only ``*`` is
special in a glob; a wrong pattern is an error here and not when nodes are compared; keys may be one
letter. Patterns are matched in linear time.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from sidecar.catalog.automaton import Automaton, Budget, TooExpensive, TooLarge
from sidecar.catalog.pattern import PatternError, parse_pattern

__all__ = ["Expression", "ExpressionError", "parse_expression"]

_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_CLASSIC_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]+")
_VALUE: Final = re.compile(r"[=!/]?~?[A-Za-z0-9:_\s.*/()?+\[\]\\^$|-]+")
_LONGEST_PATTERN: Final = 256
_LONGEST_CANDIDATE: Final = 512
_STEPS: Final = 200_000

Match = Callable[[str], bool]


class ExpressionError(ValueError):
    """An expression cannot be read; ``position`` counts characters from 0."""

    def __init__(self, why: str, text: str, position: int) -> None:
        """Say what is wrong, in which text and where."""
        super().__init__(f"{text!r}, character {position + 1}: {why}")
        self.position = position


@dataclass(frozen=True, slots=True)
class Expression:
    """One rule about the values of ``key``; ``text`` is what the user wrote."""

    key: str
    is_negated: bool
    is_soft: bool
    value: str
    text: str
    warning: str = ""
    matches: Match = field(default=bool, repr=False, compare=False)

    def holds(self, candidates: Iterable[str]) -> bool:
        """Return whether any candidate matches; the opposite for ``!=``."""
        return any(map(self.matches, candidates)) is not self.is_negated


def parse_expression(text: str, *, classic: bool = False) -> Expression:
    """Read one expression. Raises ExpressionError with the position of what is wrong."""
    operator = next((each for each in ("==", "!=") if each in text), None)
    if operator is None:
        at = text.find("=")
        hint = "; write == for equal" if at >= 0 else ""
        raise ExpressionError(f"neither == nor != is in it{hint}", text, max(at, 0))
    key, _, value = text.partition(operator)
    begin = len(key) + len(operator)
    _check(key, value, text, begin, classic=classic)
    is_soft = value.startswith("~")
    matched = value[is_soft:]
    warning = f"the value begins with = in {text!r}: is one = too many?" * value.startswith("=")
    return Expression(
        key,
        operator == "!=",
        is_soft,
        matched,
        text,
        warning,
        _matcher(matched, text, begin + is_soft, classic=classic),
    )


def _check(key: str, value: str, text: str, begin: int, *, classic: bool) -> None:
    allowed = _CLASSIC_KEY if classic else _KEY
    if not allowed.fullmatch(key):
        good = allowed.match(key)
        raise ExpressionError(f"the key {key!r} is invalid", text, good.end() if good else 0)
    if not value:
        raise ExpressionError("the value is empty", text, begin)
    if not _VALUE.fullmatch(value):
        found = _VALUE.match(value)
        at = found.end() if found else 0
        raise ExpressionError(f"the value {value!r} is invalid", text, begin + at)


def _matcher(value: str, text: str, at: int, *, classic: bool) -> Match:
    if len(value) > 1 and value[0] == value[-1] == "/":
        return _pattern(value[1:-1], text, at + 1, classic=classic)
    if classic:
        return _pattern(f"^{value.replace('*', '.*')}$", text, at, classic=True)
    if "*" not in value:
        return value.__eq__
    return _glob(value.split("*"))


def _glob(pieces: list[str]) -> Match:
    first, *middle, last = pieces

    def matches(candidate: str) -> bool:
        if len(candidate) < len(first) + len(last):
            return False
        if not (candidate.startswith(first) and candidate.endswith(last)):
            return False
        at, end = len(first), len(candidate) - len(last)
        for piece in middle:
            at = candidate.find(piece, at, end)
            if at < 0:
                return False
            at += len(piece)
        return True

    return matches


def _pattern(pattern: str, text: str, at: int, *, classic: bool) -> Match:
    if len(pattern) > _LONGEST_PATTERN:
        raise ExpressionError(f"a pattern longer than {_LONGEST_PATTERN} characters", text, at)
    try:
        automaton = Automaton(parse_pattern(pattern))
    except (PatternError, TooLarge) as error:
        if classic:
            return lambda _: False  # it tells its log, and goes on
        raise ExpressionError(str(error) or "the pattern is too large", text, at) from None

    def matches(candidate: str) -> bool:
        try:
            return automaton.search(candidate[:_LONGEST_CANDIDATE], Budget(_STEPS))
        except TooExpensive:
            return False

    return matches
