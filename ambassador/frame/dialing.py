"""Connect to an endpoint: TCP or a Unix socket, with or without TLS, within a time limit."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

from ambassador.frame.address import Address

__all__ = ["Dial", "Dialer", "is_within_host", "tune"]

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
    if is_within_host(transport):
        with contextlib.suppress(OSError):  # there is no Reno, or it is not for us
            # There is no congestion there, and BBR would spread over time what is sent.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE)


def is_within_host(transport: asyncio.BaseTransport) -> bool:
    """Say whether both ends are on this host, as far as their addresses tell."""
    try:
        own, peer = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
    except OSError:  # the peer has gone already
        return False
    if isinstance(own, tuple) and isinstance(peer, tuple):
        return bool(own[0] == peer[0])
    return isinstance(own, str)  # of a Unix socket
