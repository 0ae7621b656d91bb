"""How entries are written and kept alive: what both APIs do for an edge."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from sidecar.stores.etcd.keyspace import Held
from sidecar.stores.etcd.ledger import Want

__all__ = ["Keeping"]


class Keeping(Protocol):
    """All but ``keeps`` raise StoreUnavailable or StoreDenied."""

    def keeps(self, held: Held) -> bool:
        """Say whether an entry lives as long as it should."""

    async def adopt(self) -> None:
        """Go on with what an earlier process of the owner left alive."""

    async def settle(self, wants: Sequence[Want]) -> Mapping[str, str]:
        """Make entries what is wanted; return why some are refused, by key.

        What stands already is not written. An entry under another owner's mark is not removed.
        """

    async def refresh(self, wants: Sequence[Want]) -> None:
        """Start the TTL of these again; those that it has ended are written again."""

    async def let_go(self, wants: Sequence[Want]) -> None:
        """Let the TTL of these end, whatever is refreshed from now on."""
