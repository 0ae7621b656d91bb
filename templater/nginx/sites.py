"""``server`` blocks: which paths of which hosts lead to which group. Pure.

Hosts that lead to the same share a block. nginx matches the path it has decoded and cleaned, and
passes the one that came, unless a part of it is replaced.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace

from sidecar.catalog.model import HTTP_PROTO
from templater.names import Host, SocketAddress, UrlPath, Wildcard
from templater.nginx.names import GroupName, word
from templater.routes import Problem, Routes, Upstream
from templater.shapes import Scheme, Shape

__all__ = ["Names", "Table", "lines", "names_of", "without_grpc"]

Table = tuple[tuple[UrlPath, Upstream], ...]
"""The paths of a host, sorted; the root is empty."""
Names = tuple[Host | Wildcard, ...]

_ROOT = UrlPath("/")
_GRPC = frozenset({Scheme.GRPC, Scheme.GRPCS})


def without_grpc(routes: Routes) -> tuple[Routes, tuple[Problem, ...]]:
    """Return routes without what nginx cannot pass on: HTTP/2 on a port that also takes HTTP/1.1.

    A binary of Debian 12 takes one of them alone.
    """
    left = {up: members for up, members in routes.upstreams.items() if up.shape.scheme not in _GRPC}
    if len(left) == len(routes.upstreams):
        return routes, ()
    lost = dict.fromkeys(up.service for up in routes.upstreams if up not in left)
    reason = "gRPC is not passed on by nginx; --lb haproxy does"
    less = replace(
        routes,
        hosts={host: up for host, up in routes.hosts.items() if up in left},
        wildcards={wildcard: up for wildcard, up in routes.wildcards.items() if up in left},
        paths={site: up for site, up in routes.paths.items() if up in left},
        upstreams=left,
    )
    return less, tuple(Problem(service, HTTP_PROTO, reason) for service in lost)


def names_of(routes: Routes) -> dict[Table, Names]:
    """Return the hosts of each block, in the order of the routes."""
    tables: dict[Host | Wildcard, dict[UrlPath, Upstream]] = defaultdict(dict)
    for host, upstream in routes.hosts.items():
        tables[host][_ROOT] = upstream
    for wildcard, upstream in routes.wildcards.items():
        tables[wildcard][_ROOT] = upstream
    for site, upstream in routes.paths.items():
        tables[site.host][site.path] = upstream
    found: dict[Table, list[Host | Wildcard]] = defaultdict(list)
    for name, table in tables.items():
        found[tuple(sorted(table.items()))].append(name)
    return {table: tuple(names) for table, names in found.items()}


def lines(
    listen: SocketAddress, table: Table, names: Names, lacking: AbstractSet[Upstream]
) -> Iterator[str]:
    """Return the block of a table; ``lacking`` are the upstreams that nobody serves."""
    yield f"# {word(GroupName(table[0][1]))}"
    yield "server {"
    yield f'    listen "{word(listen)}";'
    for name in names:
        yield f'    server_name "{word(name)}";'
    for number, (path, upstream) in enumerate(table):
        yield f"    # {word(GroupName(upstream))}"
        tunnel = f"@tunnel{number}"
        body = [*_body(upstream)]
        if upstream in lacking:
            body = first = ["return 503 $pinnace_nothing;"]
        else:
            # What becomes something else may be silent for long, a request may not.
            become = ["if ($pinnace_connection) {", "    return 418;", "}"]
            first = [f"error_page 418 = {tunnel};", *become, *body]
            body = ["proxy_read_timeout 1h;", "proxy_send_timeout 1h;", *body]
            yield from _block(f"location {tunnel}", body)
        if path:
            yield from _block(f'location = "{word(path)}"', first)
        yield from _block(f'location "{word(path)}/"', first)
    if table[0][0]:
        yield from _block("location /", ["return 404 $pinnace_nothing;"])
    yield "}"


def _block(head: str, body: list[str]) -> Iterator[str]:
    yield f"    {head} {{"
    for line in body:
        yield f"        {line}"
    yield "    }"


def _body(upstream: Upstream) -> Iterator[str]:
    shape = upstream.shape
    if shape.allowed:
        for network in shape.allowed:
            yield f'allow "{word(network)}";'
        yield "deny all;"
    yield from _rewrites(shape)
    scheme = "https" if shape.scheme is Scheme.HTTPS else "http"
    if scheme == "https":
        yield "proxy_ssl_server_name on;"
        yield "proxy_ssl_name $host;"
    yield f'proxy_pass "{scheme}://{word(GroupName(upstream))}";'


def _rewrites(shape: Shape) -> Iterator[str]:
    """Replace the prefix; a decoded path may hold a line end, which ``.`` must match too."""
    if shape.dest is not None:
        prefix, dest = re.escape(word(shape.prefix)), word(shape.dest)
        yield f'rewrite "(?s)^{prefix}(?:/(.*))?$" "{dest}/$1" break;'
