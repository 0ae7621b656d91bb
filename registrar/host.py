"""The host we run on, as instances name it by default. Edge: asks the system, blocking."""

import ipaddress
import socket
from typing import Final

__all__ = ["default_address", "default_node", "named_address"]

_OUTSIDE: Final = (
    (socket.AF_INET, "192.0.2.1"),  # RFC 5737 and RFC 3849: addresses of nobody
    (socket.AF_INET6, "2001:db8::1"),
)
_LOOPBACK: Final = "127.0.0.1"


def default_node() -> str:
    """Return the host's own name."""
    return socket.gethostname() or "localhost"


def default_address() -> str:
    """Return the source address towards the default route, else what the host name resolves to.

    Nothing is sent: connecting a datagram socket only chooses a route. Without any, 127.0.0.1.
    Blocking (name resolution): not to be called inside the loop.
    """
    for family, outside in _OUTSIDE:
        address = _source_towards(family, outside)
        if address is not None:
            return address
    return _resolved(default_node()) or _LOOPBACK


def named_address() -> str | None:
    """Return the first IPv4 address that the host's own name resolves to, or None. Blocking."""
    return _resolved(default_node())


def _source_towards(family: socket.AddressFamily, outside: str) -> str | None:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((outside, 9))
            address = str(sock.getsockname()[0])
    except OSError:
        return None
    usable = not (_is_loopback(address) or ipaddress.ip_address(address).is_link_local)
    return address if usable else None


def _resolved(name: str) -> str | None:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return None
    return next((str(entry[4][0]) for entry in found if entry[0] == socket.AF_INET), None)


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback
