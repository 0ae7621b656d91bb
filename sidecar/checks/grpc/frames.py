"""Frames of HTTP/2 (RFC 9113 sections 4 and 6): bytes to frames and back. Pure."""

import enum
from collections.abc import Iterator
from typing import Final, NamedTuple

from sidecar.errors import ProtocolError

__all__ = ["FRAME_MOST", "PREFACE", "Flag", "Frame", "Frames", "Type", "written"]

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FRAME_MOST: Final = 16384
"""Bytes of a frame's content, unless a side allows more (we do not)."""
_HEAD: Final = 9


class Type(enum.IntEnum):
    """The frames that are acted upon; others are to be ignored."""

    DATA = 0
    HEADERS = 1
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    CONTINUATION = 9


class Flag(enum.IntFlag):
    """Bits of a frame's flags; ACK and END_STREAM are the same one, of different types."""

    END_STREAM = 1
    ACK = 1
    END_HEADERS = 4
    PADDED = 8
    PRIORITY = 32


class Frame(NamedTuple):
    """One frame. ``type`` may be one that nobody knows."""

    type: int
    flags: int
    stream: int
    content: bytes

    def unpadded(self) -> bytes:
        """Return the content without padding. Raises ProtocolError."""
        if not self.flags & Flag.PADDED:
            return self.content
        if not self.content or self.content[0] >= len(self.content):
            raise ProtocolError("padding longer than its frame")
        return self.content[1 : len(self.content) - self.content[0]]


def written(type_: Type, content: bytes, *, flags: int = 0, stream: int = 0) -> bytes:
    """Return a frame as bytes."""
    head = len(content).to_bytes(3, "big") + bytes([type_, flags]) + stream.to_bytes(4, "big")
    return head + content


class Frames:
    """Cuts bytes into frames; holds no more than one frame and what came with it."""

    def __init__(self) -> None:
        """Begin behind the preface."""
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that are complete. Raises ProtocolError for one that is too large."""
        self._buffer += data
        while len(self._buffer) >= _HEAD:
            head = self._buffer[:_HEAD]
            end = _HEAD + int.from_bytes(head[:3], "big")
            if end > _HEAD + FRAME_MOST:
                raise ProtocolError("frame larger than allowed")
            if len(self._buffer) < end:
                return
            content, self._buffer = self._buffer[_HEAD:end], self._buffer[end:]
            stream = int.from_bytes(head[5:], "big") & 0x7FFFFFFF
            yield Frame(head[3], head[4], stream, content)
