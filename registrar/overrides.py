"""What a container may choose of its own address and port (``SERVICE_IP``, ``SERVICE_PORT``). Pure.

Always allowed is what is its own: another of a port's bindings, its own addresses, a port of its
own where it has an address of its own. Anything else could point a name at somebody else's
machine (reliability T7): only where the operator allows it, and never to an address that the
policy for checks refuses.
"""

from collections.abc import Collection, Sequence
from typing import Final

from registrar.labels import Attributes, Setting, attributes_of
from registrar.names import is_address, is_wildcard_address
from registrar.ports import Offer, Place
from registrar.problems import Complaints, quoted
from sidecar.engine.facts import Binding, Container, Port

__all__ = ["chosen_address", "chosen_port", "own_addresses", "own_binding", "portless_offer"]

_OFF: Final = "ignored: registrar.allow_address_override is off"


def own_binding(container: Container, offer: Offer, attributes: Attributes) -> Offer:
    """Return the offer by the binding that the labels choose, if it is one of this port's."""
    if offer.binding is None:
        return offer
    ip, port = attributes.get("ip"), _number(attributes.get("port"))
    for binding in container.bindings.get(offer.port, ()):
        if port in (None, binding.port) and (not ip or ip == binding.address):
            return offer._replace(binding=binding)
    for binding in container.bindings.get(offer.port, ()):
        if port == binding.port:
            return offer._replace(binding=binding)
    return offer


def chosen_port(offer: Offer, attributes: Attributes, place: Place, complain: Complaints) -> int:
    """Return the port of an offer, or the one that the labels choose, where they may."""
    usual = offer.number
    text = attributes.get("port")
    number = _number(text)
    if not text or number == usual:
        return usual
    label = attributes.label("port")
    if number is None:
        complain(label, f"ignored: {quoted(text)} is no port from 0 to 65535")
    elif offer.binding is None or place.overrides is not None:
        return number
    else:
        complain(label, _OFF)
    return usual


def chosen_address(
    own: Collection[str], port: int, attributes: Attributes, place: Place, complain: Complaints
) -> str | None:
    """Return the address that the labels choose, one of its own or where they may, or None."""
    text, label = attributes.get("ip"), attributes.label("ip")
    if not text:
        return None
    if not is_address(text) or is_wildcard_address(text):
        complain(label, f"ignored: {quoted(text)} is no address")
    elif text in own:
        return text
    elif place.overrides is None:
        complain(label, _OFF)
    else:
        refusal = place.overrides.refusal(text, port, local=False)
        if refusal is None:
            return text
        complain(label, f"ignored: {refusal}")
    return None


def portless_offer(container: Container, place: Place, settings: Sequence[Setting]) -> Offer | None:
    """Return what a container without any port offers when it has a name and says ``SERVICE_PORT``.

    0 is a service without a port, at the host unless all are internal; any other number is a port
    of the container's own network.
    """
    attributes = attributes_of(settings, Port(0))
    number = _number(attributes.get("port"))
    if number is None or not attributes.get("name"):
        return None
    if container.network_mode == "host" or (number == 0 and place.internal != "always"):
        return Offer(Port(number), Binding("", number))
    return None if container.network_mode == "none" else Offer(Port(number), None)


def own_addresses(container: Container, offer: Offer) -> frozenset[str]:
    """Return what a container may call its own, as the offer is reached."""
    if offer.binding is not None:
        return frozenset(binding.address for binding in container.bindings.get(offer.port, ()))
    networks = container.networks.values()
    own = {address for network in networks for address in network} | {container.address}
    return frozenset(own - {""})


def _number(text: str) -> int | None:
    plain = text.isascii() and text.isdigit() and len(text) <= 5
    return int(text) if plain and int(text) < 65536 else None
