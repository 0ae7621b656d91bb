"""Addresses of clients and of ours, as the kernel writes them and as the socket module does."""

import socket
from functools import lru_cache
from struct import pack, unpack_from
from typing import Final

__all__ = [
    "CONTROL",
    "IP_PKTINFO",
    "NAME",
    "NAME_SIZE",
    "PORT_AT",
    "Control",
    "Peer",
    "Way",
    "back",
    "taken_apart",
]

Peer = tuple[str, int] | tuple[str, int, int, int]
Control = list[tuple[int, int, bytes]]
Way = bytes
"""How a datagram came, and so how its reply goes: struct sockaddr, and perhaps struct cmsghdr."""

NAME: Final = 32  # room for either kind of struct sockaddr
NAME_SIZE: Final = {socket.AF_INET: 16, socket.AF_INET6: 28}
PORT_AT: Final = 2
CONTROL: Final = {socket.AF_INET: 32, socket.AF_INET6: 40}
"""What struct cmsghdr with struct in_pktinfo or in6_pktinfo takes up."""
_HEAD: Final = 16  # struct cmsghdr
IP_PKTINFO: Final = 8  # <bits/in.h>; the socket module of Python 3.11 does not name it


@lru_cache(maxsize=4096)
def taken_apart(way: Way) -> tuple[Peer, Control]:
    """Return a way as ``recvmsg`` would: the client, and what came beside the datagram."""
    (family,) = unpack_from("=H", way)
    (port,) = unpack_from("!H", way, PORT_AT)
    peer: Peer
    if family == socket.AF_INET6:
        (flow,) = unpack_from("!I", way, 4)
        (scope,) = unpack_from("=I", way, 24)
        peer = socket.inet_ntop(family, way[8:24]), port, flow, scope
    else:
        peer = socket.inet_ntop(family, way[4:8]), port
    if len(way) == NAME:
        return peer, []
    size, level, kind = unpack_from("=Qii", way, NAME)
    return peer, [(level, kind, way[NAME + _HEAD : NAME + size])]


def back(item: tuple[int, int, bytes]) -> tuple[int, int, bytes]:
    """Turn where a datagram came to into where its reply comes from; routing picks the way."""
    level, kind, data = item
    if level == socket.IPPROTO_IP and kind == IP_PKTINFO:
        # struct in_pktinfo: interface, local address, address in the header.
        return level, kind, pack("=I", 0) + data[4:8] + b"\0\0\0\0"
    return level, kind, data
