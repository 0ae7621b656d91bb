"""What a backend is to the rest: keys with a slash in front, and their values as text.

A value that is not UTF-8 is kept by ``surrogateescape``, so its bytes reach the file unchanged.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Protocol

__all__ = ["Backend", "Values", "text_of"]

Values = Mapping[str, str]


class Backend(Protocol):
    """One place that is read; it may be asked by several tasks at once."""

    @property
    def address(self) -> str:
        """Return where it is, without secrets, for messages."""

    async def read(self, keys: Sequence[str]) -> Values:
        """Return what each of these keys stands for: itself, what is below, as the kind has it.

        Raises StoreUnavailable (try again), StoreDenied or another PermanentError.
        """

    def watch(self, key: str) -> AsyncGenerator[Values]:
        """Yield what the key stands for now, then each newer state, conflated.

        Ends by raising what ``read`` raises; the caller watches again.
        """

    async def close(self) -> None:
        """Close connections."""


def text_of(value: bytes) -> str:
    """Return a value as text that gives the same bytes when it is written."""
    return value.decode("utf-8", "surrogateescape")
