"""Splits a stream of bytes into lines, with a bound on what is kept. Pure."""

from collections.abc import Iterator

from sidecar.errors import ProtocolError

__all__ = ["LineSplitter"]


class LineSplitter:
    """Takes bytes as they come and gives whole lines."""

    def __init__(self, limit: int = 8 << 20) -> None:
        """Keep at most ``limit`` bytes of an unfinished line."""
        self._limit = limit
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the lines that ``data`` completes; empty ones are left out.

        Raises ProtocolError when an unfinished line is over the limit.
        """
        first, newline, others = data.partition(b"\n")
        self._rest += first
        if newline:
            yield from self._finished(others)
        if len(self._rest) > self._limit:
            raise ProtocolError(f"a line of the event stream is over {self._limit} bytes")

    def _finished(self, others: bytes) -> Iterator[bytes]:
        line = bytes(self._rest)
        *lines, last = others.split(b"\n")
        self._rest = bytearray(last)
        yield from (line for line in (line, *lines) if line.strip())
