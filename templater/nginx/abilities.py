"""What of the routes an nginx cannot do, said once for each service and label. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from sidecar.catalog.model import CHECK, HTTP_BALANCE, HTTP_PROTO
from templater.routes import Problem, Routes, Upstream
from templater.shapes import Balance, Scheme

__all__ = ["fitting"]

_GRPC: Final = frozenset({Scheme.GRPC, Scheme.GRPCS})


def fitting(routes: Routes, *, has_tls: bool = True) -> tuple[Routes, tuple[Problem, ...]]:
    """Return routes without what this nginx cannot serve, and what is not as it was asked for.

    Left out is HTTP/2 on a port that also takes HTTP/1.1: a binary of Debian 12 takes one alone.
    """
    problems = list(_problems(routes))
    if routes.tls is not None and not has_tls:
        problems.append(Problem("", "lb.tls_listen", "this nginx has no TLS module"))
        routes = replace(routes, tls=None)
    left = {up: members for up, members in routes.upstreams.items() if up.shape.scheme not in _GRPC}
    if len(left) == len(routes.upstreams):
        return routes, tuple(problems)
    less = replace(
        routes,
        hosts={host: up for host, up in routes.hosts.items() if up in left},
        wildcards={wildcard: up for wildcard, up in routes.wildcards.items() if up in left},
        paths={site: up for site, up in routes.paths.items() if up in left},
        upstreams=left,
    )
    return less, tuple(problems)


def _problems(routes: Routes) -> Iterator[Problem]:
    """Yield each once, in the order of the services."""
    found: dict[Problem, None] = {}
    for upstream in routes.upstreams:
        found.update(dict.fromkeys(_of(upstream)))
    yield from found


def _of(upstream: Upstream) -> Iterator[Problem]:
    service, shape = upstream.service, upstream.shape
    if shape.scheme in _GRPC:
        reason = "gRPC is not passed on by nginx; --lb haproxy does"
        yield Problem(service, HTTP_PROTO, reason)
    if shape.check is not None:
        reason = "nginx asks nobody by itself, it counts failed requests; --lb haproxy does"
        yield Problem(service, CHECK, reason)
    if shape.cookie is not None and shape.balance is not Balance.ROUNDROBIN:
        reason = f"with nginx a cookie decides alone; {shape.balance} is for --lb haproxy"
        yield Problem(service, HTTP_BALANCE, reason)
