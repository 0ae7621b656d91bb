"""Which endpoint sits in which slot, as a pure function of the last seating and new routes.

An endpoint that stays keeps its slot. A newcomer takes a slot that was free before rather than
one left in this very step, whose last requests may still be running. Slots double when they do
not suffice, which is structure and needs a reload; a backend whose service is gone keeps its
(empty) slots until the next reload that is needed anyway, so a service that comes back costs none.
"""

from collections.abc import Container, Mapping
from dataclasses import replace
from typing import Final, TypeVar

from templater.haproxy.model import (
    NO_ROUTE,
    Backend,
    BackendName,
    Front,
    Model,
    PolicyWord,
    name_of,
)
from templater.names import CertName, Host, Port, RouteKey, Wildcard
from templater.routes import Endpoint, Routes, Upstream
from templater.shapes import Method
from templater.tls import Certificate, sni_of

__all__ = ["fitted", "grown", "why_reload"]

_FIRST: Final = 4
_FIRST_SPARE: Final = 2
K = TypeVar("K")


def fitted(live: Model, routes: Routes) -> Model:
    """Return the model closest to the routes that the live structure can hold."""
    upstreams = {name_of(upstream): upstream for upstream in routes.upstreams}
    backends = {
        name: _refilled(
            backend, routes.upstreams[upstreams[name]] if name in upstreams else (), grow=False
        )
        for name, backend in live.backends.items()
    }
    return _model(backends, routes, live.listeners, live)


def grown(live: Model, routes: Routes) -> Model:
    """Return the model that holds all of the routes, and no backend that nobody needs."""
    backends = {}
    for upstream, endpoints in routes.upstreams.items():
        name = name_of(upstream)
        backend = live.backends.get(name) or _new(name, upstream)
        backends[name] = _refilled(backend, endpoints, grow=True)
    listeners = {port: name_of(upstream) for port, upstream in routes.listeners.items()}
    model = _model(backends, routes, listeners, live)
    front = _front(routes)
    known = routes.tls.certificates if routes.tls is not None else {}
    used = {name: known[name] for name, _ in front.sni} if front is not None else {}
    policies = _policies(routes, live, used)
    return replace(
        model, front=front, certificates=used, policies=policies, override=routes.override
    )


def why_reload(live: Model, routes: Routes) -> str | None:
    """Return what of the routes the live structure cannot hold, or None."""
    for upstream, endpoints in routes.upstreams.items():
        backend = live.backends.get(name_of(upstream))
        if backend is None:
            return f"new upstream {name_of(upstream)}"
        sizes = _sizes(backend, endpoints)
        if sum(sizes) > len(backend.slots):
            return f"{backend.name} needs {sum(sizes)} slots"
    if live.front != _front(routes):
        return "other certificates or names of theirs"
    if live.override != routes.override:
        return "another template"
    if live.listeners != {port: name_of(to) for port, to in routes.listeners.items()}:
        return "other listeners"
    return None


def _new(name: BackendName, upstream: Upstream) -> Backend:
    return Backend(name, upstream, (None,) * _FIRST, ())


def _model(
    backends: Mapping[BackendName, Backend],
    routes: Routes,
    listeners: Mapping[Port, BackendName],
    live: Model,
) -> Model:
    def live_ones(found: Mapping[K, Upstream]) -> dict[K, BackendName]:
        named = {key: name_of(upstream) for key, upstream in found.items()}
        return {key: name for key, name in named.items() if name in backends}

    hosts = live_ones(routes.hosts)
    wildcards = live_ones(routes.wildcards)
    sites = live_ones(routes.paths)
    for host, _ in sites:
        # What has only paths must not fall through to a wildcard above it.
        if isinstance(host, Wildcard):
            wildcards.setdefault(host, NO_ROUTE)
        else:
            hosts.setdefault(host, NO_ROUTE)
    paths = {RouteKey(host, path): name for (host, path), name in sites.items()}
    return Model(
        backends,
        live.hosts if hosts == live.hosts else hosts,
        tuple(sorted(wildcards.items(), key=lambda pair: (-len(pair[0]), pair[0]))),
        listeners,
        live.paths if paths == live.paths else paths,
        live.front,
        _policies(routes, live, live.certificates),
        _renewed(routes, live),
        live.override,
    )


def _policies(
    routes: Routes, live: Model, loaded: Container[CertName]
) -> Mapping[Host | Wildcard, PolicyWord]:
    """Return what holds for each host; nobody is sent to TLS before its certificate is there."""
    if routes.tls is None:
        return {}
    found = {
        site: PolicyWord(policy)
        for site, policy in routes.tls.policies.items()
        if policy.method is not Method.REDIRECT or policy.certificate in loaded
    }
    return live.policies if found == live.policies else found


def _renewed(routes: Routes, live: Model) -> Mapping[CertName, Certificate]:
    """Return the certificates that run, as they are now."""
    now = routes.tls.certificates if routes.tls is not None else {}
    found = {name: now.get(name, one) for name, one in live.certificates.items()}
    return live.certificates if found == live.certificates else found


def _front(routes: Routes) -> Front | None:
    tls = routes.tls
    return None if tls is None else Front(tls.listen, tls.port, tls.http2, sni_of(tls))


def _refilled(backend: Backend, endpoints: tuple[Endpoint, ...], *, grow: bool) -> Backend:
    if endpoints == backend.endpoints and not grow:
        return backend
    first = len(backend.slots) - backend.spare
    sizes = _sizes(backend, endpoints) if grow else (first, backend.spare)
    if endpoints == backend.endpoints and sum(sizes) == len(backend.slots):
        return backend
    usual = tuple(one for one in endpoints if not one.backup)
    spare = tuple(one for one in endpoints if one.backup)
    slots = (
        *_seated(backend.slots[:first], usual, sizes[0]),
        *_seated(backend.slots[first:], spare, sizes[1]),
    )
    return Backend(backend.name, backend.upstream, slots, endpoints, sizes[1])


def _sizes(backend: Backend, endpoints: tuple[Endpoint, ...]) -> tuple[int, int]:
    """Return how many slots of each kind there must be."""
    backups = sum(one.backup for one in endpoints)
    spare = backend.spare or (_FIRST_SPARE if backups else 0)
    return (
        _size(len(backend.slots) - backend.spare, len(endpoints) - backups),
        _size(spare, backups),
    )


def _size(slots: int, needed: int) -> int:
    while slots < needed:
        slots *= 2
    return slots


def _seated(
    slots: tuple[Endpoint | None, ...], endpoints: tuple[Endpoint, ...], size: int
) -> tuple[Endpoint | None, ...]:
    coming = {endpoint.key: endpoint for endpoint in endpoints}
    seats = [coming.pop(old.key, None) if old is not None else None for old in slots]
    seats += [None] * (size - len(seats))
    before = slots + (None,) * (size - len(slots))
    free = sorted(
        (index for index, seat in enumerate(seats) if seat is None),
        key=lambda index: (before[index] is not None, index),
    )
    for index, endpoint in zip(free, coming.values(), strict=False):
        seats[index] = endpoint
    return tuple(seats)
