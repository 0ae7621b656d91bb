"""Regular expressions as Go's package ``regexp`` matches them, in time linear in the text. Pure.

Theory (Pike): the program's threads walk over the text side by side, in order of preference, each
with the places its groups began and ended; two threads at the same place of the program are one,
the preferred. So there is no going back, and ``(a+)+$`` takes no longer than ``a+$``. Whether a
text matches at all is first asked of an automaton whose steps are kept, which is quicker.

The syntax and its limits are those of ``sidecar.catalog.pattern``.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from sidecar.catalog.automaton import (
    Assert,
    Automaton,
    Budget,
    Either,
    Group,
    One,
    Repeat,
    Sequence,
    TooExpensive,
    TooLarge,
    Tree,
    flags_at,
)
from sidecar.catalog.pattern import PatternError, parse_pattern

__all__ = ["Regex", "compiled"]

_STEPS: Final = 3_000_000
_MAX_PROGRAM: Final = 10_000
_CHAR, _SPLIT, _SAVE, _ASSERT, _JUMP, _MATCH = range(6)
_REFERENCE: Final = re.compile(r"\$(?:\$|\{(\w+)\}|(\w+))?", re.ASCII)
_Caps = tuple[int, ...]
_Thread = tuple[int, _Caps]
Test = Callable[[str], bool]


class _Step:
    """One step of the program: what it does, where it goes, what it asks."""

    __slots__ = ("first", "kind", "second", "test")

    def __init__(self, kind: int, first: int = 0, test: Test | None = None) -> None:
        self.kind = kind
        self.first = first
        self.second = 0
        self.test = test


class Regex:
    """A compiled pattern."""

    def __init__(self, pattern: str | Tree, steps: int = _STEPS) -> None:
        """Compile; ``steps`` bounds the work on one text. Raises ValueError in Go's words.

        A pattern of another syntax comes as the tree that it means.
        """
        self._steps = steps
        try:
            tree = (
                parse_pattern(pattern, keeps_groups=True) if isinstance(pattern, str) else pattern
            )
            self._automaton = Automaton(tree)
        except PatternError as error:
            raise ValueError(str(error)) from None
        except TooLarge:
            raise ValueError("error parsing regexp: expression too large") from None
        self.names: dict[str, int] = {}
        self.groups = 0
        self._code: list[_Step] = []
        self._emit(tree)
        self._add(_MATCH)

    def matches(self, text: str) -> bool:
        """Say whether the pattern occurs. Raises ValueError when that takes too long."""
        try:
            return self._automaton.search(text, Budget(self._steps))
        except TooExpensive:
            raise ValueError("regular expression takes too long on this text") from None

    def all(self, text: str, most: int = -1) -> list[_Caps]:
        """Return groups' begins and ends (-1: not part of it) of each match, as Go finds them."""
        found: list[_Caps] = []
        if not self.matches(text):
            return found
        at, before = 0, -1
        budget = self._steps
        while at <= len(text) and len(found) != most:
            caps, spent = self._first(text, at, budget)
            budget -= spent
            if caps is None:
                break
            start, end = caps[0], caps[1]
            # Go: an empty match right after another match does not count.
            if end > start or start != before:
                found.append(caps)
            before = end
            at = end + 1 if end == start else end
        return found

    def replaced(self, text: str, new: str, *, is_literal: bool = False) -> str:
        """Return the text with all matches replaced; ``$1`` and ``${name}`` are groups."""
        out, at = [], 0
        for caps in self.all(text):
            out.append(text[at : caps[0]])
            out.append(new if is_literal else self.expanded(new, text, caps))
            at = caps[1]
        return "".join(out) + text[at:]

    def expanded(self, new: str, text: str, caps: _Caps) -> str:
        """Return a template (``$1``, ``${name}``, ``$$``) with the groups of a match."""

        def group(found: re.Match[str]) -> str:
            if found[0] == "$$":
                return "$"
            name = found[1] or found[2]
            if name is None:
                return "$"
            number = int(name) if name.isdigit() else self.names.get(name, -1)
            if not 0 <= number <= self.groups or caps[2 * number] < 0:
                return ""
            return text[caps[2 * number] : caps[2 * number + 1]]

        return _REFERENCE.sub(group, new)

    # --- the program

    def _add(self, kind: int, first: int = 0, test: Test | None = None) -> int:
        if len(self._code) >= _MAX_PROGRAM:
            raise ValueError("error parsing regexp: expression too large")
        self._code.append(_Step(kind, first, test))
        return len(self._code) - 1

    def _emit(self, tree: Tree) -> None:
        match tree:
            case One(test):
                self._add(_CHAR, test=test)
            case Assert(flag):
                self._add(_ASSERT, flag)
            case Sequence(parts):
                for part in parts:
                    self._emit(part)
            case Either(parts):
                self._either(parts)
            case Group(part, name):
                self.groups += 1
                number = self.groups
                if name:
                    self.names[name] = number
                self._add(_SAVE, 2 * number)
                self._emit(part)
                self._add(_SAVE, 2 * number + 1)
            case Repeat():
                self._repeat(tree)

    def _either(self, parts: tuple[Tree, ...]) -> None:
        ends = []
        for part in parts[:-1]:
            split = self._add(_SPLIT)
            self._code[split].first = len(self._code)
            self._emit(part)
            ends.append(self._add(_JUMP))
            self._code[split].second = len(self._code)
        self._emit(parts[-1])
        for end in ends:
            self._code[end].first = len(self._code)

    def _repeat(self, tree: Repeat) -> None:
        groups = self.groups
        for _ in range(tree.least):
            self.groups = groups  # a copy of a group is the same group
            self._emit(tree.part)
        if tree.most is None:
            split = self._add(_SPLIT)
            self.groups = groups
            self._emit(tree.part)
            self._add(_JUMP, split)
            self._fork(split, lazy=tree.is_lazy)
            return
        splits = []
        for _ in range(tree.most - tree.least):
            splits.append(self._add(_SPLIT))
            self.groups = groups
            self._emit(tree.part)
        for split in splits:
            self._fork(split, lazy=tree.is_lazy)

    def _fork(self, split: int, *, lazy: bool) -> None:
        into, past = split + 1, len(self._code)
        step = self._code[split]
        step.first, step.second = (past, into) if lazy else (into, past)

    # --- running

    def _first(self, text: str, start: int, budget: int) -> tuple[_Caps | None, int]:
        """Return the leftmost match from a place on, the preferred of several, and the cost."""
        empty = (-1,) * (2 * self.groups + 2)
        found: _Caps | None = None
        threads: list[_Thread] = []
        spent = 0
        for at in range(start, len(text) + 1):
            if not threads and found is not None:
                break
            if found is None:
                threads.append((0, (at, *empty[1:])))
            reached, cost = self._reached(threads, at, flags_at(text, at))
            spent += cost
            if spent > budget:
                raise ValueError("regular expression takes too long on this text")
            threads = []
            for place, caps in reached:
                test = self._code[place].test
                if test is None:
                    found = (caps[0], at, *caps[2:])
                    break  # all that come later are less preferred
                if at < len(text) and test(text[at]):
                    threads.append((place + 1, caps))
        return found, spent

    def _reached(self, threads: list[_Thread], at: int, flags: int) -> tuple[list[_Thread], int]:
        """Return where threads get without eating text, the preferred ways first, and the cost."""
        reached: list[_Thread] = []
        seen: set[int] = set()
        waiting = threads[::-1]
        while waiting:
            place, caps = waiting.pop()
            if place in seen:
                continue
            seen.add(place)
            step = self._code[place]
            kind = step.kind
            if kind in (_CHAR, _MATCH):
                reached.append((place, caps))
            elif kind == _SPLIT:
                waiting.append((step.second, caps))
                waiting.append((step.first, caps))
            elif kind == _JUMP:
                waiting.append((step.first, caps))
            elif kind == _SAVE:
                slot = step.first
                waiting.append((place + 1, (*caps[:slot], at, *caps[slot + 1 :])))
            elif flags & step.first:
                waiting.append((place + 1, caps))
        return reached, len(seen) + 1


@lru_cache(1000)
def compiled(pattern: str) -> Regex:
    """Return a pattern, compiled once. Raises ValueError in Go's words."""
    return Regex(pattern)
