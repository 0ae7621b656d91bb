"""What a container asks of the load balancer -> meta for one of its instances. Pure.

``pinnace.http.host`` (or the variable ``VIRTUAL_HOST``) names hosts whose HTTP traffic it wants;
``pinnace.http.port`` (``VIRTUAL_PORT``) says on which of its ports, by default its only TCP port,
else 80, else the lowest. ``pinnace.tcp.listen`` asks for a TCP listener; it goes to the port of the
same number, else to the lowest TCP port that has no HTTP hosts. A label beats a variable.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from registrar.labels import value_of
from registrar.names import META_LIMIT, cleaned, is_host_pattern
from sidecar.catalog.model import HTTP_HOST, TCP_LISTEN
from sidecar.engine.facts import Container, Port

__all__ = ["routes_of"]

Complain = Callable[[str, str], None]
_HTTP: Final = ("pinnace.http.host", "VIRTUAL_HOST")
_HTTP_PORT: Final = ("pinnace.http.port", "VIRTUAL_PORT")
_LISTEN: Final = ("pinnace.tcp.listen", "")
_HOSTS_READ: Final = 4096


def routes_of(
    container: Container, ports: Sequence[Port], complain: Complain
) -> Mapping[Port, Mapping[str, str]]:
    """Return extra meta by port; ``complain(label, text)`` is told what is refused."""
    offered = sorted(port for port in ports if port.protocol == "tcp")
    routes: dict[Port, dict[str, str]] = {}
    hosts = _hosts(container, complain)
    if hosts:
        port = _http_port(container, offered, complain)
        if port is not None:
            routes.setdefault(port, {})[HTTP_HOST] = hosts
    listen = _number(container, _LISTEN, complain)
    if listen is not None:
        free = [port for port in offered if port not in routes] or offered
        if not free:
            complain(_LISTEN[0], "ignored: the container offers no TCP port")
        else:
            same = Port(listen)
            routes.setdefault(same if same in offered else free[0], {})[TCP_LISTEN] = str(listen)
    return routes


def _hosts(container: Container, complain: Complain) -> str:
    found = value_of(container, *_HTTP)
    if found is None:
        return ""
    text, label = found
    if len(text) > _HOSTS_READ:
        complain(label, f"only the first {_HOSTS_READ} characters are read")
    hosts: dict[str, None] = {}
    for part in text[:_HOSTS_READ].split(","):
        host = part.strip(" ").lower()
        if is_host_pattern(host):
            hosts[host] = None
        elif host:
            complain(label, f"host refused: {cleaned(host[:60])!r} is no host name")
    while len(",".join(hosts)) > META_LIMIT:
        last, _ = hosts.popitem()
        complain(label, f"host refused: {last!r} is over {META_LIMIT} characters in all")
    return ",".join(hosts)


def _http_port(container: Container, offered: Sequence[Port], complain: Complain) -> Port | None:
    found = value_of(container, *_HTTP_PORT)
    if found is not None and found[0]:
        wanted = _number(container, _HTTP_PORT, complain)
        if wanted is not None and Port(wanted) not in offered:
            complain(found[1], f"no HTTP routes: the container offers no TCP port {wanted}")
        return Port(wanted) if wanted is not None and Port(wanted) in offered else None
    if not offered:
        complain(_HTTP[0], "no HTTP routes: the container offers no TCP port")
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
