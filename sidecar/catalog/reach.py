"""Addresses that neither a check nor a service may have, however they are written. Pure.

Behind link-local addresses clouds hand out credentials; what is sent to many or to all is no
endpoint (reliability T7).
"""

import re
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

__all__ = ["DENIED", "Address", "Network", "is_denied", "is_disguised", "meant"]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

DENIED: Final[tuple[Network, ...]] = tuple(
    ip_network(text)
    for text in (
        "169.254.0.0/16",  # link-local: where clouds answer with credentials
        "fe80::/10",
        "fd00:ec2::254/128",  # the same service over IPv6
        "224.0.0.0/4",
        "ff00::/8",
        "255.255.255.255/32",
    )
)
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")  # RFC 6052
# What the C library takes for an address: its last part is a number, if need be octal or hex.
_NUMBER_LAST: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9a-fA-F]*)\.?", re.ASCII | re.DOTALL)


def meant(text: str) -> Address:
    """Return the address of a text, IPv4 where IPv6 stands for it. Raises ValueError."""
    ip = ip_address(text.partition("%")[0])
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None:
            return ip.ipv4_mapped
        if ip.sixtofour is not None:
            return ip.sixtofour
        if ip in _TRANSLATED:
            return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip


def is_denied(text: str) -> bool:
    """Say whether a text is an address that nobody may be sent to."""
    try:
        ip = meant(text)
    except ValueError:
        return False
    return any(ip in network for network in DENIED)


def is_disguised(text: str) -> bool:
    """Say whether a text that is no proper address would be taken for one."""
    return _NUMBER_LAST.fullmatch(text) is not None
