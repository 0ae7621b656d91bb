"""Redis Cluster: not served yet."""

from collections.abc import Sequence

from ambassador.frame.address import Address
from ambassador.redis.hub import Hub
from sidecar.errors import ConfigError

__all__ = ["Clustered"]


class Clustered:
    """A cluster."""

    def __init__(self, seeds: Sequence[Address]) -> None:
        """Refuse."""
        raise ConfigError([f"upstream.source: cluster is not served yet ({seeds[0]})"])

    async def follow(self, hub: Hub) -> None:
        """Follow."""
