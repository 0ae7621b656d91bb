"""Match regular expressions in time linear in the text. Pure.

Theory (Thompson): a tree becomes a program of tests, splits and assertions; all places the program
could be at are followed side by side, so no input makes it go back. Steps already taken are kept
in a table, which makes the usual case one look-up per character. What is left to bound is program
size times text length: ``Budget`` counts steps over all texts one filter looks at and ends the
work when they are used up, so a request cannot hold the event loop (reliability T19).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

__all__ = [
    "MAX_PROGRAM",
    "Assert",
    "Automaton",
    "Budget",
    "Either",
    "Flag",
    "Group",
    "One",
    "Repeat",
    "Sequence",
    "TooExpensive",
    "TooLarge",
    "Tree",
    "flags_at",
]

MAX_PROGRAM: Final = 2000
_MAX_TABLE: Final = 4096


class TooLarge(Exception):
    """The program would exceed MAX_PROGRAM instructions."""


class TooExpensive(Exception):
    """The budget is used up."""


class Flag:
    """What can be said of a position, as bits."""

    BEGIN = 1
    END = 2
    LINE_BEGIN = 4
    LINE_END = 8
    WORD_EDGE = 16
    NO_WORD_EDGE = 32


@dataclass(frozen=True, slots=True)
class One:
    """One character that passes the test."""

    test: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Assert:
    """A position of which the flag is true."""

    flag: int


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after the other; empty matches nothing at all."""

    parts: tuple["Tree", ...] = ()


@dataclass(frozen=True, slots=True)
class Either:
    """Any of the alternatives."""

    parts: tuple["Tree", ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """The part ``least`` to ``most`` times; None is without end."""

    part: "Tree"
    least: int
    most: int | None
    is_lazy: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """A part whose place in the text somebody wants to know; this module does not tell it."""

    part: "Tree"
    name: str = ""


Tree = One | Assert | Sequence | Either | Repeat | Group


class Budget:
    """Steps that may still be taken."""

    def __init__(self, steps: int) -> None:
        """Allow this many."""
        self._left = steps

    def spend(self, steps: int) -> None:
        """Take steps off. Raises TooExpensive when there are none left."""
        self._left -= steps
        if self._left < 0:
            raise TooExpensive


_MATCH: Final = -1
_FOUND: Final = frozenset({_MATCH})


class Automaton:
    """Says whether a pattern occurs anywhere in a text."""

    def __init__(self, tree: Tree) -> None:
        """Build the program. Raises TooLarge."""
        self._program: list[One | Assert | list[int]] = []
        self._targets: list[int] = []
        self._start = self._build(tree, _MATCH)
        self._looks_around = any(isinstance(step, Assert) for step in self._program)
        self._table: dict[tuple[frozenset[int], str, int], frozenset[int]] = {}
        self._sets: dict[frozenset[int], frozenset[int]] = {}

    def search(self, text: str, budget: Budget) -> bool:
        """Return whether the pattern occurs in the text. Raises TooExpensive."""
        seeds: frozenset[int] = frozenset({self._start})
        for at, character in enumerate(text):
            key = seeds, character, self._said(text, at)
            following = self._table.get(key)
            if following is None:
                following = self._step(key, budget)
            budget.spend(1)
            if following is _FOUND:
                return True
            seeds = following
        return _MATCH in self._reach(seeds, self._said(text, len(text)), budget)

    # --- building: every part is built backwards, knowing where it goes on

    def _add(self, step: One | Assert | list[int], target: int) -> int:
        if len(self._program) >= MAX_PROGRAM:
            raise TooLarge
        self._program.append(step)
        self._targets.append(target)
        return len(self._program) - 1

    def _build(self, tree: Tree, target: int) -> int:
        match tree:
            case One() | Assert():
                return self._add(tree, target)
            case Sequence(parts):
                for part in reversed(parts):
                    target = self._build(part, target)
                return target
            case Either(parts):
                return self._add([self._build(part, target) for part in parts], target)
            case Group(part):
                return self._build(part, target)
        return self._repeat(tree.part, tree.least, tree.most, target)

    def _repeat(self, part: Tree, least: int, most: int | None, target: int) -> int:
        if most is None:
            ways = [target]
            loop = self._add(ways, target)
            ways.append(self._build(part, loop))
            target = loop
        else:
            end = target
            for _ in range(most - least):
                target = self._add([end, self._build(part, target)], end)
        for _ in range(least):
            target = self._build(part, target)
        return target

    # --- running

    def _step(self, key: tuple[frozenset[int], str, int], budget: Budget) -> frozenset[int]:
        seeds, character, flags = key
        places = self._reach(seeds, flags, budget)
        if _MATCH in places:
            following = _FOUND
        else:
            ahead = {self._start}
            for place in places:
                step = self._program[place]
                if isinstance(step, One) and step.test(character):
                    ahead.add(self._targets[place])
            following = self._shared(frozenset(ahead))
        if len(self._table) >= _MAX_TABLE:
            self._table.clear()
            self._sets.clear()
        self._table[key] = following
        return following

    def _shared(self, places: frozenset[int]) -> frozenset[int]:
        """Return the one object for equal sets: comparing keys is then comparing identities."""
        return self._sets.setdefault(places, places)

    def _reach(self, seeds: Iterable[int], flags: int, budget: Budget) -> set[int]:
        seen: set[int] = set()
        waiting = list(seeds)
        while waiting:
            place = waiting.pop()
            if place in seen:
                continue
            seen.add(place)
            if place == _MATCH:
                continue
            step = self._program[place]
            if isinstance(step, list):
                waiting.extend(step)
            elif isinstance(step, Assert) and step.flag & flags:
                waiting.append(self._targets[place])
        budget.spend(len(seen))
        return seen

    def _said(self, text: str, at: int) -> int:
        return flags_at(text, at) if self._looks_around else 0


def flags_at(text: str, at: int) -> int:
    """Return what can be said of a position."""
    before, after = text[at - 1 : at] if at else "", text[at : at + 1]
    flags = 0
    if not before:
        flags |= Flag.BEGIN | Flag.LINE_BEGIN
    elif before == "\n":
        flags |= Flag.LINE_BEGIN
    if not after:
        flags |= Flag.END | Flag.LINE_END
    elif after == "\n":
        flags |= Flag.LINE_END
    edge = _is_word(before) != _is_word(after)
    return flags | (Flag.WORD_EDGE if edge else Flag.NO_WORD_EDGE)


def _is_word(character: str) -> bool:
    return character.isascii() and (character.isalnum() or character == "_")
