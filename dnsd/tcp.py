"""TCP connections (RFC 7766), plain or under TLS (RFC 7858): pipelined queries.

A message is answered once it is complete; what other servers are asked comes when it comes. While
the client does not read, neither do we; what is in flight is what the transport holds.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Final, cast

from dnsd.connections import Connections
from dnsd.service import LATER, Service
from dnsd.tallies import Channels

__all__ = ["DnsConnection", "factory"]

_MESSAGES_PER_TURN: Final = 128
_PENDING: Final = 100
_STREAMED_PER_TURN: Final = 2


def factory(
    service: Service, connections: Connections, channels: Channels
) -> Callable[[], asyncio.Protocol]:
    """Return what makes a protocol for each connection to one listener."""
    return lambda: DnsConnection(service, connections, channels)


class DnsConnection(asyncio.Protocol):
    """One client."""

    def __init__(self, service: Service, connections: Connections, channels: Channels) -> None:
        """Wait for the transport."""
        self._service = service
        self._connections = connections
        self._channels = channels
        self._channel = channels.usual
        self._buffer = bytearray()
        self._stream: Iterator[bytes] | None = None
        self._pending = 0
        self._is_paused = False
        self._has_more = False
        self._is_ended = False
        self._transport: asyncio.Transport
        self.client = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Join the others, and perhaps make the one idle longest go."""
        # A cast, because uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        peer = self._transport.get_extra_info("peername")
        self.client = peer[0] if peer else ""
        self._channel.connections += 1
        self._connections.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Leave the others."""
        self._channels.usual.connections -= 1
        self._is_paused = True
        self._stream = None
        self._connections.closed(self)

    def data_received(self, data: bytes) -> None:
        """Answer what is complete."""
        self._buffer += data
        if not self._has_more:
            self._work()

    def eof_received(self) -> bool:
        """Answer what was asked before the end."""
        self._is_ended = True
        return self._is_busy or self._is_paused

    def pause_writing(self) -> None:
        """Stop reading, as the client has too much unread."""
        self._is_paused = True
        self._transport.pause_reading()
        self._connections.stalled(self, stalled=True)

    def resume_writing(self) -> None:
        """Go on."""
        self._is_paused = False
        self._connections.stalled(self, stalled=False)
        self._work()

    def close(self) -> None:
        """Send what is under way, then hang up."""
        self._is_ended = True
        self._buffer.clear()
        if not self._is_busy:
            self._transport.close()

    def abort(self) -> None:
        """Hang up at once."""
        self._transport.abort()

    @property
    def _is_busy(self) -> bool:
        return self._has_more or self._pending > 0 or self._stream is not None

    def _work(self) -> None:
        """Answer whole messages, a turn's worth; the rest when others had their turn."""
        self._has_more = False
        if self._is_paused or self._transport.is_closing():
            return None
        if self._stream is not None and self._pour(self._stream):
            return self._later()
        replies, at, is_bad = self._answer()
        del self._buffer[:at]
        if at:
            self._connections.used(self)
        if replies:
            self._transport.write(b"".join(replies))
        if is_bad:
            self._transport.close()
        elif self._stream is not None or (self._pending < _PENDING and self._has_whole()):
            self._later()
        elif self._pending >= _PENDING:
            self._transport.pause_reading()
        elif self._is_ended:
            if not self._pending:
                self._transport.close()
        elif not self._is_paused:
            self._transport.resume_reading()
        return None

    def _later(self) -> None:
        if not self._is_paused:
            self._has_more = True
            self._transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._work)

    def _answer(self) -> tuple[list[bytes], int, bool]:
        """Return framed replies, how far the buffer is used, and whether to hang up."""
        service = self._service
        if service.may_recurse(self.client):
            self._channel = self._channels.recursive
        source = service.responder.replies()
        hot = source.hot(self._channel)
        data = bytes(self._buffer)
        size = len(data)
        replies: list[bytes] = []
        at = 0
        for _ in range(_MESSAGES_PER_TURN):
            if at + 2 > size:
                break
            length = data[at] << 8 | data[at + 1]
            if length < 12:
                self._channel.dropped["short"] += 1
                return replies, at + 2, True
            end = at + 2 + length
            if end > size or self._pending >= _PENDING:
                break
            entry = hot.get(data[at + 4 : end])
            if entry is not None:
                body = entry.reply(data[at + 2 : end])
                replies.append(len(body).to_bytes(2) + body)
                at = end
                continue
            packet = data[at + 2 : end]
            at = end
            self._stream = service.transfer(packet, self._channel, self.client)
            if self._stream is not None:
                break
            reply = service.miss(source, packet, self._channel, self.client, self._deliver)
            if reply is LATER:
                self._pending += 1
            elif reply is not None:
                replies.append(len(reply).to_bytes(2) + reply)
        return replies, at, False

    def _pour(self, stream: Iterator[bytes]) -> bool:
        """Send some of a zone; say whether there is more."""
        self._connections.used(self)
        for _ in range(_STREAMED_PER_TURN):
            message = next(stream, None)
            if message is None:
                self._stream = None
                return False
            self._transport.write(len(message).to_bytes(2) + message)
        return True

    def _deliver(self, reply: bytes) -> None:
        """Send what another server answered."""
        self._pending -= 1
        if self._transport.is_closing():
            return
        self._transport.write(len(reply).to_bytes(2) + reply)
        if not self._has_more:
            self._work()

    def _has_whole(self) -> bool:
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        size = buffer[0] << 8 | buffer[1]
        return size < 12 or len(buffer) >= 2 + size
