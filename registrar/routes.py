"""What a container asks of the load balancer -> meta for its instances. Pure.

``pinnace.http.host`` (or the variable ``VIRTUAL_HOST``) names hosts whose HTTP traffic it wants;
``pinnace.http.port`` (``VIRTUAL_PORT``) says on which of its ports, by default its only TCP port,
else 80, else the lowest. ``VIRTUAL_HOST_MULTIPORTS`` says all of this for each host and path, and
beats them. ``pinnace.tcp.listen`` asks for a TCP listener; it goes to the port of the same number,
else to the lowest TCP port that has no HTTP hosts. A label beats a variable. The other settings
(``registrar.virtual``) hold for every port, as each has hosts by its service's own name.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from registrar.labels import value_of
from registrar.names import META_LIMIT, cleaned
from registrar.virtual import Place, places_of, settings_of
from sidecar.catalog.model import HTTP_HOST, HTTP_PROTO, TCP_LISTEN
from sidecar.engine.facts import Container, Port

__all__ = ["routes_of", "weight_of"]

Complain = Callable[[str, str], None]
_HTTP_PORT: Final = ("pinnace.http.port", "VIRTUAL_PORT")
_LISTEN: Final = ("pinnace.tcp.listen", "")
_WEIGHT: Final = ("pinnace.weight", "")
_HEAVIEST: Final = 65535  # what DNS and Consul take


def routes_of(
    container: Container, ports: Sequence[Port], complain: Complain
) -> Mapping[Port, Mapping[str, str]]:
    """Return extra meta by port; ``complain(label, text)`` is told what is refused."""
    offered = sorted(port for port in ports if port.protocol == "tcp")
    settings = settings_of(container, complain) if offered else {}
    routes = {port: dict(settings) for port in offered if settings}
    label, places = places_of(container, complain)
    taken: set[Port] = set()
    if places:
        default = _Default(container, offered, complain, label)
        for port, wanted in _by_port(places, default, offered, complain, label).items():
            routes[port] = settings | _meta(wanted, complain, label)
            taken.add(port)
    listen = _number(container, _LISTEN, complain)
    if listen is not None:
        free = [port for port in offered if port not in taken] or offered
        if not free:
            complain(_LISTEN[0], "ignored: the container offers no TCP port")
        else:
            same = Port(listen)
            routes.setdefault(same if same in offered else free[0], {})[TCP_LISTEN] = str(listen)
    return routes


def weight_of(container: Container, given: str, label: str, complain: Complain) -> int:
    """Return the weight of a port's instance; ``given`` is what ``SERVICE_WEIGHT`` says."""
    found = value_of(container, *_WEIGHT)
    text, label = found if found is not None else (given, label)
    text = text.strip(" ")
    if not text:
        return 1
    if text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= _HEAVIEST:
        return int(text)
    complain(label, f"ignored: {cleaned(text[:40])!r} is no weight from 0 to {_HEAVIEST}")
    return 1


class _Default:
    """The port of places that name none, looked for when it is needed."""

    def __init__(
        self, container: Container, offered: Sequence[Port], complain: Complain, label: str
    ) -> None:
        self._container = container
        self._offered = offered
        self._complain = complain
        self._label = label
        self._known: list[Port | None] = []

    def __call__(self) -> Port | None:
        if not self._known:
            self._known.append(
                _http_port(self._container, self._offered, self._complain, self._label)
            )
        return self._known[0]


def _by_port(
    places: Iterable[Place],
    default: Callable[[], Port | None],
    offered: Sequence[Port],
    complain: Complain,
    label: str,
) -> dict[Port, list[Place]]:
    found: dict[Port, list[Place]] = {}
    for place in places:
        port = Port(place.port) if place.port else default()
        if port is None:
            continue
        if port not in offered:
            complain(label, f"{place.text}: the container offers no TCP port {port.number}")
            continue
        found.setdefault(port, []).append(place)
    return found


def _meta(places: Sequence[Place], complain: Complain, label: str) -> dict[str, str]:
    """Return the meta of one port; a port speaks one protocol."""
    meta: dict[str, str] = {}
    protocols = dict.fromkeys(place.proto for place in places if place.proto)
    if protocols:
        meta[HTTP_PROTO] = next(iter(protocols))
    for other in list(protocols)[1:]:
        complain(label, f"ignored: {other} on a port that speaks {meta[HTTP_PROTO]}")
    hosts = dict.fromkeys(place.text for place in places)
    while len(",".join(hosts)) > META_LIMIT:
        last, _ = hosts.popitem()
        complain(label, f"host refused: {last!r} is over {META_LIMIT} characters in all")
    return {HTTP_HOST: ",".join(hosts), **meta}


def _http_port(
    container: Container, offered: Sequence[Port], complain: Complain, label: str
) -> Port | None:
    found = value_of(container, *_HTTP_PORT)
    if found is not None and found[0]:
        wanted = _number(container, _HTTP_PORT, complain)
        if wanted is not None and Port(wanted) not in offered:
            complain(found[1], f"no HTTP routes: the container offers no TCP port {wanted}")
        return Port(wanted) if wanted is not None and Port(wanted) in offered else None
    if not offered:
        complain(label, "no HTTP routes: the container offers no TCP port")
        return None
    return Port(80) if Port(80) in offered else offered[0]


def _number(container: Container, names: tuple[str, str], complain: Complain) -> int | None:
    found = value_of(container, *names)
    if found is None or not found[0]:
        return None
    text = found[0].strip(" ")
    if text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536:
        return int(text)
    complain(found[1], f"ignored: {cleaned(text[:40])!r} is no port from 1 to 65535")
    return None
