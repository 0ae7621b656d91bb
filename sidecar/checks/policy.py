"""Where checks may connect to: so that a tenant cannot make us ask for him (reliability T7). Pure.

The decision is about addresses, never names: a name is resolved first, and what is connected to is
the address that was judged, so a name that changes its mind in between gains nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

__all__ = ["DENIED", "CheckPolicy"]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPolicy:
    """What checks may not connect to.

    ``own_ports`` are our control ports, refused on this host's addresses (loopback, the
    unspecified address and ``own_addresses``). Loopback is open to checks that were registered
    from this host; to others only with ``allow_loopback``.
    """

    denied: tuple[Network, ...] = DENIED
    own_ports: frozenset[int] = frozenset()
    own_addresses: frozenset[str] = frozenset()
    allow_loopback: bool = False

    def refusal(self, address: str, port: int, *, local: bool) -> str | None:
        """Return why an address is refused, or None; ``local``: registered from this host."""
        try:
            ip = _plain(ip_address(address.partition("%")[0]))
        except ValueError:
            return f"{address} is not an address"
        if any(ip in network for network in self.denied):
            return f"checks may not connect to {ip}"
        own = ip.is_loopback or ip.is_unspecified
        if port in self.own_ports and (own or str(ip) in self.own_addresses):
            return f"checks may not connect to port {port} of this program"
        if own and not local and not self.allow_loopback:
            return f"checks registered from elsewhere may not connect to {ip}"
        return None

    def allowed(self, addresses: Iterable[str], port: int, *, local: bool) -> list[str]:
        """Return the addresses a check may use. Raises PermissionError when there is none."""
        found: list[str] = []
        why = "no address"
        for address in addresses:
            refusal = self.refusal(address, port, local=local)
            if refusal is None:
                found.append(address)
            else:
                why = refusal
        if not found:
            raise PermissionError(why)
        return found


def _plain(ip: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None:
            return ip.ipv4_mapped
        if ip.sixtofour is not None:
            return ip.sixtofour
        if ip in _TRANSLATED:
            return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip
