"""What a store is to the rest: small protocols, each user asks for the least."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from sidecar.catalog.changes import Change
from sidecar.catalog.kv import Entry, Listing
from sidecar.catalog.model import Instance, Snapshot

__all__ = ["KeyValue", "Registry", "Source"]


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

    @property
    def snapshot(self) -> Snapshot:
        """What the store holds, as far as is known here."""

    async def commit(self, changes: Sequence[Change]) -> None:
        """Make the changes, in order; acknowledged when this returns.

        Raises StoreUnavailable (try again) or StoreDenied.
        """

    async def owned(self, owner: str) -> tuple[Instance, ...]:
        """Return what the store holds with this owner mark."""

    def mark_synced(self) -> None:
        """Say that the first full reconcile is in the store."""


class KeyValue(Protocol):
    """Where keys are kept (templater reads them, the scheduler locks with them)."""

    async def get(self, key: str) -> Entry | None:
        """Return one entry, or None."""

    async def list(self, prefix: str) -> Listing:
        """Return the entries whose keys begin with this text, sorted, and their index."""

    async def put(self, key: str, value: bytes, *, flags: int = 0, cas: int | None = None) -> None:
        """Write a key; acknowledged when this returns.

        With ``cas``, only if it was last changed at this index (0: if it is absent), otherwise
        raises StoreConflict. Raises StoreUnavailable.
        """

    async def delete(self, key: str) -> None:
        """Remove a key, if it is there. Raises StoreUnavailable."""

    def watch(self, prefix: str, after: int = -1) -> AsyncIterator[Listing]:
        """Yield the present listing first, then newer ones, conflated."""
