"""Where one HAProxy has, or had, the instances of a service. Pure."""

from collections.abc import Iterator
from typing import Final

from templater.haproxy.model import BackendName, Model, name_of
from templater.routes import Endpoint, Protocol, Upstream

__all__ = ["backends_of", "seated"]

_ANY: Final = tuple(Protocol)


def backends_of(model: Model, service: str) -> tuple[BackendName, ...]:
    """Return the backends of a service: those of the model, and the plain ones it may have had."""
    known = [b.name for b in model.backends.values() if b.upstream.service == service]
    plain = [name_of(Upstream(protocol, service)) for protocol in _ANY]
    return tuple(dict.fromkeys([*known, *plain]))


def seated(model: Model, service: str) -> Iterator[Endpoint]:
    """Return the endpoints of a service that have a slot."""
    for name in backends_of(model, service):
        if (backend := model.backends.get(name)) is not None:
            yield from (endpoint for endpoint in backend.slots if endpoint is not None)
