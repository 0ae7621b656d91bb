"""Container -> the ports it offers, and at which address each is reached. Pure.

Rules, by the container's network:

1. ``none``: nothing can be reached.
2. ``host``: each exposed port, at its own number, on the host's address.
3. ``container:<other>``: each exposed port, at the other container's own address.
4. Otherwise, by the setting ``internal``: *never* takes published ports on the host's address,
   *always* takes every port on the container's own address, and *auto* takes published ports
   when there are any and else as *always*.

Of several bindings of one port the engine's first counts.
"""

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from registrar.names import is_address, is_wildcard_address
from sidecar.checks.policy import CheckPolicy
from sidecar.config.model import RegistrarSettings
from sidecar.engine.facts import Binding, Container, Port

__all__ = ["Offer", "Place", "address_of", "offers_of", "place_of"]

Internal = Literal["auto", "always", "never"]
_BRIDGE: Final = "bridge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where containers run, under whose name they are registered, and by which rules.

    ``address`` is the host's own, ``second`` one of the other family, if both are known. ``ip``
    (and ``second``) stands for every published port when given; else the binding's own address,
    and ``address`` where that is every address. ``overrides`` judges the addresses that labels
    choose; None: they choose none but the container's own. ``is_ours``: the catalogue is read by
    our own parts, so names are strict, the load balancer's meta are added, and no check may run a
    command. The other fields are settings (``RegistrarSettings``).
    """

    node: str
    address: str
    owner: str
    ip: str = ""
    second: str = ""
    internal: Internal = "auto"
    networks: tuple[str, ...] = ()
    explicit: bool = False
    ip_label: str = ""
    overrides: CheckPolicy | None = None
    tags: str = ""
    merge_tags: bool = False
    name_suffix: Literal["auto", "always", "never"] = "auto"
    prefix: str = ""
    compat: bool = False
    is_ours: bool = True


def place_of(
    settings: RegistrarSettings,
    *,
    node: str,
    address: str,
    second: str = "",
    owner: str = "",
    is_ours: bool = True,
    own_ports: frozenset[int] = frozenset(),
) -> Place:
    """Return the place that settings describe; ``own_ports`` are this program's on the host.

    Constant ``tags`` only: what a template says of a container comes with the container.
    """
    policy = CheckPolicy(own_ports=own_ports, own_addresses=frozenset({address, second} - {""}))
    return Place(
        node=node,
        address=address,
        owner=owner,
        ip=settings.ip,
        second=settings.second_ip or ("" if settings.ip else second),
        internal=settings.internal,
        networks=settings.networks,
        explicit=settings.explicit,
        ip_label=settings.use_ip_from_label,
        overrides=policy if settings.allow_address_override else None,
        tags="" if "{{" in settings.tags else settings.tags,
        merge_tags=settings.merge_tags,
        name_suffix=settings.name_suffix,
        prefix=settings.service_prefix,
        compat=settings.compat,
        is_ours=is_ours,
    )


class Offer(NamedTuple):
    """A port that may be registered: published at ``binding``, or internal when None."""

    port: Port
    binding: Binding | None


def offers_of(container: Container, internal: Internal) -> tuple[Offer, ...]:
    """Return the offered ports, ordered by number and protocol."""
    if container.network_mode == "none":
        return ()
    ports = sorted({*container.exposed, *container.bindings})
    if container.network_mode == "host":
        return tuple(Offer(port, Binding("", port.number)) for port in ports)
    inside = tuple(Offer(port, None) for port in ports)
    if container.peer is not None or internal == "always":
        return inside
    published = tuple(
        Offer(port, container.bindings[port][0]) for port in ports if container.bindings.get(port)
    )
    return published if published or internal == "never" else inside


def address_of(
    container: Container, offer: Offer, place: Place, peer: Container | None, network: str
) -> str | None:
    """Return the address at which an offer is reached, or None when there is none.

    ``network`` is the preferred one for an internal address; else the network the container was
    started on, else its first by name.
    """
    if offer.binding is not None:
        bound = offer.binding.address
        own = is_address(bound) and not is_wildcard_address(bound)
        return place.ip or (bound if own else place.address)
    if container.peer is None:
        return _own_address(container, network)
    if peer is None or not peer.alive:
        return None
    return place.address if peer.network_mode == "host" else _own_address(peer, network)


def _own_address(container: Container, network: str) -> str | None:
    started_on = container.network_mode
    if started_on in ("default", ""):
        started_on = _BRIDGE
    for name in (network, started_on, *container.networks):
        found = container.networks.get(name)
        for address in found or ():
            if is_address(address):
                return address
    return container.address if is_address(container.address) else None
