"""Leftovers: entries of ours that no container wants, and when they may go. Pure.

An audit says what stands under our mark, or can be adopted. Such an entry goes only after two
consecutive complete looks at the engine, at different times, found no container for it: a list
that came back empty once, or not at all, removes nothing.
"""

import re
from collections.abc import Iterable
from typing import Final

from registrar.endings import Endings
from sidecar.catalog.model import Key

__all__ = ["Sweep", "box_of"]

# Registrator's own pattern of the ids that it may remove.
_DERIVED: Final = re.compile(r"(.+?):([a-zA-Z0-9][a-zA-Z0-9_.-]+):[0-9]+(?::udp)?", re.ASCII)


class Sweep:
    """The leftovers at one store."""

    def __init__(self, endings: Endings, *, cleanup: bool) -> None:
        """Registrator removes nothing without ``-cleanup``, so nor does compat."""
        self.is_off = endings.deregister == "never" or (endings.compat and not cleanup)
        self._is_compat = endings.compat
        self._first: dict[Key, int] = {}

    @property
    def spares_kept(self) -> bool:
        """Say whether what an end had kept stays; Registrator's cleanup takes it."""
        return not self._is_compat

    @property
    def is_waiting(self) -> bool:
        """Say whether something is left that another look may let go."""
        return bool(self._first)

    def start_over(self) -> None:
        """Forget what was seen: a look was not complete."""
        self._first = {}

    def take(self, left: Iterable[Key], desired: Iterable[Key], look: int) -> frozenset[Key]:
        """Return which of the leftovers may go now.

        ``look`` numbers the last complete look, 0 when there was none yet.
        """
        if self.is_off or look == 0:
            return frozenset()
        left = set(left)
        if self._is_compat:
            running = {(key.service, box_of(key.id)) for key in desired} - {("", "")}
            left = {k for k in left if not box_of(k.id) or (k.service, box_of(k.id)) not in running}
        self._first = {key: self._first.get(key, look) for key in left}
        gone = frozenset(key for key, first in self._first.items() if first < look)
        self._first = {key: first for key, first in self._first.items() if key not in gone}
        return gone


def box_of(id_: str) -> str:
    """Return the container's name in an id of the usual form, or nothing."""
    match = _DERIVED.fullmatch(id_)
    return match[2] if match is not None else ""
