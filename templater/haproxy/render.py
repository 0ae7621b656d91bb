"""The text of HAProxy's files, from a model. Pure.

What is fixed is a text of its own (``templates/haproxy.cfg``); what varies is written here, word
by word, and every word passes ``_word``, which admits only values of checked types: plain text
that came from outside is an error, whatever it holds (reliability T1). A template engine would
cost a tenth of the process' memory for two loops (docs/decisions/0008).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from string import Template
from typing import Final

from sidecar.errors import RenderError
from templater.haproxy.model import (
    CERTIFICATES,
    Backend,
    BackendName,
    Front,
    Model,
    PolicyWord,
    certificate_file,
    name_of,
    slot_name,
)
from templater.haproxy.overriding import overridden
from templater.names import (
    Address,
    CertName,
    CookieName,
    Count,
    HeaderName,
    Host,
    MatchValue,
    Millis,
    Network,
    Port,
    RouteKey,
    SocketAddress,
    UrlPath,
    Weight,
    Wildcard,
)
from templater.routes import Endpoint, Protocol, State, Upstream
from templater.shapes import Balance, Scheme, Shape
from templater.tls import DEFAULT
from templater.upstreams import patience

__all__ = ["Files", "Renderer"]

_HTTPS: Final = 443
_UNSAFE: Final = re.compile("[\x00-\x20\x7f\x85\u2028\u2029\"'#\\\\]")
_TYPES: Final = (
    int, Address, Balance, BackendName, CertName, CookieName, Count, HeaderName, Host, MatchValue,
    Millis, Network, PolicyWord, Port, Protocol, RouteKey, SocketAddress, UrlPath, Weight, Wildcard,
)  # fmt: skip
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
    policies: str = ""
    listing: str = ""
    certificates: Mapping[str, str] = field(default_factory=dict, repr=False)


class Renderer:
    """Renders models; keeps the text of what stays the same."""

    def __init__(
        self, listen: SocketAddress, host: Address, *, threads: int, maxconn: int,
        stats: SocketAddress | None = None,
    ) -> None:  # fmt: skip
        """Listen for HTTP on ``listen`` and for TCP services on ``host``; reads the fixed text.

        ``stats`` is where HAProxy's own counters are shown.
        """
        self._fixed = _shipped("haproxy.cfg")
        self._rules = _shipped("haproxy-tls.cfg")
        self._values = {
            "listen": _word(listen), "threads": _word(threads), "maxconn": _word(maxconn),
        }  # fmt: skip
        self._stats = _STATS.substitute(stats=_word(stats)) if stats is not None else ""
        self._host = host
        self._head: tuple[tuple[Front | None, int, tuple[Upstream, ...]] | None, str] = None, ""
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
            "".join(f"{_word(site)} {_word(word)}\n" for site, word in model.policies.items()),
            "".join(_listed(model.front)),
            {certificate_file(name): one.pem for name, one in model.certificates.items()},
        )

    def _config(self, model: Model) -> str:
        last = patience(backend.upstream for backend in model.backends.values())
        tried = tuple(one.upstream for one in model.backends.values() if one.upstream.shape.match)
        if self._head[0] != (model.front, last, tried):
            self._head = (model.front, last, tried), self._headed(model.front, last, tried)
        listeners = [self._listener(*item) for item in sorted(model.listeners.items())]
        parts = [self._section(backend) for backend in model.backends.values()]
        for gone in self._known.keys() - model.backends.keys():
            del self._known[gone]
        if model.override is not None:
            return overridden(model.override, model, self._head[1], listeners, parts)
        return "".join((self._head[1], *listeners, *parts))

    def _headed(self, front: Front | None, last: int, tried: Iterable[Upstream]) -> str:
        canaries = "".join(line for one in tried for line in _chosen(one))
        values = {**self._values, "patience": _word(last), "canaries": canaries}
        if front is None:
            return self._fixed.substitute(values, tls_bind="", tls_rules="") + self._stats
        port = "" if front.port == _HTTPS else f":{_word(front.port)}"
        strict = "" if any(name == DEFAULT for name, _ in front.sni) else " strict-sni"
        alpn = "h2,http/1.1" if front.http2 else "http/1.1"
        bind = (
            f"    bind {_word(front.listen)} ssl crt-list {CERTIFICATES} alpn {alpn}"
            f" ssl-min-ver TLSv1.2 no-tls-tickets{strict}\n"
        )
        rules = self._rules.substitute(port=port)
        return self._fixed.substitute(values, tls_bind=bind, tls_rules=rules) + self._stats

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


def _shipped(name: str) -> Template:
    return Template(files("templater").joinpath(f"templates/{name}").read_text("utf-8"))


def _listed(front: Front | None) -> Iterator[str]:
    for name, sites in front.sni if front is not None else ():
        words = [f"*{_word(site)}" if isinstance(site, Wildcard) else _word(site) for site in sites]
        _word(name)
        yield " ".join([certificate_file(name), *words]) + "\n"


def _chosen(upstream: Upstream) -> Iterator[str]:
    """Lead the requests that are for canaries there, while one of them takes new work."""
    name, all_of = _word(name_of(upstream)), _word(name_of(upstream.of_all))
    for one in upstream.shape.match:
        fetch = "req.cook" if isinstance(one.name, CookieName) else "req.fhdr"
        yield (
            f"    use_backend {name} if {{ var(txn.upstream) -m str -- {all_of} }}"
            f" {{ {fetch}({_word(one.name)}) -m str -- {_word(one.value)} }}"
            f" {{ nbsrv({name}) gt 0 }}\n"
        )


def _lines(backend: Backend) -> Iterator[str]:
    shape = backend.upstream.shape
    yield f"\nbackend {_word(backend.name)}"
    yield f"    mode {_word(backend.protocol)}"
    if backend.protocol is Protocol.TCP:
        yield f"    timeout server {_tunnel(shape)}"
        yield "    option srvtcpka"
    elif shape.retries != 0:
        # Not 502 and 503, though they would do: canaries are judged by what they answer.
        yield "    retry-on conn-failure empty-response response-timeout"
    for line in _shaped(backend.protocol, shape):
        yield f"    {line}"
    if backend.spare:
        yield "    option allbackups"
    first = len(backend.slots) - backend.spare
    for index, endpoint in enumerate(backend.slots):
        backup = " backup" if index >= first else ""
        yield f"    server {slot_name(index)} {_server(endpoint)}{backup}"


def _tunnel(shape: Shape) -> str:
    return f"{_word(shape.timeouts.tunnel)}ms" if shape.timeouts.tunnel is not None else "1h"


def _shaped(protocol: Protocol, shape: Shape) -> Iterator[str]:
    if shape.balance is not Balance.ROUNDROBIN:
        yield f"balance {_word(shape.balance)}"
    if shape.balance is Balance.SOURCE:
        yield "hash-type consistent"  # the other type takes no change of weight at run time
    if shape.cookie is not None:
        # The cookie follows from the address that a slot has at the time; the key is no secret.
        yield f"cookie {_word(shape.cookie)} insert indirect nocache httponly dynamic"
        yield f"dynamic-cookie-key {_word(shape.cookie)}"
    if shape.timeouts.connect is not None:
        yield f"timeout connect {_word(shape.timeouts.connect)}ms"
    if shape.timeouts.answer is not None and protocol is Protocol.HTTP:
        yield f"timeout server {_word(shape.timeouts.answer)}ms"
    if shape.timeouts.tunnel is not None and protocol is Protocol.HTTP:
        yield f"timeout tunnel {_word(shape.timeouts.tunnel)}ms"
    if shape.retries is not None:
        yield f"retries {_word(shape.retries)}"
    if shape.allowed:
        networks = " ".join(map(_word, shape.allowed))
        yield f"http-request deny deny_status 403 unless {{ src {networks} }}"
    if shape.dest is not None:
        cut = _word(len(shape.prefix))
        yield f"http-request set-path {_word(shape.dest)}/%[path,bytes({cut}),ltrim(/)]"
    yield from _checked(shape)


def _checked(shape: Shape) -> Iterator[str]:
    words = _SERVERS[shape.scheme]
    check = shape.check
    if check is not None and check.path is not None:
        yield "option httpchk"
        path = f"{_word(check.path)}" or "/"
        yield f"http-check send meth GET uri {path} ver HTTP/1.1 hdr Host localhost"
        yield "http-check expect status 200-399"
    if check is not None:
        times = f"inter {_word(check.interval)}ms fall {_word(check.fall)} rise {_word(check.rise)}"
        words = f"{words} check {times}".lstrip()
    if words:
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
