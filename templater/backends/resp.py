"""Redis' wire protocol (RESP 2) as a client needs it. Pure.

``Replies`` is fed bytes and gives whole replies: text as bytes, integers, lists, None, and an
error as a ``Refusal`` value, because inside a list it does not end the list.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from sidecar.errors import ProtocolError

__all__ = ["Refusal", "Replies", "Reply", "command"]

_LINE: Final = 64 * 1024
_BULK: Final = 512 << 20  # Redis' own limit of one value
_DEPTH: Final = 8


class Refusal(NamedTuple):
    """What the server says instead of an answer, such as ``WRONGTYPE ...``."""

    text: str


Reply = bytes | int | None | Refusal | list["Reply"]


class _Incomplete(Exception):
    """More bytes are needed."""


def command(words: Sequence[str | bytes]) -> bytes:
    """Return a command as it goes over the wire."""
    parts = [f"*{len(words)}\r\n".encode()]
    for word in words:
        data = word if isinstance(word, bytes) else word.encode("utf-8", "surrogateescape")
        parts += [f"${len(data)}\r\n".encode(), data, b"\r\n"]
    return b"".join(parts)


class Replies:
    """Bytes in, replies out."""

    def __init__(self) -> None:
        """Start empty."""
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Reply]:
        """Take bytes and yield the replies that are whole. Raises ProtocolError."""
        self._buffer += data
        while self._buffer:
            try:
                reply, end = self._reply(0, 0)
            except _Incomplete:
                return
            del self._buffer[:end]
            yield reply

    def _reply(self, at: int, depth: int) -> tuple[Reply, int]:
        kind, line, at = self._line(at)
        match kind:
            case "+":
                return line, at
            case "-":
                return Refusal(line.decode("utf-8", "replace")), at
            case ":":
                return _number(line), at
            case "$":
                return self._bulk(_number(line), at)
            case "*" if depth < _DEPTH:
                return self._list(_number(line), at, depth)
        raise ProtocolError(f"redis sent {bytes(self._buffer[:20])!r}")

    def _line(self, at: int) -> tuple[str, bytes, int]:
        end = self._buffer.find(b"\r\n", at, at + _LINE)
        if end < 0:
            if len(self._buffer) - at >= _LINE:
                raise ProtocolError("redis sent a line without an end")
            raise _Incomplete
        return chr(self._buffer[at]), bytes(self._buffer[at + 1 : end]), end + 2

    def _bulk(self, size: int, at: int) -> tuple[Reply, int]:
        if size < 0:
            return None, at
        if size > _BULK:
            raise ProtocolError(f"redis sent a value of {size} bytes")
        if len(self._buffer) < at + size + 2:
            raise _Incomplete
        return bytes(self._buffer[at : at + size]), at + size + 2

    def _list(self, count: int, at: int, depth: int) -> tuple[Reply, int]:
        if count < 0:
            return None, at
        found: list[Reply] = []
        for _ in range(count):
            reply, at = self._reply(at, depth + 1)
            found.append(reply)
        return found, at


def _number(line: bytes) -> int:
    try:
        return int(line)
    except ValueError as error:
        raise ProtocolError(f"redis sent {line[:20]!r} for a number") from error
