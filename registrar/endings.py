"""Whether the end of a container ends its entries. Pure.

The table is Registrator's ``-deregister on-success``: an exit status of 0 is success, and one with
the bit 128, which is how a shell tells a signal, means that somebody stopped it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["Deregister", "Endings"]

Deregister = Literal["always", "on-success", "never"]
_BY_SIGNAL: Final = 128


@dataclass(frozen=True, slots=True)
class Endings:
    """What is done with entries whose container ended.

    ``compat``: as Registrator, which acts on no signal and no removal of a container, and never
    follows a new name.
    """

    deregister: Deregister = "always"
    compat: bool = False

    def spared(self, stopped: Iterable[tuple[str, int]]) -> frozenset[str]:
        """Return which of these names of ended containers, with their status, keep entries."""
        return frozenset(name for name, exit_code in stopped if not self.removes(exit_code))

    def removes(self, exit_code: int) -> bool:
        """Say whether an end with this status removes the entries; else they are let go."""
        if self.deregister == "on-success":
            return exit_code == 0 or bool(exit_code & _BY_SIGNAL)
        return self.deregister == "always"
