"""What the services ask of TLS and which certificates there are -> what holds for each host. Pure.

A host takes the certificate it names, else the one named as itself or as a domain above. A host
with one is redirected to TLS and tells clients to stay there, as with nginx-proxy, unless it asks
otherwise. What shall never be served in plain text (``nohttp``) is not served at all when its
certificate is missing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from sidecar.catalog.model import CERT_NAME, HSTS, HTTPS_METHOD
from templater.names import CertName, Host, SocketAddress, Wildcard
from templater.shapes import Hsts, Https, Method
from templater.tls import Certificate, Policy, TlsFront, found_for
from templater.upstreams import Problem, Routes

__all__ = ["secured", "without_tls"]

_USUAL: Final = Hsts(31_536_000)
_NOTHING: Final = Https()


def secured(
    routes: Routes, listen: SocketAddress, port: int, certificates: Mapping[CertName, Certificate],
    *, http2: bool,
) -> Routes:  # fmt: skip
    """Return routes that are served by TLS too; ``port`` is what clients are sent to."""
    problems: list[Problem] = []
    policies = {
        site: policy
        for site, service in _sites(routes)
        if (policy := _policy(site, service, routes.https.get(site), certificates, problems))
    }
    front = TlsFront(listen, port, http2, certificates, policies)
    return replace(routes, tls=front, problems=tuple(dict.fromkeys([*routes.problems, *problems])))


def without_tls(routes: Routes) -> Routes:
    """Return routes that say whose wishes come to nothing because there is no TLS."""
    reason = "there is no lb.tls_listen: plain HTTP is served"
    problems = [
        Problem(service, key, reason)
        for site, service in _sites(routes)
        if (asked := routes.https.get(site)) is not None and not asked.is_own
        for key, is_asked in (
            (HTTPS_METHOD, asked.method not in {None, Method.NOHTTPS}),
            (CERT_NAME, asked.certificate is not None),
            (HSTS, asked.hsts is not None),
        )
        if is_asked
    ]
    if not problems:
        return routes
    return replace(routes, problems=tuple(dict.fromkeys([*routes.problems, *problems])))


def _sites(routes: Routes) -> Iterator[tuple[Host | Wildcard, str]]:
    """Yield every host and wildcard, and a service that it leads to."""
    seen: set[Host | Wildcard] = set()
    places = (
        routes.hosts.items(),
        routes.wildcards.items(),
        ((site.host, upstream) for site, upstream in routes.paths.items()),
    )
    for found in places:
        for site, upstream in found:
            if site not in seen:
                seen.add(site)
                yield site, upstream.service


def _policy(
    site: Host | Wildcard, service: str, asked: Https | None,
    certificates: Mapping[CertName, Certificate], problems: list[Problem],
) -> Policy | None:  # fmt: skip
    asks = asked if asked is not None else _NOTHING
    name = asks.certificate
    if name is None:
        name = found_for(site, certificates)
    elif name not in certificates:
        problems.append(Problem(service, CERT_NAME, f"there is no good certificate {name}"))
        name = None
    method = asks.method
    if name is None:
        if method is Method.NOHTTP:
            if not asks.is_own:
                reason = f"{_shown(site)} has no certificate: it is not served at all"
                problems.append(Problem(service, HTTPS_METHOD, reason))
            return Policy(None, Method.NOHTTP)
        if method is Method.REDIRECT and not asks.is_own:
            reason = f"{_shown(site)} has no certificate: nothing is redirected"
            problems.append(Problem(service, HTTPS_METHOD, reason))
        return Policy(None, Method.NOHTTPS) if method is Method.NOHTTPS else None
    method = method or Method.REDIRECT
    if method is Method.NOHTTPS:
        return Policy(None, method)
    hsts = asks.hsts
    if hsts is None and not asks.no_hsts and method is not Method.NOREDIRECT:
        hsts = _USUAL
    return Policy(name, method, hsts)


def _shown(site: Host | Wildcard) -> str:
    return f"*{site}" if isinstance(site, Wildcard) else site
