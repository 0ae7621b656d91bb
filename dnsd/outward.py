"""By which of our addresses others reach us when we listen on every one."""

import socket
from collections.abc import Iterable
from ipaddress import ip_address

from sidecar.config.units import Endpoint

__all__ = ["outward"]

_SOMEWHERE = {"0.0.0.0": (socket.AF_INET, "192.0.2.1"), "::": (socket.AF_INET6, "2001:db8::1")}


def outward(listen: Iterable[Endpoint]) -> tuple[bytes, ...]:
    """Return the address that packets to elsewhere leave by, for each wildcard listened on.

    Nothing is sent: a datagram socket that connects only looks up the way (RFC 5737, RFC 3849).
    """
    found = []
    for at in listen:
        if at.host not in _SOMEWHERE:
            continue
        family, there = _SOMEWHERE[at.host]
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.connect((there, 53))
                found.append(ip_address(sock.getsockname()[0]).packed)
        except OSError:
            continue  # no such network here
    return tuple(dict.fromkeys(found))
