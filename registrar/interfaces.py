"""Which of the host's addresses others should use, and by which name the host goes. Pure.

A choice is an interface (``eth0``, ``eth0:inet6``), an address range (``10.0.0.0/8``), or ``inet``
or ``inet6`` for the first address of a family that is not loopback; the first that fits counts
(ContainerPilot's list).
"""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from sidecar.config.model import RegistrarSettings

__all__ = ["Interface", "asks_engine", "chosen"]

_CONTAINER_ID: Final = re.compile(r"[0-9a-f]{12}")
_FAMILIES: Final = {"inet": 4, "inet6": 6}


class Interface(NamedTuple):
    """An address and the interface it is on."""

    name: str
    address: str

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.address else 4


def chosen(choices: Sequence[str], found: Sequence[Interface]) -> tuple[str, str] | None:
    """Return an address and one of the other family on its interface (or ""), or None."""
    for choice in choices:
        for interface in _fitting(choice, found):
            others = (
                other.address
                for other in found
                if other.name == interface.name
                and other.family != interface.family
                and not ipaddress.ip_address(other.address).is_link_local
            )
            return interface.address, next(others, "")
    return None


def asks_engine(settings: RegistrarSettings, host: str, *, is_in_container: bool) -> bool:
    """Say whether the host goes by the name its engine has; our own may be the container's id."""
    is_mistaken = is_in_container and _CONTAINER_ID.fullmatch(host) is not None
    match settings.node_from:
        case "auto":
            return is_mistaken and not settings.compat
        case choice:
            return choice == "engine"


def _fitting(choice: str, found: Sequence[Interface]) -> Iterator[Interface]:
    if "/" in choice:
        network = ipaddress.ip_network(choice, strict=False)
        yield from (i for i in found if ipaddress.ip_address(i.address) in network)
        return
    name, _, family = choice.partition(":")
    if name in _FAMILIES and not family:
        name, family = "", name
    for interface in found:
        address = ipaddress.ip_address(interface.address)
        if interface.name == name or (not name and not address.is_loopback):
            wanted = _FAMILIES.get(family, 4)
            if interface.family == wanted and not address.is_link_local:
                yield interface
