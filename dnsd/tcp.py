"""TCP connections (RFC 7766): pipelined queries, bounded in number, idle time and patience.

A message is answered once it is complete, so replies come in the order of the queries. While the
client does not read, neither do we; what is in flight is what the transport holds.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from dnsd.cache import Responder
from dnsd.tallies import Channel
from dnsd.udp import answer_safely
from sidecar.runtime.clock import Clock

__all__ = ["Connections", "Limits"]

_MESSAGES_PER_TURN: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of us strangers may hold."""

    idle: float = 10.0  # since the last whole query, so that dribbling octets does not help
    stalled: float = 5.0  # how long a client may leave replies unread
    connections: int = 1024
    per_client: int = 64


class Connections:
    """Every open connection, least recently used first."""

    def __init__(self, responder: Responder, clock: Clock, limits: Limits) -> None:
        """Begin with none."""
        self.responder = responder
        self._clock = clock
        self._limits = limits
        self._used: dict[_Connection, float] = {}
        self._stalled: dict[_Connection, float] = {}
        self._clients: Counter[str] = Counter()
        self._all: set[_Connection] = set()
        self._none_left = asyncio.Event()
        self._none_left.set()

    def factory(self, channel: Channel) -> Callable[[], asyncio.Protocol]:
        """Return what makes a protocol for each connection to one listener."""
        return lambda: _Connection(self, channel)

    def opened(self, connection: "_Connection") -> None:
        """Take in a new connection; over the limit, the one idle longest has to go."""
        self._all.add(connection)
        self._none_left.clear()
        self._clients[connection.client] += 1
        self._used[connection] = self._clock.monotonic()
        if self._clients[connection.client] > self._limits.per_client:
            self._evict(next(c for c in self._used if c.client == connection.client))
        elif len(self._used) > self._limits.connections:
            self._evict(next(iter(self._used)))

    def used(self, connection: "_Connection") -> None:
        """Note that a whole query came."""
        if self._used.pop(connection, None) is not None:
            self._used[connection] = self._clock.monotonic()

    def stalled(self, connection: "_Connection", *, stalled: bool) -> None:
        """Note whether replies pile up unread."""
        if stalled:
            self._stalled[connection] = self._clock.monotonic()
        else:
            self._stalled.pop(connection, None)

    def closed(self, connection: "_Connection") -> None:
        """Forget a connection."""
        self._forget(connection)
        self._stalled.pop(connection, None)
        self._all.discard(connection)
        if not self._all:
            self._none_left.set()

    async def sweep(self) -> None:
        """Close what is idle or stalled too long, for ever."""
        while True:
            await self._clock.sleep(min(self._limits.idle, self._limits.stalled) / 5)
            now = self._clock.monotonic()
            idle = [c for c, since in self._used.items() if now - since >= self._limits.idle]
            for connection in idle:
                self._evict(connection)
            late = [c for c, since in self._stalled.items() if now - since >= self._limits.stalled]
            for connection in late:
                connection.abort()

    async def close(self, grace: float = 1.0) -> None:
        """Flush and close every connection, then cut what is left."""
        for connection in list(self._used):
            self._evict(connection)
        try:
            async with asyncio.timeout(grace):
                await self._none_left.wait()
        except TimeoutError:
            for connection in list(self._all):
                connection.abort()

    def _evict(self, connection: "_Connection") -> None:
        self._forget(connection)
        connection.close()

    def _forget(self, connection: "_Connection") -> None:
        if self._used.pop(connection, None) is not None:
            self._clients[connection.client] -= 1
            if not self._clients[connection.client]:
                del self._clients[connection.client]


class _Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, connections: Connections, channel: Channel) -> None:
        self._connections = connections
        self._channel = channel
        self._buffer = bytearray()
        self._is_paused = False
        self._has_more = False
        self._is_ended = False
        self._transport: asyncio.Transport
        self.client = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, because uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        peer = self._transport.get_extra_info("peername")
        self.client = peer[0] if peer else ""
        self._channel.connections += 1
        self._connections.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._channel.connections -= 1
        self._is_paused = True
        self._connections.closed(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._has_more:
            self._work()

    def eof_received(self) -> bool:
        self._is_ended = True
        return self._has_more or self._is_paused

    def pause_writing(self) -> None:
        self._is_paused = True
        self._transport.pause_reading()
        self._connections.stalled(self, stalled=True)

    def resume_writing(self) -> None:
        self._is_paused = False
        self._connections.stalled(self, stalled=False)
        self._work()

    def close(self) -> None:
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def _work(self) -> None:
        """Answer whole messages, a turn's worth; the rest when others had their turn."""
        self._has_more = False
        if self._is_paused or self._transport.is_closing():
            return
        replies, at, is_bad = self._answer()
        del self._buffer[:at]
        if replies:
            self._connections.used(self)
            self._transport.write(b"".join(replies))
        if is_bad:
            self._transport.close()
        elif self._has_whole(0):
            self._has_more = True
            self._transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._work)
        elif self._is_ended:
            self._transport.close()
        elif not self._is_paused:
            self._transport.resume_reading()

    def _answer(self) -> tuple[list[bytes], int, bool]:
        """Return framed replies, how far the buffer is used, and whether to hang up."""
        source = self._connections.responder.replies()
        hot = source.hot(self._channel)
        buffer = self._buffer
        replies: list[bytes] = []
        at = 0
        for _ in range(_MESSAGES_PER_TURN):
            if not self._has_whole(at):
                break
            end = at + 2 + (buffer[at] << 8 | buffer[at + 1])
            if end - at < 2 + 12:
                self._channel.dropped["short"] += 1
                return replies, end, True
            packet = bytes(buffer[at + 2 : end])
            at = end
            entry = hot.get(packet[2:])
            if entry is not None:
                reply: bytes | None = entry.reply(packet)
            else:
                reply = answer_safely(source, packet, self._channel)
            if reply is not None:
                replies.append(len(reply).to_bytes(2) + reply)
        return replies, at, False

    def _has_whole(self, at: int) -> bool:
        buffer = self._buffer
        if len(buffer) < at + 2:
            return False
        size = buffer[at] << 8 | buffer[at + 1]
        return size < 12 or len(buffer) >= at + 2 + size
