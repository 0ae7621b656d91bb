"""The structure of a HAProxy that runs already, as a model. Pure."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from templater.haproxy.model import NO_ROUTE, Backend, BackendName, Model, name_of
from templater.names import Port
from templater.routes import Routes

__all__ = ["adopted", "runs"]

_TCP: Final = "tcp_"


def adopted(routes: Routes, servers: Iterable[tuple[str, str]], frontends: Iterable[str]) -> Model:
    """Return the structure that runs, as far as the routes need it, all slots empty.

    ``servers`` are pairs of backend and server; a listener that the routes do not know leads
    nowhere, so that it counts as a difference.
    """
    counts = Counter(backend for backend, _ in servers)
    backends: dict[BackendName, Backend] = {}
    for upstream in routes.upstreams:
        name = name_of(upstream)
        if counts[name]:
            backends[name] = Backend(name, upstream, (None,) * counts[name], ())
    listeners = {}
    for port in _ports(frontends):
        upstream_ = routes.listeners.get(port)
        name = name_of(upstream_) if upstream_ is not None else NO_ROUTE
        listeners[port] = name if name in backends else NO_ROUTE
    return Model(backends, listeners=listeners)


def runs(model: Model, servers: Iterable[tuple[str, str]], frontends: Iterable[str]) -> bool:
    """Say whether what runs has the structure of a model."""
    counts = Counter(backend for backend, _ in servers)
    return set(_ports(frontends)) == set(model.listeners) and all(
        counts[name] == len(backend.slots) for name, backend in model.backends.items()
    )


def _ports(frontends: Iterable[str]) -> list[Port]:
    numbers = [name.removeprefix(_TCP) for name in frontends if name.startswith(_TCP)]
    return [Port(int(number)) for number in numbers if number.isdigit()]
