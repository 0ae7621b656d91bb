"""Which clients are meant: networks by their addresses. Pure."""

import ipaddress
from collections.abc import Iterable
from typing import Final

__all__ = ["Networks"]

_REMEMBERED: Final = 65536


class Networks:
    """Says whether an address is in one of several networks, and remembers."""

    def __init__(self, networks: Iterable[str]) -> None:
        """Take networks as text."""
        self._networks = tuple(map(ipaddress.ip_network, networks))
        self._known: dict[str, bool] = {}

    def __contains__(self, host: str) -> bool:
        """Say whether an address, as the socket module writes it, is in one."""
        known = self._known.get(host)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[host] = self._look(host)
        return known

    def _look(self, host: str) -> bool:
        address = ipaddress.ip_address(host.partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None) or address
        return any(mapped in network for network in self._networks)
