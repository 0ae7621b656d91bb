"""Where HAProxy may have work of an instance that others know. Pure."""

from collections.abc import Iterator
from typing import Final

from sidecar.catalog.model import Instance
from templater.haproxy.model import BackendName, Model, name_of
from templater.names import Address, Port, SocketAddress
from templater.routes import Endpoint, Key, Protocol, Upstream

__all__ = ["backends_of", "place_of"]

_ANY: Final = tuple(Protocol)


def backends_of(model: Model, service: str) -> tuple[BackendName, ...]:
    """Return the backends of a service: those of the model, and the plain ones it may have had."""
    known = [b.name for b in model.backends.values() if b.upstream.service == service]
    plain = [name_of(Upstream(protocol, service)) for protocol in _ANY]
    return tuple(dict.fromkeys([*known, *plain]))


def place_of(model: Model, instance: Instance) -> SocketAddress | None:
    """Return the address at which HAProxy has an instance, or had it; None: no address.

    What we mirror may name the host as the store does, and the store may make ids of its own or
    have no entry while it drains. So after the key its address counts, then its id alone.
    """
    seated = {endpoint.key: endpoint for endpoint in _seated(model, instance.service)}
    if (found := seated.get(Key(instance.node, instance.id))) is not None:
        return SocketAddress(found.address, found.port)
    try:
        return SocketAddress(Address(instance.address), Port(instance.port))
    except ValueError:
        alike = [endpoint for key, endpoint in seated.items() if key.id == instance.id]
        return SocketAddress(alike[0].address, alike[0].port) if len(alike) == 1 else None


def _seated(model: Model, service: str) -> Iterator[Endpoint]:
    for name in backends_of(model, service):
        if (backend := model.backends.get(name)) is not None:
            yield from (endpoint for endpoint in backend.slots if endpoint is not None)
