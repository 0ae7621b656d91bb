"""Where checks may connect to: so that a tenant cannot make us ask for him (reliability T7). Pure.

The decision is about addresses, never names: a name is resolved first, and what is connected to is
the address that was judged, so a name that changes its mind in between gains nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sidecar.catalog.reach import DENIED, Network, meant

__all__ = ["CheckPolicy"]


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
            ip = meant(address)
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
