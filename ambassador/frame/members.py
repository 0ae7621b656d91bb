"""Who wants to know the servers of a service, and the simplest source: a list."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Protocol

from ambassador.frame.address import Address

__all__ = ["Follows", "Listed", "Target"]


class Target(Protocol):
    """Who wants to know the servers."""

    def serve(self, addresses: Collection[Address], draining: Collection[Address] = ()) -> None:
        """Take which servers there are, and which of them take nothing new."""


class Follows(Protocol):
    """Where the servers are learned from."""

    async def follow(self, target: Target) -> None:
        """Tell the target which servers there are until cancelled."""


class Listed:
    """Servers that are given."""

    def __init__(self, servers: Sequence[Address]) -> None:
        """Take the servers."""
        self._servers = servers

    async def follow(self, target: Target) -> None:
        """Tell them once."""
        target.serve(self._servers)
        await asyncio.get_running_loop().create_future()
