"""Which TCP listeners can be had: one taken port must not stop all other changes.

HAProxy's and nginx's checks do not try to listen, and a reload fails as a whole, so we try first.
"""

import socket
from collections.abc import Container
from dataclasses import replace

from sidecar.catalog.model import TCP_LISTEN
from sidecar.errors import AddressInUse
from sidecar.runtime.listen import bind
from templater.names import Address, Port
from templater.routes import Problem, Routes

__all__ = ["without_taken"]


def without_taken(
    routes: Routes, held: Container[Port], host: Address
) -> tuple[Routes, tuple[Problem, ...]]:
    """Return routes without listeners on ports of other programs; ``held`` are the proxy's now."""
    problems = []
    listeners = dict(routes.listeners)
    for port, upstream in routes.listeners.items():
        if port in held:
            continue
        try:
            bind(host, port, kind=socket.SOCK_STREAM, option=TCP_LISTEN).close()
        except AddressInUse as error:
            problems.append(Problem(upstream.service, TCP_LISTEN, str(error)))
            del listeners[port]
    if not problems:
        return routes, ()
    return replace(routes, listeners=listeners), tuple(problems)
