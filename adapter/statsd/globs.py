"""Which of many glob patterns matches a name. Pure.

A name is fields between dots. The patterns of one length form a tree by field; each node has its
literal branches, its branches with a ``*`` inside (``foo_*``), and its ``*`` branch. A search for
the first pattern in order walks every branch that fits (there are never more nodes than there are
patterns); one for the most literal pattern takes, at each field, a literal branch before a partial
one before ``*``, and comes back only from a branch that leads nowhere.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

__all__ = ["GlobTree", "Hit", "captures_of", "count_of_captures"]

_LAST: Final = 1 << 60


class Hit(NamedTuple):
    """A pattern, by its number, and what its stars stand for."""

    number: int
    captures: tuple[str, ...]


class _Node:
    __slots__ = ("literal", "number", "partial", "star")

    def __init__(self) -> None:
        self.literal: dict[str, _Node] = {}
        self.partial: dict[str, _Node] = {}
        self.star: _Node | None = None
        self.number = _LAST

    def below(self, field: str) -> "_Node":
        """Return the branch of a field of a pattern, made when there is none."""
        if field == "*":
            self.star = self.star or _Node()
            return self.star
        branches = self.partial if "*" in field else self.literal
        return branches.setdefault(field, _Node())


class GlobTree:
    """Patterns added in order; the number of each is its rank."""

    def __init__(self, *, is_ordered: bool = True) -> None:
        """``is_ordered``: the first pattern wins; else the most literal."""
        self._is_ordered = is_ordered
        self._by_length: dict[int, _Node] = {}

    def add(self, pattern: str, number: int) -> None:
        """Add a pattern; of two equal ones the first counts."""
        fields = pattern.split(".")
        node = self._by_length.setdefault(len(fields), _Node())
        for field in fields:
            node = node.below(field)
        node.number = min(node.number, number)

    def find(self, name: str) -> Hit | None:
        """Return the pattern that wins."""
        root = self._by_length.get(name.count(".") + 1)
        if root is None:
            return None
        hits = _walk(root, name.split("."), 0, ())
        if not self._is_ordered:
            return next(hits, None)
        return min(hits, default=None)

    def lines(self, kind: str) -> Iterator[str]:
        """Return the branches as lines of a Graphviz graph."""
        for length, root in self._by_length.items():
            yield from _drawn(f"{kind}/{length}", root)


def _walk(node: _Node, fields: Sequence[str], at: int, captures: tuple[str, ...]) -> Iterator[Hit]:
    if at == len(fields):
        yield Hit(node.number, captures)
        return
    field = fields[at]
    literal = node.literal.get(field)
    if literal is not None:
        yield from _walk(literal, fields, at + 1, captures)
    for pattern, branch in node.partial.items():
        found = captures_of(pattern, field)
        if found is not None:
            yield from _walk(branch, fields, at + 1, captures + found)
    if node.star is not None:
        yield from _walk(node.star, fields, at + 1, (*captures, field))


def count_of_captures(pattern: str) -> int:
    """Return how many stars a pattern has."""
    return pattern.count("*")


def captures_of(pattern: str, field: str) -> tuple[str, ...] | None:
    """Return what the stars of ``foo_*`` stand for in a field, each as short as can be; or None."""
    first, *middle, last = pattern.split("*")
    end = len(field) - len(last)
    if not field.startswith(first) or not field.endswith(last) or len(first) > end:
        return None
    at = len(first)
    found = []
    for text in middle:
        place = field.find(text, at, end)
        if place < 0:
            return None
        found.append(field[at:place])
        at = place + len(text)
    return (*found, field[at:end])


def _drawn(name: str, node: _Node) -> Iterator[str]:
    branches = [*node.literal.items(), *node.partial.items()]
    if node.star is not None:
        branches.append(("*", node.star))
    for field, branch in branches:
        below = f"{name}.{field}"
        shape = ",shape=doublecircle" if branch.number < _LAST else ""
        yield f'"{name}" -> "{below}" [label="{field}"{shape}];'
        yield from _drawn(below, branch)
