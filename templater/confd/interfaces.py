"""The addresses of a network interface of this machine, as the kernel tells them. Blocks."""

import fcntl
import ipaddress
import os
import socket
from pathlib import Path
from typing import Final

__all__ = ["ipv4_of", "ipv6_of"]

_SIOCGIFADDR: Final = 0x8915  # netdevice(7)
_REQUEST: Final = 256
_IN_REPLY: Final = slice(20, 24)
_LONGEST_NAME: Final = 15
_TABLE: Final = Path("/proc/net/if_inet6")


def ipv4_of(interface: str) -> str:
    """Return the interface's first address, empty when it has none. Raises LookupError."""
    name = _known(interface)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            reply = fcntl.ioctl(sock, _SIOCGIFADDR, os.fsencode(name).ljust(_REQUEST, b"\0"))
        except OSError:
            return ""
    return socket.inet_ntoa(reply[_IN_REPLY])


def ipv6_of(interface: str) -> str:
    """Return the interface's first address, empty when it has none. Raises LookupError."""
    name = _known(interface)
    try:
        rows = [line.split() for line in _TABLE.read_text().splitlines()]
    except OSError:
        return ""
    found = [row[0] for row in rows if row[-1] == name]
    return str(ipaddress.IPv6Address(int(found[0], 16))) if found else ""


def _known(interface: str) -> str:
    """Return the name of an interface that there is."""
    if len(os.fsencode(interface)) <= _LONGEST_NAME and "\0" not in interface:
        names = [name for _, name in socket.if_nameindex()]
        if interface in names:
            return interface
    raise LookupError("route ip+net: no such network interface")
