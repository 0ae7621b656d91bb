"""A Java pattern for the engine whose time grows with the text only. Pure.

Loaded when a pattern needs it: most exporters never do.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from adapter.jmx.regexwork import Atom, Many, Node, Part, Place
from sidecar.catalog import automaton
from sidecar.catalog.automaton import Assert, Either, Flag, Group, One, Repeat, Tree
from sidecar.catalog.regex import Regex

__all__ = ["regex_of"]

_STEPS: Final = 1_000_000  # on one text
_FLAGS: Final = {
    "A": Flag.BEGIN, "z": Flag.END, "b": Flag.WORD_EDGE, "B": Flag.NO_WORD_EDGE,
}  # fmt: skip


def regex_of(row: Sequence[Node]) -> Regex | None:
    """Return the engine's program; None where it would be too large."""
    try:
        return Regex(_tree_of(row), _STEPS)
    except ValueError:
        return None


def _tree_of(row: Sequence[Node]) -> Tree:
    return automaton.Sequence(tuple(_node_of(node) for node in row))


def _node_of(node: Node) -> Tree:
    match node:
        case Atom(expression):
            return One(_test(expression))
        case Place(kind):
            return Assert(_FLAGS[kind])
        case Many(piece, least, most, how):
            return Repeat(_node_of(piece), least, most, how == "?")
        case Part(rows, captures):
            parts = tuple(_tree_of(row) for row in rows)
            either = parts[0] if len(parts) == 1 else Either(parts)
            return Group(either) if captures else either


@lru_cache(1000)
def _test(expression: str) -> Callable[[str], bool]:
    found = re.compile(expression, re.ASCII | re.DOTALL).fullmatch
    return lambda character: found(character) is not None
