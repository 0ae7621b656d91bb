"""Make runs of consecutive commands that go the same way. Pure; the hot path.

What is read before or behind a write stays with it, in order, without a wait; unless reads may
run beside writes (``is_parallel``).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from ambassador.redis.patterns import COMMAND

if TYPE_CHECKING:
    from ambassador.redis.framing import Found

__all__ = ["common", "grouped"]

_WRITE: Final = 2  # Route, as a plain number
_words_of: Final = COMMAND.findall


def common(
    routes: Mapping[bytes, int], data: bytes, *, is_parallel: bool = False
) -> tuple[int, int, bytes]:
    """Return the kind of run that all commands may be, 0 if none; how many; the word of all.

    The word is empty where they have none in common.
    """
    words = _words_of(data)
    count = len(words)
    if words.count(words[0]) == count:
        return routes.get(words[0], 0), count, words[0]
    kinds = {routes.get(word, 0) for word in set(words)}
    if 0 in kinds:
        return 0, count, b""
    if len(kinds) == 1:
        return kinds.pop(), count, b""
    return _WRITE if _WRITE in kinds and not is_parallel else 0, count, b""


def grouped(
    routes: Mapping[bytes, int], buffer: bytes, found: "list[Found]", *, is_parallel: bool = False
) -> tuple[list[tuple[bytes, int, int]], int]:
    """Return runs (bytes, number of commands, kind), and how many commands are in them.

    The first that is in none needs a closer look.
    """
    runs: list[tuple[bytes, int, int]] = []
    kind = count = taken = 0
    begin = last = found[0][1]
    for word, at, end in found:
        route = routes.get(word, 0)
        if not route:
            break
        taken += 1
        if kind == 0 or (route != kind and (is_parallel or _WRITE not in {kind, route})):
            if count:
                runs.append((buffer[begin:last], count, kind))
            kind, count, begin = route, 1, at
        else:
            count += 1
            if route == _WRITE:
                kind = _WRITE
        last = end
    if count:
        runs.append((buffer[begin:last], count, kind))
    return runs, taken
