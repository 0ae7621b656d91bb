"""Connect to an endpoint: TCP or a Unix socket, with or without TLS, within a time limit."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

from ambassador.frame.address import Address

__all__ = ["Dial", "Dialer", "tune"]

Dial = Callable[[Callable[[], asyncio.BaseProtocol]], Awaitable[None]]
_LIMIT: Final = 1.0
_KEEPALIVE: Final = 15


class Dialer:
    """Connects."""

    def __init__(self, context: ssl.SSLContext | None = None, limit: float = _LIMIT) -> None:
        """Speak TLS when there is a context; give up after ``limit`` seconds."""
        self._context = context
        self.limit = limit

    def to(self, address: Address) -> Dial:
        """Return what connects to an address; it raises OSError and TimeoutError."""

        async def dial(factory: Callable[[], asyncio.BaseProtocol]) -> None:
            loop = asyncio.get_running_loop()
            async with asyncio.timeout(self.limit):
                if address.host.startswith("/"):
                    await loop.create_unix_connection(factory, address.host)
                    return
                transport, _ = await loop.create_connection(
                    factory,
                    address.host,
                    address.port,
                    ssl=self._context,
                    server_hostname=address.host if self._context else None,
                )
                tune(transport)

        return dial


def tune(transport: asyncio.BaseTransport) -> None:
    """Send at once, and notice a peer that vanished."""
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family == socket.AF_UNIX:
        return
    with contextlib.suppress(OSError):  # the peer has gone already
        if sock.getsockname()[0] == sock.getpeername()[0]:
            # On one host there is no congestion, and BBR would spread over time what is sent.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE)
