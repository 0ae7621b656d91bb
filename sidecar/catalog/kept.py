"""What a store of keys and sessions is to those who serve it."""

from typing import Protocol, TypeVar

from sidecar.catalog.draft import Operation
from sidecar.catalog.kv import KeyValues
from sidecar.catalog.sessions import Sessions

__all__ = ["Kept"]

T = TypeVar("T")


class Kept(Protocol):
    """Committed tables to read from, and one way to write."""

    @property
    def kv(self) -> KeyValues:
        """The committed keys."""

    @property
    def sessions(self) -> Sessions:
        """The committed sessions."""

    async def submit(self, operation: Operation[T]) -> T:
        """Run an operation; its result comes when it is durable and visible.

        Raises ApiError (refused) or StoreUnavailable (nothing was changed).
        """

    async def key_changed(self, key: str) -> None:
        """Return when the index of this key may have moved."""

    async def prefix_changed(self, prefix: str) -> None:
        """Return when the index of this prefix may have moved."""

    async def sessions_changed(self) -> None:
        """Return when a session came or went."""
