"""The commands of one client for one slot, which keep their order (``client``)."""

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ambassador.redis.cluster.run import SlotRun
    from ambassador.redis.link import Link

__all__ = ["Lane"]


class Lane:
    """What is under way of one client for one slot."""

    __slots__ = ("link", "reads", "sent", "stuck", "waiting")

    def __init__(self) -> None:
        """Start with nothing."""
        self.link: Link | None = None  # to a primary, with ``sent`` commands
        self.sent = 0
        self.reads = 0  # on replicas
        self.stuck = 0  # of those sent: to be sent again later
        self.waiting: deque[SlotRun] = deque()
