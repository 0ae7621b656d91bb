"""What a client, or all of a listener, must not miss, as offsets of a primary.

How they are used is told in ``reading``.
"""

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from ambassador.redis.client import Client
    from ambassador.redis.node import Node
    from ambassador.redis.roles import Lag

__all__ = ["FREE", "MOVED", "NEVER", "Shard", "Token", "cover"]

NEVER: Final = 1 << 62
"""An offset that no replica has: until the next probes of the primary."""
FREE: Final = -1
"""In place of an offset: whatever the replica has is good."""
MOVED: Final = NEVER - 1
"""The same, until the next ROLE on the primary's link."""


class Token:
    """What a client, or all of a listener, must not miss."""

    __slots__ = ("generation", "offset", "uncovered", "wrote_at")

    def __init__(self, generation: int) -> None:
        """Start with nothing written; ``generation`` is the hub's."""
        self.offset = 0
        self.uncovered = 0  # ROLEs under way
        self.wrote_at = -1.0
        self.generation = generation


def cover(uncertain: dict[Token, int], offset: int) -> None:
    """Take how far a primary is by a probe: past all that was uncertain before it."""
    for token, left in list(uncertain.items()):
        if left > 1:
            uncertain[token] = left - 1
        else:
            del uncertain[token]
            token.offset = offset


class Shard(Protocol):
    """A primary and its replicas: all there is, or a part of a cluster."""

    readable: "tuple[Node, ...]"
    generation: int
    switch_offset: int
    floor: int
    lag: "Lag"
    uncertain: dict[Token, int]

    def token(self, client: "Client") -> Token:
        """Return what a client's writes are remembered in."""
