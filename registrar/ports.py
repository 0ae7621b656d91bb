"""Container -> the ports it offers; and the place where all this happens. Pure.

Rules, by the container's network:

1. ``none``: nothing can be reached.
2. ``host``: each exposed port, at its own number, on the host's address.
3. ``container:<other>``: each exposed port, at the other container's own address.
4. Otherwise, by the setting ``internal``: *never* takes published ports on the host's address,
   *always* takes every port on the container's own address, and *auto* takes published ports
   when there are any and else as *always*. A port that the engine does not list at all (a network
   that publishes nothing) is internal. ``SERVICE_INTERNAL`` decides for a container or port.

In compat Registrator's rules: every exposed port counts as published at its own number unless the
engine says otherwise, whatever the network. Of several bindings of one port the engine's first
counts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from registrar.labels import is_template
from sidecar.checks.policy import CheckPolicy
from sidecar.config.model import RegistrarSettings
from sidecar.engine.facts import Binding, Container, Port

__all__ = ["BRIDGES", "Internal", "Offer", "Place", "offers_of", "place_of"]

Internal = Literal["auto", "always", "never"]
BRIDGES: Final = frozenset({"", "bridge", "default"})
"""Modes of the network that publishes ports for containers without one of their own."""


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
        tags="" if is_template(settings.tags) else settings.tags,
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

    @property
    def number(self) -> int:
        """The port it is reached at."""
        return self.binding.port if self.binding is not None else self.port.number


def offers_of(
    container: Container,
    place: Place,
    chosen: Callable[[Port], bool | None] = lambda _port: None,
) -> tuple[Offer, ...]:
    """Return the offered ports, ordered by number and protocol.

    ``chosen`` says for a port whether it is to be internal, None: as the place says.
    """
    ports = sorted({*container.exposed, *container.bindings})
    if place.compat:
        return _original_offers(container, ports, place)
    if container.network_mode == "none":
        return ()
    if container.network_mode == "host":
        return tuple(Offer(port, Binding("", port.number)) for port in ports)
    if container.peer is not None:
        return tuple(Offer(port, None) for port in ports)
    publishes = any(container.bindings.values())
    by_default = place.internal == "always" or (place.internal == "auto" and not publishes)
    found = []
    for port in ports:
        internal = chosen(port)
        bindings = container.bindings.get(port)
        if by_default if internal is None else internal:
            found.append(Offer(port, None))
        elif bindings:
            found.append(Offer(port, bindings[0]))
        elif bindings is None and container.network_mode not in BRIDGES:
            found.append(Offer(port, None))
    return tuple(found)


def _original_offers(
    container: Container, ports: Sequence[Port], place: Place
) -> tuple[Offer, ...]:
    found = []
    for port in ports:
        bindings = container.bindings.get(port, (Binding("", port.number),))
        if place.internal == "always":
            found.append(Offer(port, None))
        elif bindings:
            found.append(Offer(port, bindings[0]))
    return tuple(found)
