"""Where a proxy may have work of an instance that others know. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from sidecar.catalog.model import Instance
from templater.names import Address, Port
from templater.routes import Endpoint, Key, Routes

__all__ = ["Reach", "members_of", "reach_of"]


class Reach(NamedTuple):
    """An address and port that a proxy connects to."""

    address: Address
    port: Port


def reach_of(endpoints: Iterable[Endpoint], instance: Instance) -> Reach | None:
    """Return where a proxy reaches an instance, or did; None: no address.

    ``endpoints`` are those of its service. What we mirror may name the host as the store does,
    and the store may make ids of its own or have no entry while it drains. So after the key its
    address counts, then its id alone.
    """
    seated = {endpoint.key: endpoint for endpoint in endpoints}
    if (found := seated.get(Key(instance.node, instance.id))) is not None:
        return Reach(found.address, found.port)
    try:
        return Reach(Address(instance.address), Port(instance.port))
    except ValueError:
        alike = [endpoint for key, endpoint in seated.items() if key.id == instance.id]
        return Reach(alike[0].address, alike[0].port) if len(alike) == 1 else None


def members_of(routes: Routes, service: str) -> list[Endpoint]:
    """Return a service's endpoints, of all its upstreams."""
    return [
        one
        for upstream, members in routes.upstreams.items()
        for one in members
        if upstream.service == service
    ]
