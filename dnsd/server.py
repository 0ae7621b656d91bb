"""Listening on one address, from bound to closed: UDP and TCP on one port, TLS, HTTPS."""

import asyncio
import resource
import socket
from typing import TYPE_CHECKING, Final, Literal

from dnsd.connections import Connections
from dnsd.service import Service
from dnsd.tallies import Channels, Proto
from dnsd.tcp import DnsConnection
from dnsd.telemetry import Telemetry
from dnsd.udp import UdpServer
from sidecar.config.units import Endpoint
from sidecar.errors import AddressInUse
from sidecar.runtime.listen import bind

if TYPE_CHECKING:
    from collections.abc import Callable
    from ssl import SSLContext

__all__ = ["Listener", "SecureListener", "channels_of", "make_room"]

_OPTION: Final = "--dns"
_BACKLOG: Final = 1024
_TRIES: Final = 20
_OTHERS: Final = 512


def channels_of(telemetry: Telemetry, proto: Proto, at: Endpoint) -> Channels:
    """Return where an address counts what comes in."""
    family: Literal["1", "2"] = "2" if ":" in at.host else "1"
    scheme = {"tls": "tls", "https": "https"}.get(proto, "dns")
    usual, recursive = (
        telemetry.channel(f"{scheme}://{at}", proto, family, recursive=recursive)
        for recursive in (False, True)
    )
    return Channels(usual, recursive)


class Listener:
    """The two sockets of one address (RFC 7766: TCP is not optional)."""

    def __init__(self, at: Endpoint, *, reuse_port: bool = False) -> None:
        """Bind both; raises AddressInUse."""
        self._udp, self._tcp = _pair(at, reuse_port=reuse_port)
        self.address = Endpoint(at.host, self._udp.getsockname()[1])
        self._reader: UdpServer | None = None
        self._server: asyncio.Server | None = None

    async def start(self, service: Service, connections: Connections, telemetry: Telemetry) -> None:
        """Serve from now on."""
        loop = asyncio.get_running_loop()
        tcp = channels_of(telemetry, "tcp", self.address)
        self._server = await loop.create_server(
            lambda: DnsConnection(service, connections, tcp), sock=self._tcp, backlog=_BACKLOG
        )
        self._reader = UdpServer(self._udp, service, channels_of(telemetry, "udp", self.address))
        self._reader.start(loop)

    def stop(self) -> None:
        """Accept nothing more; replies under way still go out."""
        if self._reader is not None:
            self._reader.stop(asyncio.get_running_loop())
        if self._server is not None:
            self._server.close()

    def close(self) -> None:
        """Free the port; open connections are not ours to close."""
        self.stop()
        self._udp.close()
        self._tcp.close()


class SecureListener:
    """One address for DNS over TLS (RFC 7858) or HTTPS (RFC 8484)."""

    def __init__(
        self, at: Endpoint, proto: Literal["tls", "https"], *, reuse_port: bool = False
    ) -> None:
        """Bind; raises AddressInUse."""
        option = f"dns.{proto}_listen"
        self._tcp = bind(
            at.host, at.port, kind=socket.SOCK_STREAM, option=option, reuse_port=reuse_port
        )
        self.proto: Literal["tls", "https"] = proto
        self.address = Endpoint(at.host, self._tcp.getsockname()[1])
        self._server: asyncio.Server | None = None

    async def start(
        self,
        service: Service,
        connections: Connections,
        telemetry: Telemetry,
        context: "SSLContext",
    ) -> None:
        """Serve from now on."""
        channels = channels_of(telemetry, self.proto, self.address)
        factory: Callable[[], asyncio.Protocol]
        if self.proto == "tls":
            factory = lambda: DnsConnection(service, connections, channels)  # noqa: E731
        else:
            from dnsd.http import HttpConnection, doh_handler  # noqa: PLC0415 - few speak HTTPS

            handler = doh_handler(service, channels)
            factory = lambda: HttpConnection(handler, connections)  # noqa: E731
        self._server = await asyncio.get_running_loop().create_server(
            factory, sock=self._tcp, backlog=_BACKLOG, ssl=context, ssl_handshake_timeout=5.0
        )

    def stop(self) -> None:
        """Accept nothing more."""
        if self._server is not None:
            self._server.close()

    def close(self) -> None:
        """Free the port."""
        self.stop()
        self._tcp.close()


def make_room(sockets: int) -> None:
    """Let this process open so many sockets and what else it has, if the system allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = sockets + _OTHERS
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _pair(at: Endpoint, *, reuse_port: bool) -> tuple[socket.socket, socket.socket]:
    """Bind UDP and TCP to one port; port 0 is any that is free for both."""
    for remaining in range(_TRIES, -1, -1):
        udp = bind(at.host, at.port, kind=socket.SOCK_DGRAM, option=_OPTION, reuse_port=reuse_port)
        try:
            port: int = udp.getsockname()[1]
            tcp = bind(
                at.host, port, kind=socket.SOCK_STREAM, option=_OPTION, reuse_port=reuse_port
            )
        except AddressInUse:
            udp.close()
            if at.port or not remaining:
                raise
        else:
            return udp, tcp
    raise AssertionError("the loop returns or raises")
