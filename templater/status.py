"""What ``/v1/pinnace/lb`` tells: routes, endpoints, their work, the last changes. Pure."""

from collections.abc import Iterable
from dataclasses import asdict

from templater.names import SocketAddress
from templater.proxy import Applied
from templater.routes import Endpoint, Problem, Routes, Upstream
from templater.work import Counters, Work

__all__ = ["status"]


def status(
    routes: Routes, counters: Counters | None, *, kind: str, listen: SocketAddress, attached: str,
    problems: Iterable[Problem], trouble: str | None,
    last: Applied | None, last_reload: Applied | None, now: float,
) -> dict[str, object]:  # fmt: skip
    """Return it ready for JSON; ``counters`` None: the proxy does not answer now."""
    return {
        "kind": kind,
        "listen": str(listen),
        "attached": attached or None,
        "proxy": None if counters is None else _whole(counters),
        **_routes(routes),
        "upstreams": [
            {
                "service": upstream.service,
                "protocol": str(upstream.protocol),
                "shape": str(upstream.shape),
                "endpoints": [_endpoint(upstream, one, counters) for one in members],
            }
            for upstream, members in routes.upstreams.items()
        ],
        "problems": [problem._asdict() for problem in problems],
        "trouble": trouble,
        "last": _applied(last, now),
        "last_reload": _applied(last_reload, now),
    }


def _routes(routes: Routes) -> dict[str, dict[str, str]]:
    return {
        "hosts": {str(host): to.service for host, to in routes.hosts.items()},
        "wildcards": {f"*{suffix}": to.service for suffix, to in routes.wildcards.items()},
        "paths": {
            f"{'*' if site.host.startswith('.') else ''}{site.host}{site.path}": to.service
            for site, to in routes.paths.items()
        },
        "listeners": {str(port): to.service for port, to in routes.listeners.items()},
    }


def _whole(counters: Counters) -> dict[str, object]:
    return {
        "program": counters.program,
        "connections": counters.connections,
        "requests": counters.requests,
        "rate": counters.rate,
        "lacks": counters.lacks,
    }


def _endpoint(upstream: Upstream, one: Endpoint, counters: Counters | None) -> dict[str, object]:
    work: Work | None = None
    if counters is not None:
        work = counters.endpoints.get((upstream, one.key))
    return {
        "node": one.key.node,
        "id": one.key.id,
        "address": str(SocketAddress(one.address, one.port)),
        "weight": int(one.weight),
        "state": str(one.state),
        "work": None if work is None else asdict(work),
    }


def _applied(applied: Applied | None, now: float) -> dict[str, object] | None:
    if applied is None:
        return None
    return {
        "kind": applied.kind,
        "why": applied.why,
        "seconds": applied.seconds,
        "ago": max(0.0, now - applied.at),
    }
