"""One question to one server: UDP from a port of its own, TCP when the reply does not fit.

A forger has to hit address, port, ID and question (RFC 5452). Whatever does not fit is left
unread and the wait goes on; when much of it comes, somebody is guessing, and TCP is asked instead.
"""

import asyncio
import secrets
import socket
from typing import Final

from dnsd import codes
from dnsd.forward.message import Asked, Malformed, Reply, encode, mixed, read
from sidecar.config.units import Endpoint
from sidecar.metrics import counter

__all__ = ["ask", "connected"]

_forged = counter(
    "dnsd_forward_mismatches_total", "Datagrams that did not answer what was asked", ["to"]
)

_PORTS: Final = range(1024, 65536)
_TRIES: Final = 8
_GUESSES: Final = 50
_RECEIVE: Final = 4096


async def ask(at: Endpoint, asked: Asked, *, mix_case: bool = False) -> Reply:
    """Return the server's reply. Raises OSError and Malformed; the caller bounds the time."""
    if mix_case:
        asked = asked._replace(name=mixed(asked.name, secrets.randbits(253)))
    reply = await _ask(at, asked, edns=True)
    if reply.rcode == codes.FORMERR:
        reply = await _ask(at, asked, edns=False)  # RFC 6891 6.2.2
    return reply


async def _ask(at: Endpoint, asked: Asked, *, edns: bool) -> Reply:
    reply = await _over_udp(at, asked, edns=edns)
    if reply is None or reply.truncated:
        reply = await _over_tcp(at, asked, edns=edns)
    return reply


async def _over_udp(at: Endpoint, asked: Asked, *, edns: bool) -> Reply | None:
    """Return the reply, or None when so much else comes that somebody must be guessing."""
    loop = asyncio.get_running_loop()
    id_ = secrets.randbits(16)
    with connected(at) as sock:
        await loop.sock_sendall(sock, encode(asked, id_, edns=edns))
        for _ in range(_GUESSES):
            packet = await loop.sock_recv(sock, _RECEIVE)
            try:
                return read(packet, asked, id_)
            except Malformed:
                _forged.labels(at).inc()
    return None


def connected(at: Endpoint) -> socket.socket:
    """Return a socket that only hears this server, on a port nobody can foretell."""
    family = socket.AF_INET6 if ":" in at.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        for _ in range(_TRIES):
            try:
                sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", _port()))
                break
            except OSError:  # taken; without a bind the kernel picks one, at random too
                continue
        sock.connect((at.host, at.port))
    except OSError:
        sock.close()
        raise
    return sock


def _port() -> int:
    return _PORTS[secrets.randbelow(len(_PORTS))]


async def _over_tcp(at: Endpoint, asked: Asked, *, edns: bool) -> Reply:
    id_ = secrets.randbits(16)
    reader, writer = await asyncio.open_connection(at.host, at.port)
    try:
        packet = encode(asked, id_, edns=edns)
        writer.write(len(packet).to_bytes(2) + packet)
        size = int.from_bytes(await reader.readexactly(2))
        reply = read(await reader.readexactly(size), asked, id_)
    except asyncio.IncompleteReadError as error:
        raise Malformed("the connection ended early") from error
    finally:
        writer.transport.abort()
    if reply.truncated:
        raise Malformed("truncated over TCP")
    return reply
