"""Listening sockets, and one clear line when an address cannot be had."""

import errno
import ipaddress
import socket

from sidecar.errors import AddressInUse

__all__ = ["bind"]

_BACKLOG = 1024


def bind(
    host: str, port: int, *, kind: socket.SocketKind, option: str, reuse_port: bool = False
) -> socket.socket:
    """Return a non-blocking bound socket; a TCP one (``SOCK_STREAM``) also listens.

    ``option`` names what the user sets to choose another address (``--http``). Raises
    AddressInUse saying which port is taken and what to do.
    """
    family = _family(host)
    sock = socket.socket(family, kind)
    try:
        if kind is socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
        if kind is socket.SOCK_STREAM:
            sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise AddressInUse(_explanation(host, port, kind, option, error)) from error
    return sock


def _family(host: str) -> socket.AddressFamily:
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        return socket.AF_INET
    return socket.AF_INET6 if version == 6 else socket.AF_INET


def _explanation(host: str, port: int, kind: socket.SocketKind, option: str, error: OSError) -> str:
    where = f"{'TCP' if kind is socket.SOCK_STREAM else 'UDP'} port {port} on {host}"
    match error.errno:
        case errno.EADDRINUSE:
            return f"{where} is taken by another program; stop it or choose another with {option} ADDR:PORT"
        case errno.EACCES:
            return f"{where} needs a privilege this user lacks; choose a port above 1023 with {option} ADDR:PORT"
        case _:
            return f"cannot listen on {where}: {error.strerror or error}; choose another with {option} ADDR:PORT"
