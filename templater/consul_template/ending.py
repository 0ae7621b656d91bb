"""How a run ends: with an exit status, from wherever that is known. Pure."""

from typing import Final

__all__ = ["FAILED", "INTERRUPTED", "Ended", "status_of"]

INTERRUPTED: Final = 12
FAILED: Final = 14


class Ended(Exception):
    """The run ends with this exit status."""

    def __init__(self, status: int) -> None:
        """Take the status."""
        super().__init__(status)
        self.status = status


def status_of(group: BaseExceptionGroup[Ended]) -> int:
    """Return the status of the first of those that ended a run."""
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first.status if isinstance(first, Ended) else FAILED
