"""What a store is to the rest: small protocols, each user asks for the least.

The embedded store is a Registry and a Source at once. Any other store has two sides, which need
not know each other: an Edge, where one host's registrar keeps its own entries, and a Mirror, which
keeps this process's Catalog equal to what all hosts have written there.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from sidecar.catalog.changes import Change
from sidecar.catalog.kv import Entry, Listing
from sidecar.catalog.model import Instance, Key, Snapshot
from sidecar.runtime.component import Component

__all__ = ["Edge", "EdgeOptions", "Holder", "KeyValue", "Mirror", "Registry", "Source"]


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


class Holder(NamedTuple):
    """Whose entries an Edge keeps: the lasting mark of the engine, and the host's name.

    The mark decides. The name only helps to adopt what a registrar without marks left behind;
    without a name nothing is adopted.
    """

    owner: str
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeOptions:
    """How an Edge keeps entries. ``ttl`` 0: they stay for ever; seconds otherwise.

    ``refresh`` is how often they are told again. ``is_marked``: leave a mark beside the entries,
    never in them, that says whose they are; without it ``audit`` knows only what this process
    wrote and what can be adopted. ``is_original``: name entries as Registrator does also where
    that is a trap. ``v2_first``: ask what ``etcd://`` means by v2, as Registrator does, where the
    server has it.
    """

    ttl: float = 0.0
    refresh: float = 0.0
    is_marked: bool = True
    is_original: bool = False
    v2_first: bool = False


class Edge(Protocol):
    """Where a registrar keeps the entries of its host.

    What is written there is for other programs, byte for byte what the original of the field
    writes. So entries are compared in the store's own terms, by the edge, and nothing is written
    that stands already.
    """

    @property
    def url(self) -> str:
        """The store's address without secrets, for messages and metrics."""

    @property
    def components(self) -> tuple[Component, ...]:
        """What has to run for the edge: its watch, leases, heartbeats of checks."""

    async def ping(self) -> None:
        """Return when the store answers. Raises StoreUnavailable or StoreDenied."""

    async def write(self, wanted: Mapping[Key, Instance | None]) -> Mapping[Key, str]:
        """Make each of these entries what is wanted, None: absent; acknowledged on return.

        An entry that the store refuses for itself harms only itself: the answer says why, by
        key, and the others are written. Raises StoreUnavailable (try all again) or StoreDenied.
        """

    async def audit(self, desired: Mapping[Key, Instance], holder: Holder) -> frozenset[Key]:
        """Read the store; return under which keys it does not hold what is desired.

        A key that is not desired is in it only when the entry is this holder's. Writes nothing.
        Raises StoreUnavailable or StoreDenied.
        """

    def let_go(self, keys: Iterable[Key]) -> None:
        """Refresh these no more: they stay until their TTL ends, or for ever without one."""

    async def disturbed(self) -> None:
        """Return when entries may be gone or changed by another hand: time for an audit."""

    def trouble(self) -> str | None:
        """Return what keeps the edge from its store, or None."""

    async def close(self) -> None:
        """Close connections; entries stay."""


class Mirror(Component, Protocol):
    """A component that keeps a Catalog equal to a store, all hosts' entries included.

    It is ready after the first full read, which also makes the Catalog synced. While the store
    is away the Catalog stays as it was. What cannot be read is left out and told once.
    """

    def trouble(self) -> str | None:
        """Return what keeps the mirror from its store, or None."""


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

    async def close(self) -> None:
        """Close connections; keys stay."""
