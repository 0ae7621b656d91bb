"""A command of a client of a cluster: one, with one slot, that may be sent on to other nodes."""

from typing import TYPE_CHECKING, Final

from ambassador.redis.run import ClientRun, Owner

if TYPE_CHECKING:
    from ambassador.redis.node import Node

__all__ = ["ASKING", "SlotRun"]

ASKING: Final = b"*1\r\n$6\r\nASKING\r\n"


class SlotRun(ClientRun):
    """One command."""

    __slots__ = ("at", "hops", "is_on_replica", "is_stuck", "node", "retries")

    def __init__(self, owner: Owner, data: bytes, kind: int, since: float, at: int) -> None:
        """Take a command for a slot; -1: any node will do."""
        super().__init__(owner, data, 1, kind, since)
        self.at = at
        self.hops = 0  # MOVED and ASK so far
        self.retries = 0  # TRYAGAIN so far
        self.is_on_replica = False
        self.is_stuck = False  # waits to be sent again; what comes after it must not pass
        self.node: Node | None = None  # the only one that it may go to

    def finish(self, piece: bytes) -> None:
        """Answer the client, unless the reply has to be looked at."""
        reply = self.whole(piece)
        if self.is_streamed or not (
            self.has_error or self.is_stale or self.is_on_replica or self.slot is not None
        ):
            self.owner.answered(self, reply)
        else:
            self.owner.inspect(self, reply)

    def again(self) -> None:
        """Become as before it was sent."""
        self.left, self.has_error, self.is_stale = 1, False, False
        self.parts.clear()
