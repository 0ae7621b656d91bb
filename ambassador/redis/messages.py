"""How many subscriptions a connection has, from the confirmations that pass. Pure.

Each confirmation says the count itself (its third element), so the newest one counts.
"""

import re
from typing import Final

from ambassador.redis.replies import Replies
from sidecar.errors import ProtocolError

__all__ = ["Confirmations"]

_MOST: Final = 1024  # of a frame, a channel's name included, before it is looked at no more
_CONFIRMATION: Final = re.compile(
    rb"[*>]3\r\n\$\d+\r\n[ps]?(?:un)?subscribe\r\n.*:(\d+)\r\n\Z", re.DOTALL
)


class Confirmations:
    """Follows the frames of a connection."""

    def __init__(self) -> None:
        """Start before any subscription."""
        self.count = 0
        self._framer = Replies(takes_pushes=True)
        self._begun = bytearray()
        self._is_lost = False

    def feed(self, data: bytes) -> None:
        """Take what passes, in pieces of any size."""
        at, size, framer = 0, len(data), self._framer
        while at < size and not self._is_lost:
            pushes = framer.pushes
            try:
                end, done = framer.take_one(data, at)
            except ProtocolError:
                self._is_lost = True  # what it is the client will find out
                return
            if len(self._begun) < _MOST:
                self._begun += data[at:end]
            at = end
            if done or framer.pushes > pushes:
                self._look()
                self._begun.clear()

    def _look(self) -> None:
        if match := _CONFIRMATION.match(self._begun):
            self.count = int(match[1])
