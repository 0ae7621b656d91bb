"""The text of HAProxy's files, from a model. Pure.

What is fixed is a text of its own (``templates/haproxy.cfg``); what varies is written here, word
by word, and every word passes ``_word``, which admits only values of checked types: plain text
that came from outside is an error, whatever it holds (reliability T1). A template engine would
cost a tenth of the process' memory for two loops (docs/decisions/0008).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from string import Template
from typing import Final

from sidecar.errors import RenderError
from templater.haproxy.model import Backend, BackendName, Model, slot_name
from templater.names import (
    Address,
    Host,
    Network,
    Port,
    RouteKey,
    SocketAddress,
    UrlPath,
    Weight,
    Wildcard,
)
from templater.routes import Endpoint, Protocol, State
from templater.shapes import Balance, Scheme, Shape

__all__ = ["Files", "Renderer"]

_UNSAFE: Final = re.compile("[\x00-\x20\x7f\x85\u2028\u2029\"'#\\\\]")
_TYPES: Final = (
    int, Address, Balance, BackendName, Host, Network, Port, Protocol, RouteKey, SocketAddress,
    UrlPath, Weight, Wildcard,
)  # fmt: skip
_EXTRA: Final = {
    Protocol.TCP: ("timeout server 1h", "option srvtcpka"),
    Protocol.HTTP: ("retry-on conn-failure empty-response response-timeout",),
}


_STATS: Final = Template("""
frontend pinnace_stats
    bind $stats
    option dontlog-normal
    http-request use-service prometheus-exporter if { path /metrics }
    stats enable
    stats uri /
    stats refresh 5s
""")

_SERVERS: Final = {
    Scheme.HTTP: "",
    # A certificate of a container is its own; that it changes must not stop the traffic.
    Scheme.HTTPS: "ssl verify none",
    Scheme.GRPC: "proto h2",
    Scheme.GRPCS: "ssl verify none alpn h2",
}


@dataclass(frozen=True, slots=True)
class Files:
    """What is written for a model."""

    config: str
    hosts: str
    wildcards: str
    paths: str
    sites: str


class Renderer:
    """Renders models; keeps the text of what stays the same."""

    def __init__(
        self, listen: SocketAddress, host: Address, *, threads: int, maxconn: int,
        stats: SocketAddress | None = None,
    ) -> None:  # fmt: skip
        """Listen for HTTP on ``listen`` and for TCP services on ``host``; reads the fixed text.

        ``stats`` is where HAProxy's own counters are shown.
        """
        fixed = Template(files("templater").joinpath("templates/haproxy.cfg").read_text("utf-8"))
        self._head = fixed.substitute(
            listen=_word(listen), threads=_word(threads), maxconn=_word(maxconn)
        )
        if stats is not None:
            self._head += _STATS.substitute(stats=_word(stats))
        self._host = host
        self._known: dict[BackendName, tuple[Backend, str]] = {}
        self._hosts: tuple[Mapping[Host, BackendName], str] = {}, ""

    def files(self, model: Model) -> Files:
        """Return the text of every file of a model; raises RenderError."""
        if self._hosts[0] is not model.hosts:
            lines = (f"{_word(host)} {_word(name)}\n" for host, name in model.hosts.items())
            self._hosts = model.hosts, "".join(lines)
        return Files(
            self._config(model),
            self._hosts[1],
            "".join(f"{_word(part)} {_word(name)}\n" for part, name in model.wildcards),
            "".join(f"{_word(key)} {_word(name)}\n" for key, name in model.paths.items()),
            "".join(f"{_word(part)} {_word(part)}\n" for part, _ in model.wildcards),
        )

    def _config(self, model: Model) -> str:
        listeners = (self._listener(*item) for item in sorted(model.listeners.items()))
        parts = [self._section(backend) for backend in model.backends.values()]
        for gone in self._known.keys() - model.backends.keys():
            del self._known[gone]
        return "".join((self._head, *listeners, *parts))

    def _listener(self, port: Port, backend: BackendName) -> str:
        return (
            f"\nfrontend tcp_{_word(port)}\n"
            "    mode tcp\n"
            f"    bind {_word(SocketAddress(self._host, port))}\n"
            "    timeout client 1h\n"
            "    option clitcpka\n"
            f"    default_backend {_word(backend)}\n"
        )

    def _section(self, backend: Backend) -> str:
        known = self._known.get(backend.name)
        if known is not None and known[0] is backend:
            return known[1]
        text = "\n".join((*_lines(backend), ""))
        self._known[backend.name] = backend, text
        return text


def _lines(backend: Backend) -> Iterator[str]:
    yield f"\nbackend {_word(backend.name)}"
    yield f"    mode {_word(backend.protocol)}"
    for line in _EXTRA[backend.protocol]:
        yield f"    {line}"
    for line in _shaped(backend.upstream.shape):
        yield f"    {line}"
    for index, endpoint in enumerate(backend.slots):
        yield f"    server {slot_name(index)} {_server(endpoint)}"


def _shaped(shape: Shape) -> Iterator[str]:
    if shape.balance is not Balance.ROUNDROBIN:
        yield f"balance {_word(shape.balance)}"
    if shape.balance is Balance.SOURCE:
        yield "hash-type consistent"  # the other type takes no change of weight at run time
    if shape.allowed:
        networks = " ".join(map(_word, shape.allowed))
        yield f"http-request deny deny_status 403 unless {{ src {networks} }}"
    if shape.dest is not None:
        cut = _word(len(shape.prefix))
        yield f"http-request set-path {_word(shape.dest)}/%[path,bytes({cut}),ltrim(/)]"
    if words := _SERVERS[shape.scheme]:
        yield f"default-server {words}"


def _server(endpoint: Endpoint | None) -> str:
    if endpoint is None:
        return "127.0.0.1:1 disabled"
    # There is no word for drain in a server line: weight 0 has the same effect.
    weight = Weight(0) if endpoint.state is State.DRAIN else endpoint.weight
    state = " disabled" if endpoint.state is State.MAINT else ""
    socket = SocketAddress(endpoint.address, endpoint.port)
    return f"{_word(socket)} weight {_word(weight)}{state}"


def _word(value: object) -> str:
    """Return the value's text; raises RenderError unless it is of a type that is safe as a word."""
    text = str(value)
    if type(value) not in _TYPES or _UNSAFE.search(text):
        raise RenderError(
            f"a {type(value).__name__} may not stand in a configuration: {text!a:.80}"
        )
    return text
