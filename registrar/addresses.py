"""An offered port -> the address at which it is reached. Pure.

A published port is at the host: the setting ``ip``, else the binding's own address, else the
host's. An internal one is at the container, on the first network of: ``SERVICE_NETWORK``, the
setting ``networks`` (names, address ranges, or ``inet``/``inet6`` for a family), the network it
was started on, the first by name. In compat Registrator's order, with its surprises.
"""

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from registrar.names import cleaned, is_address, is_wildcard_address
from registrar.ports import BRIDGES, Offer, Place
from sidecar.engine.facts import Container, Network

__all__ = ["Reach", "label_address", "original_address", "reach_of"]

_BRIDGE: Final = "bridge"
_FAMILIES: Final = {"inet": 4, "inet6": 6}


class Reach(NamedTuple):
    """Where an instance is reached; ``second`` is of the other family, if there is one."""

    address: str
    second: str = ""


def reach_of(
    container: Container, offer: Offer, place: Place, peer: Container | None, network: str
) -> Reach | None:
    """Return where an offer is reached, or None when it has no address."""
    if offer.binding is not None:
        return _published(container, offer, place)
    if container.peer is None:
        return _own(container, place, network)
    if peer is None or not peer.alive:
        return None
    if peer.network_mode == "host":
        return Reach(place.ip or place.address, place.second)
    return _own(peer, place, network)


def label_address(container: Container, place: Place) -> str | None:
    """Return what the operator's address label says, up to its last slash; None without it."""
    if not place.ip_label:
        return None
    text = container.labels.get(place.ip_label, "")
    return text.rpartition("/")[0] if "/" in text else text or None


def original_address(
    container: Container, offer: Offer, place: Place, peer: Container | None
) -> str:
    """Return the address that Registrator gives, less control characters; it may be empty."""
    return cleaned(_original(container, offer, place, peer))


def _original(container: Container, offer: Offer, place: Place, peer: Container | None) -> str:
    if container.peer is not None and peer is not None:
        return peer.address
    labelled = label_address(container, place)
    if labelled is not None:
        return labelled
    if offer.binding is None:
        found = [network.address for network in container.networks.values() if network.address]
        return container.address or (found[0] if found else "")
    if place.ip:
        return place.ip
    bound = offer.binding.address or "0.0.0.0"
    if container.network_mode not in ("bridge", "default", "host"):
        bound = container.networks.get(container.network_mode, Network("")).address
    return place.address if bound == "0.0.0.0" else bound


def _published(container: Container, offer: Offer, place: Place) -> Reach:
    bound = offer.binding.address if offer.binding is not None else ""
    if container.network_mode == "host":
        if place.internal == "always" and not place.is_ours:
            return Reach("")  # Consul then has the node's own address
        return Reach(place.ip or place.address, place.second)
    families = {_family(b.address) for b in container.bindings.get(offer.port, ())}
    second = place.second if families >= {4, 6} else ""
    if place.ip:
        return Reach(place.ip, second)
    if is_address(bound) and not is_wildcard_address(bound):
        return Reach(bound)
    if families == {6} and ":" in place.second:
        return Reach(place.second)
    return Reach(place.address, second)


def _own(container: Container, place: Place, network: str) -> Reach | None:
    for choice in (network, *place.networks):
        for found in _matching(container, choice) if choice else ():
            return found
    started_on = _BRIDGE if container.network_mode in BRIDGES else container.network_mode
    for name in (started_on, *container.networks):
        if name in container.networks:
            for found in _reaches(container.networks[name]):
                return found
    return next(_reaches(Network(container.address, container.address6)), None)


def _matching(container: Container, choice: str) -> Iterator[Reach]:
    """Return the reaches that a preference names: a network, an address range or a family."""
    if choice in container.networks:
        return _reaches(container.networks[choice])
    every = [reach for network in container.networks.values() for reach in _reaches(network)]
    turned = (Reach(reach.second, reach.address) for reach in every if reach.second)
    family = _FAMILIES.get(choice, 0)
    return (
        reach
        for reach in (*every, *turned)
        if _family(reach.address) == family or _is_within(reach.address, choice)
    )


def _reaches(network: Network) -> Iterator[Reach]:
    addresses = list(_usable((network.address, network.address6)))
    if addresses:
        yield Reach(*addresses)


def _usable(addresses: Iterable[str]) -> Iterator[str]:
    return (address for address in addresses if is_address(address))


def _family(address: str) -> int:
    """Return 4 or 6; nothing bound means every IPv4 address."""
    return 6 if ":" in address else 4


def _is_within(address: str, network: str) -> bool:
    if "/" not in network:
        return False
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
