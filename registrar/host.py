"""The host we run on, as instances name it by default. Edge: asks the system, blocking."""

import fcntl
import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from registrar.interfaces import Interface, chosen
from sidecar.config.model import RegistrarSettings
from sidecar.runtime.log import get_logger

__all__ = [
    "default_address",
    "default_node",
    "host_addresses",
    "interfaces",
    "is_in_container",
]

_SIOCGIFADDR: Final = 0x8915  # netdevice(7)
_REQUEST: Final = 40  # bytes of struct ifreq
_INET6: Final = Path("/proc/net/if_inet6")
_MARKS: Final = ("/.dockerenv", "/run/.containerenv")
_log = get_logger("registrar")

_OUTSIDE: Final = (
    (socket.AF_INET, "192.0.2.1"),  # RFC 5737 and RFC 3849: addresses of nobody
    (socket.AF_INET6, "2001:db8::1"),
)
_LOOPBACK: Final = "127.0.0.1"


def default_node() -> str:
    """Return the host's own name."""
    return socket.gethostname() or "localhost"


def is_in_container() -> bool:
    """Say whether this process runs inside a container (Docker's mark, or Podman's)."""
    return any(map(os.path.exists, _MARKS))


def host_addresses(settings: RegistrarSettings, *, name: str = "") -> tuple[str, str]:
    """Return the host's address and one of the other family, or "".

    The settings decide; else, with ``name``, what that resolves to, as Registrator does it
    (``0.0.0.0`` in compat when it does not); else the address towards the default route. Blocking.
    """
    if settings.ip:
        return settings.ip, settings.second_ip
    if settings.interfaces:
        found = chosen(settings.interfaces, tuple(interfaces()))
        if found is not None:
            return found
        _log.warning("no such address", interfaces=" ".join(settings.interfaces))
    if name:
        resolved = _resolved(name) or ("0.0.0.0" if settings.compat else "")
        if resolved:
            return resolved, ""
    return default_address(), ""


def interfaces() -> Iterator[Interface]:
    """Yield the addresses of all interfaces, IPv4 first."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _, name in socket.if_nameindex():
            try:
                reply = fcntl.ioctl(sock, _SIOCGIFADDR, os.fsencode(name).ljust(_REQUEST, b"\0"))
            except OSError:  # it has no IPv4 address
                continue
            yield Interface(name, socket.inet_ntoa(reply[20:24]))
    try:
        lines = _INET6.read_text().splitlines()
    except OSError:  # the kernel has no IPv6
        return
    for line in lines:
        address, *_, name = line.split()
        yield Interface(name, str(ipaddress.IPv6Address(bytes.fromhex(address))))


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
    by_family = sorted(found, key=lambda entry: entry[0] != socket.AF_INET)
    return next((str(entry[4][0]) for entry in by_family), None)


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback
