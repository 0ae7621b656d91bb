"""Listening on one address: UDP and TCP on the same port, from bound to closed."""

import asyncio
import socket
from collections.abc import Callable
from typing import Final, Literal

from dnsd.cache import Responder
from dnsd.tallies import Channel
from dnsd.tcp import Connections
from dnsd.udp import UdpServer
from sidecar.config.units import Endpoint
from sidecar.errors import AddressInUse
from sidecar.runtime.listen import bind

__all__ = ["ChannelOf", "Listener"]

ChannelOf = Callable[[str, Literal["udp", "tcp"], Literal["1", "2"]], Channel]

_OPTION: Final = "--dns"
_BACKLOG: Final = 1024
_TRIES: Final = 20


class Listener:
    """The two sockets of one address (RFC 7766: TCP is not optional)."""

    def __init__(self, at: Endpoint) -> None:
        """Bind both; raises AddressInUse."""
        self._udp, self._tcp = _pair(at)
        self.address = Endpoint(at.host, self._udp.getsockname()[1])
        self._family: Literal["1", "2"] = "2" if self._udp.family == socket.AF_INET6 else "1"
        self._reader: UdpServer | None = None
        self._server: asyncio.Server | None = None

    async def start(
        self, responder: Responder, connections: Connections, channel_of: ChannelOf
    ) -> None:
        """Serve from now on."""
        loop = asyncio.get_running_loop()
        name = f"dns://{self.address}"
        tcp = connections.factory(channel_of(name, "tcp", self._family))
        self._server = await loop.create_server(tcp, sock=self._tcp, backlog=_BACKLOG)
        self._reader = UdpServer(self._udp, responder, channel_of(name, "udp", self._family))
        self._reader.start(loop)

    def close(self) -> None:
        """Accept nothing more; open connections are not ours to close."""
        if self._reader is not None:
            self._reader.stop(asyncio.get_running_loop())
        if self._server is not None:
            self._server.close()
        self._udp.close()
        self._tcp.close()


def _pair(at: Endpoint) -> tuple[socket.socket, socket.socket]:
    """Bind UDP and TCP to one port; port 0 is any that is free for both."""
    for remaining in range(_TRIES, -1, -1):
        udp = bind(at.host, at.port, kind=socket.SOCK_DGRAM, option=_OPTION)
        try:
            port: int = udp.getsockname()[1]
            return udp, bind(at.host, port, kind=socket.SOCK_STREAM, option=_OPTION)
        except AddressInUse:
            udp.close()
            if at.port or not remaining:
                raise
    raise AssertionError("the loop returns or raises")
