"""When to reload. Pure.

nginx takes every change by a reload, and each reload leaves workers behind that finish what they
have. So changes wait until they rest for a moment, at most a second; reloads are at least a
second apart, and further when many old workers are still there: a change is late then, never lost.
"""

from typing import Final

__all__ = ["due"]

_REST: Final = 0.05
_MOST: Final = 1.0
_GAP: Final = 1.0
_MANY: Final = 16  # old workers, a few megabytes each


def due(*, first: float, latest: float, reloaded: float, old_workers: int) -> float:
    """Return when to apply changes of which the ``first`` and the ``latest`` came at these times.

    ``reloaded`` is when the last reload was done.
    """
    gap = _GAP * max(1.0, old_workers / _MANY)
    return max(min(latest + _REST, first + _MOST), reloaded + gap)
