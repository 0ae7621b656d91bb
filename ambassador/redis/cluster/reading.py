"""A client's choice of replicas, for each shard its own."""

from typing import TYPE_CHECKING

from ambassador.redis.reading import Reader
from ambassador.redis.run import ClientRun

if TYPE_CHECKING:
    from ambassador.redis.cluster.client import ClusterClient
    from ambassador.redis.cluster.hub import Shard

__all__ = ["Readers"]


class Readers:
    """The readers of one client."""

    __slots__ = ("_by_shard", "_client", "_mode")

    def __init__(self, client: "ClusterClient") -> None:
        """Read as the listener says."""
        self._client = client
        self._mode = client.listener.mode
        self._by_shard: dict[Shard, Reader] = {}

    @property
    def mode(self) -> str:
        """How is read."""
        return self._mode

    @mode.setter
    def mode(self, mode: str) -> None:
        self._mode = mode
        for reader in self._by_shard.values():
            reader.mode = mode

    def of(self, shard: "Shard") -> Reader:
        """Return the one for a shard."""
        reader = self._by_shard.get(shard)
        if reader is None:
            known = set(self._client.hub.shards)
            for gone in [one for one in self._by_shard if one not in known]:
                self._by_shard.pop(gone).leave()
            reader = self._by_shard[shard] = Reader(self._client, shard)
            reader.mode = self._mode
        return reader

    def elsewhere(self, run: ClientRun) -> bool:
        """Send a read to another replica than where it failed; False: to the primary.

        In a cluster always to the primary: it comes back seldom, and may be behind ASKING there.
        """
        node = getattr(run.link, "node", None)
        if node is not None and not node.is_primary:
            node.suspect()
        return False

    def leave(self) -> None:
        """Keep to no replicas any more."""
        for reader in self._by_shard.values():
            reader.leave()

    def forget_link(self) -> None:
        """Choose links anew, as what they are set to has changed."""
        self._client.forget_links()
        for reader in self._by_shard.values():
            reader.forget_link()
