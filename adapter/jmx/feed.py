"""Bytes of one answer as they come in, and how many there may be. Pure.

Answers carry no length, so the reader asks for what it needs and ``more`` brings it: from a
socket, or in tests from a list of pieces. Whatever the pieces, the values are the same.
"""

import struct
from collections.abc import Callable
from typing import Any

from sidecar.errors import ProtocolError

__all__ = ["Feed", "Truncated"]


class Truncated(ProtocolError):
    """The peer closed the connection in the middle of an answer."""


class Feed:
    """What has come and was not read yet; ``budget`` is what one answer may still take."""

    __slots__ = ("_more", "at", "budget", "data")

    def __init__(self, more: Callable[[], bytes], budget: int) -> None:
        """Take what brings the next piece (empty: no more will come) and the first budget."""
        self._more = more
        self.data = b""
        self.at = 0
        self.budget = budget

    def start(self, budget: int) -> None:
        """Begin another answer; what came early stays."""
        self.data = self.data[self.at :]
        self.at = 0
        self.budget = budget

    @property
    def rest(self) -> int:
        """How many bytes are here already."""
        return len(self.data) - self.at

    def need(self, count: int) -> int:
        """Have ``count`` bytes here and read past them; return where they start.

        Raises ProtocolError when the answer would be too long, before taking memory for it.
        """
        at = self.at
        end = at + count
        if end > self.budget:
            raise ProtocolError("the answer is longer than maxReplyBytes allows")
        if end > len(self.data):
            self._fill(end)
        self.at = end
        return at

    def byte(self) -> int:
        """Return the next byte."""
        at = self.need(1)
        return self.data[at]

    def unpack(self, packed: struct.Struct) -> tuple[Any, ...]:
        """Return what the next bytes hold."""
        at = self.need(packed.size)
        return packed.unpack_from(self.data, at)

    def take(self, count: int) -> bytes:
        """Return the next ``count`` bytes."""
        at = self.need(count)
        return self.data[at : self.at]

    def _fill(self, end: int) -> None:
        pieces, size = [self.data], len(self.data)
        while size < end:
            piece = self._more()
            if not piece:
                raise Truncated("the connection was closed in the middle of an answer")
            pieces.append(piece)
            size += len(piece)
        self.data = b"".join(pieces)
