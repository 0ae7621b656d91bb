"""``server`` blocks: which paths of which hosts lead to which group. Pure.

Hosts that lead to the same share a block. nginx matches the path it has decoded and cleaned, and
passes the one that came, unless a part of it is replaced.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from templater.names import Host, SocketAddress, UrlPath, Wildcard
from templater.nginx.maps import Lead
from templater.nginx.names import GroupName, choice_of, word
from templater.routes import Routes, Upstream
from templater.shapes import Hsts, Method, Scheme, Shape
from templater.tls import DEFAULT, Certificate, Policy, TlsFront

__all__ = ["Block", "Front", "Names", "Table", "certificate_file", "default_of_tls", "lines",
           "names_of"]  # fmt: skip

Table = tuple[tuple[UrlPath, Upstream], ...]
"""The paths of a host, sorted; the root is empty."""
Names = tuple[Host | Wildcard, ...]

_ROOT = UrlPath("/")
_HTTPS = 443
_OPEN = Policy(None, Method.NOREDIRECT)
_TUNNEL = "1h"


class Block(NamedTuple):
    """What hosts have in common that share a block."""

    table: Table
    policy: Policy


class Secure(NamedTuple):
    """How TLS is served; no certificate: whoever comes is refused."""

    listen: SocketAddress
    http2: Literal["", "listen", "directive"]
    certificate: Certificate | None


class Front(NamedTuple):
    """Where HTTP and HTTPS are served; ``http2`` says how this nginx is told of HTTP/2."""

    listen: SocketAddress
    tls: TlsFront | None = None
    http2: Literal["", "listen", "directive"] = ""

    def secure(self, policy: Policy) -> Secure | None:
        """Return how a host is served by TLS, None: it is not."""
        if self.tls is None or policy.method is Method.NOHTTPS:
            return None
        certificate = self.tls.certificates.get(policy.certificate or DEFAULT)
        return None if certificate is None else self.by(self.tls, certificate)

    def by(self, tls: TlsFront, certificate: Certificate | None) -> Secure:
        """Return how TLS is served with a certificate."""
        return Secure(tls.listen, self.http2 if tls.http2 else "", certificate)


def names_of(routes: Routes) -> dict[Block, Names]:
    """Return the hosts of each block, in the order of the routes."""
    tables: dict[Host | Wildcard, dict[UrlPath, Upstream]] = defaultdict(dict)
    for host, upstream in routes.hosts.items():
        tables[host][_ROOT] = upstream
    for wildcard, upstream in routes.wildcards.items():
        tables[wildcard][_ROOT] = upstream
    for site, upstream in routes.paths.items():
        tables[site.host][site.path] = upstream
    policies = routes.tls.policies if routes.tls is not None else {}
    found: dict[Block, list[Host | Wildcard]] = defaultdict(list)
    for name, table in tables.items():
        found[Block(tuple(sorted(table.items())), policies.get(name, _OPEN))].append(name)
    return {block: tuple(names) for block, names in found.items()}


def certificate_file(certificate: Certificate) -> str:
    """Return the name of a certificate's file; other contents have another name."""
    return f"certificate_{word(certificate.name)}_{certificate.digest[:16]}.pem"


def lines(front: Front, block: Block, names: Names, lead: Lead) -> Iterator[str]:
    """Return the block of a table."""
    table, policy = block
    secure = front.secure(policy)
    listens = []
    if policy.method not in {Method.NOHTTP, Method.REDIRECT}:
        listens.append(f'listen "{word(front.listen)}";')
    if secure is not None:
        listens += _by_tls(secure)
        listens += _hsts(policy.hsts)
    if listens:
        yield from _server(table, names, listens, policy.hsts, lead)
    if policy.method is Method.REDIRECT:
        yield from _redirect(front, table, names)


def default_of_tls(front: Front, tls: TlsFront) -> Iterator[str]:
    """Return the block for clients that ask by TLS for what is not there."""
    certificate = tls.certificates.get(DEFAULT)
    yield "server {"
    for line in _by_tls(front.by(tls, certificate), " default_server"):
        yield f"    {line}"
    yield '    server_name "";'
    yield "    return 404 $pinnace_nothing;" if certificate else "    ssl_reject_handshake on;"
    yield "}"


def _by_tls(secure: Secure, words: str = "") -> Iterator[str]:
    http2 = " http2" if secure.http2 == "listen" else ""
    yield f'listen "{word(secure.listen)}" ssl{http2}{words};'
    if secure.http2 == "directive":
        yield "http2 on;"
    if secure.certificate is not None:
        yield f'ssl_certificate "{certificate_file(secure.certificate)}";'
        yield f'ssl_certificate_key "{certificate_file(secure.certificate)}";'


def _hsts(hsts: Hsts | None) -> Iterator[str]:
    if hsts is not None:
        yield f'add_header Strict-Transport-Security "{"; ".join(hsts.directives)}" always;'


def _server(
    table: Table, names: Names, listens: Iterable[str], hsts: Hsts | None, lead: Lead
) -> Iterator[str]:
    yield from _opened(table, names, listens)
    for number, (path, upstream) in enumerate(table):
        yield f"    # {word(GroupName(upstream))}"
        tunnel = f"@tunnel{number}"
        is_chosen = upstream in lead.chosen
        if upstream in lead.lacking and not is_chosen:
            first = ["return 503 $pinnace_nothing;"]
        else:
            # What becomes something else may be silent for long, a request may not.
            become = ["if ($pinnace_connection) {", "    return 418;", "}"]
            if upstream in lead.lacking:  # its canaries may serve nevertheless
                become = [*_nobody(upstream), *become]
            body = [*_body(upstream.shape, hsts), *_pass(upstream, is_chosen=is_chosen)]
            first = [
                f"error_page 418 = {tunnel};", *become, *_times(upstream.shape), *body,
            ]  # fmt: skip
            yield from _block(f"location {tunnel}", [*_tunnel(upstream.shape), *body])
        if path:
            yield from _block(f'location = "{word(path)}"', first)
        yield from _block(f'location "{word(path)}/"', first)
    if table[0][0]:
        yield from _block("location /", ["return 404 $pinnace_nothing;"])
    yield "}"


def _opened(table: Table, names: Names, listens: Iterable[str]) -> Iterator[str]:
    yield f"# {word(GroupName(table[0][1]))}"
    yield "server {"
    for line in listens:
        yield f"    {line}"
    for name in names:
        yield f'    server_name "{word(name)}";'


def _redirect(front: Front, table: Table, names: Names) -> Iterator[str]:
    yield from _opened(table, names, [f'listen "{word(front.listen)}";'])
    shown = f":{front.tls.port}" if front.tls is not None and front.tls.port != _HTTPS else ""
    target = f'"https://$host{shown}$request_uri"'
    yield '    if ($request_method !~ "^(?:GET|HEAD)$") {'
    yield f"        return 308 {target};"
    yield "    }"
    yield f"    return 301 {target};"
    yield "}"


def _block(head: str, body: list[str]) -> Iterator[str]:
    yield f"    {head} {{"
    for line in body:
        yield f"        {line}"
    yield "    }"


def _times(shape: Shape) -> Iterator[str]:
    if shape.timeouts.answer is not None:
        yield f"proxy_read_timeout {word(shape.timeouts.answer)}ms;"
        yield f"proxy_send_timeout {word(shape.timeouts.answer)}ms;"


def _tunnel(shape: Shape) -> Iterator[str]:
    tunnel = shape.timeouts.tunnel
    time = _TUNNEL if tunnel is None else f"{word(tunnel)}ms"
    yield f"proxy_read_timeout {time};"
    yield f"proxy_send_timeout {time};"


def _body(shape: Shape, hsts: Hsts | None) -> Iterator[str]:
    if shape.allowed:
        for network in shape.allowed:
            yield f'allow "{word(network)}";'
        yield "deny all;"
    yield from _rewrites(shape)
    if shape.timeouts.connect is not None:
        yield f"proxy_connect_timeout {word(shape.timeouts.connect)}ms;"
    if shape.retries == 0:
        yield "proxy_next_upstream off;"
    elif shape.retries is not None:
        yield f"proxy_next_upstream_tries {shape.retries + 1};"
    if shape.cookie is not None:
        yield f"add_header Set-Cookie $pinnace_cookie_{word(shape.cookie)} always;"
        yield from _hsts(hsts)  # headers of the block above count only where there are none


def _nobody(upstream: Upstream) -> Iterator[str]:
    yield f'if (${choice_of(upstream)} = "") {{'
    yield "    return 503 $pinnace_nothing;"
    yield "}"


def _pass(upstream: Upstream, *, is_chosen: bool) -> Iterator[str]:
    scheme = "https" if upstream.shape.scheme is Scheme.HTTPS else "http"
    if scheme == "https":
        yield "proxy_ssl_server_name on;"
        yield "proxy_ssl_name $host;"
    group = f"${choice_of(upstream)}" if is_chosen else word(GroupName(upstream))
    yield f'proxy_pass "{scheme}://{group}";'


def _rewrites(shape: Shape) -> Iterator[str]:
    """Replace the prefix; a decoded path may hold a line end, which ``.`` must match too."""
    if shape.dest is not None:
        prefix, dest = re.escape(word(shape.prefix)), word(shape.dest)
        yield f'rewrite "(?s)^{prefix}(?:/(.*))?$" "{dest}/$1" break;'
