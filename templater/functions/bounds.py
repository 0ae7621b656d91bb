"""How much of a value functions walk through: templates can make much of little. Pure.

``{{$l = list $l $l}}`` forty times is forty lists in memory and a million millions on a walk, as
each is met as often as it is in another.
"""

from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

__all__ = ["DEEPEST", "MOST", "bounded"]

MOST: Final = 1_000_000
DEEPEST: Final = 200
_HOLDERS: Final = (Mapping, list, tuple)
V = TypeVar("V")


def bounded(value: V) -> V:
    """Return a value that a walk is through with in a million steps. Raises ValueError."""
    waiting: list[tuple[object, int]] = [(value, 0)]
    seen = 0
    while waiting:
        inner, depth = waiting.pop()
        if isinstance(inner, Mapping):
            parts: Iterable[object] = inner.values()
        elif isinstance(inner, list | tuple):
            parts = inner
        else:
            continue
        seen += len(inner)
        if seen > MOST:
            raise ValueError(f"a value of more than {MOST} parts")
        if depth > DEEPEST:
            raise ValueError("nested too deeply")
        waiting += [(part, depth + 1) for part in parts if isinstance(part, _HOLDERS)]
    return value
