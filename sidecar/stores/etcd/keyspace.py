"""What etcd's two APIs have in common: keys, readings at a revision, and what came after. Pure."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import NamedTuple, Protocol

__all__ = ["Event", "Held", "Keyspace", "Outrun", "Reading", "Refused"]


class Held(NamedTuple):
    """What stands under a key. ``lease``: v3's lease, or 1 for a key of v2 with a TTL; else 0."""

    value: bytes
    modified: int = 0
    created: int = 0
    lease: int = 0


class Reading(NamedTuple):
    """The entries below some prefixes, sorted by key, at one revision."""

    revision: int
    entries: Mapping[str, Held]


class Event(NamedTuple):
    """What stands under a key from a revision on; None: it is gone."""

    key: str
    held: Held | None
    revision: int = 0


class Outrun(Exception):
    """What came after a revision is not known any more: read again."""


class Refused(Exception):
    """The store refuses this request for itself; the message says why."""


class Keyspace(Protocol):
    """One of the two APIs. All raise StoreUnavailable or StoreDenied."""

    async def ping(self) -> None:
        """Return when the store answers and lets us in."""

    async def get(self, key: str) -> Held | None:
        """Return what stands under a key, or None."""

    async def read(self, prefixes: Sequence[str]) -> Reading:
        """Return what stands under keys that begin with one of these."""

    def follow(self, prefix: str, revision: int) -> AsyncGenerator[Sequence[Event], None]:
        """Yield what changes below a prefix after a revision, in order. Raises Outrun.

        What has come meanwhile comes at once, so that a slow reader is not far behind.
        """

    async def put(self, key: str, value: bytes, cas: int | None = None) -> None:
        """Write a key; with ``cas`` only if it was last changed there (0: is absent).

        Raises StoreConflict.
        """

    async def delete(self, key: str) -> None:
        """Remove a key, if it is there."""
