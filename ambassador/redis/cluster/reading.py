"""A client's choice of replicas, for each shard its own."""

from typing import TYPE_CHECKING

from ambassador.redis.reading import Reader
from ambassador.redis.run import ClientRun

if TYPE_CHECKING:
    from ambassador.redis.cluster.client import ClusterClient
    from ambassador.redis.cluster.hub import Shard
    from ambassador.redis.link import Link

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

    def take_mode(self, mode: str) -> None:
        """Read in another way from now on."""
        self._mode = mode
        for reader in self._by_shard.values():
            reader.take_mode(mode)

    def wrote_alone(self, link: "Link") -> None:
        """Hear that a client's own upstream has executed something."""
        shard = self._client.hub.shard_at(link.node)
        if shard is not None and shard.readable:
            self.of(shard).wrote_alone(link)
        elif shard is not None:
            shard.is_unfollowed = True

    def moved(self) -> None:
        """Read from primaries until it is known how far they are."""
        for reader in self._by_shard.values():
            reader.moved()

    def hides(self) -> None:
        """Hear of a command on an upstream with messages; none that writes goes there."""

    def shows(self) -> None:
        """Hear the end of that."""

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
