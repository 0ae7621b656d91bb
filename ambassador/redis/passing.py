"""The rest of one long command, which is passed on as it comes and not kept. Pure."""

from typing import Final

from ambassador.redis.numbers import number_of
from sidecar.errors import ProtocolError

__all__ = ["LONG", "Remainder"]

LONG: Final = 1 << 20
"""Bytes of an argument from which its command is passed on instead of collected."""
_HEADER: Final = 32


class Remainder:
    """Finds the end of a command of which an argument has begun."""

    __slots__ = ("_header", "_left", "_limit", "_rest")

    def __init__(self, rest: int, left: int, limit: int) -> None:
        """Begin within an argument: bytes to come, its end included, and arguments after it."""
        self._rest = rest
        self._left = left
        self._limit = limit  # of one argument
        self._header = b""

    def take(self, data: bytes) -> int:
        """Return where in these bytes the command ends, -1 if it goes on. Raises ProtocolError."""
        at, size = 0, len(data)
        while True:
            if self._rest > size - at:
                self._rest -= size - at
                return -1
            at += self._rest
            self._rest = 0
            if not self._left:
                return at
            end = data.find(b"\n", at)
            self._header += data[at : end + 1 if end >= 0 else size]
            if len(self._header) > _HEADER:
                raise ProtocolError("too big bulk count string")
            if end < 0:
                return -1
            self._rest = self._length() + 2
            self._left -= 1
            at = end + 1

    def _length(self) -> int:
        header, self._header = self._header, b""
        if not header.startswith(b"$"):
            raise ProtocolError(f"expected '$', got '{chr(header[0])}'")
        length = number_of(header[1:-2])
        if length is None or not 0 <= length <= self._limit:
            raise ProtocolError("invalid bulk length")
        return length
