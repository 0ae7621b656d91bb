"""What a store is to the rest: small protocols, each user asks for the least."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from sidecar.catalog.changes import Change
from sidecar.catalog.model import Instance, Snapshot

__all__ = ["Registry", "Source"]


class Source(Protocol):
    """Where consumers (dnsd, templater, ambassador) read from."""

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot."""

    @property
    def synced(self) -> bool:
        """Whether what is not in the snapshot may be called absent."""

    def watch(self, after: int = -1) -> AsyncIterator[Snapshot]:
        """Yield the present snapshot first, then newer ones, conflated."""

    async def changed(self) -> None:
        """Return at the next commit, or when the source becomes synced."""


class Registry(Protocol):
    """Where the registrar writes to."""

    async def commit(self, changes: Sequence[Change]) -> None:
        """Make the changes, in order; acknowledged when this returns.

        Raises StoreUnavailable (try again) or StoreDenied.
        """

    async def owned(self, owner: str) -> tuple[Instance, ...]:
        """Return what the store holds with this owner mark."""

    def mark_synced(self) -> None:
        """Say that the first full reconcile is in the store."""
