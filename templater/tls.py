"""TLS as proxies are told of it: certificates by name, and what holds for each host. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from templater.names import CertName, Host, SocketAddress, Wildcard
from templater.shapes import Hsts, Method

__all__ = ["DEFAULT", "Certificate", "Policy", "Sni", "TlsFront", "found_for", "sni_of"]

DEFAULT: Final = CertName("default")
"""The certificate for clients that ask for a host without one of its own."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A chain and its key in one PEM text; ``digest`` tells contents apart.

    ``fingerprint`` is the SHA-1 of its first certificate, by which HAProxy tells what it has.
    """

    name: CertName
    digest: str
    pem: str = field(compare=False, repr=False)
    fingerprint: str = ""


class Policy(NamedTuple):
    """What holds for one host: None: it has no certificate of its own."""

    certificate: CertName | None
    method: Method
    hsts: Hsts | None = None


@dataclass(frozen=True, slots=True)
class TlsFront:
    """Where TLS is served, and by what."""

    listen: SocketAddress
    port: int
    """What clients are redirected to."""
    http2: bool
    certificates: Mapping[CertName, Certificate]
    policies: Mapping[Host | Wildcard, Policy]


Sni = tuple[tuple[CertName, tuple[Host | Wildcard, ...]], ...]
"""Certificates in order, the default one first, and the names that clients may ask them for."""


def found_for(site: Host | Wildcard, names: Mapping[CertName, object]) -> CertName | None:
    """Return the certificate named as a host or, the nearest first, as a domain above it."""
    rest = site.removeprefix(".")
    while rest:
        if rest in names and rest != DEFAULT:
            return CertName(rest)
        _, _, rest = rest.partition(".")
    return None


def sni_of(front: TlsFront) -> Sni:
    """Return which names each certificate is for.

    Each is for its own name and one label below it, so that most new hosts change nothing; what
    else leads to it is named.
    """
    taken: dict[Host | Wildcard, CertName] = {
        site: policy.certificate
        for site, policy in front.policies.items()
        if policy.certificate is not None
    }
    kept = {
        name: [site for site in _usual(name) if taken.get(site, name) == name]
        for name in sorted(front.certificates, key=lambda one: (one != DEFAULT, one))
    }
    beyond: dict[CertName, list[Host | Wildcard]] = {name: [] for name in kept}
    for site, name in taken.items():
        above = f".{site.partition('.')[2]}"
        if site not in kept[name] and (isinstance(site, Wildcard) or above not in kept[name]):
            beyond[name].append(site)
    found = ((name, (*kept[name], *sorted(beyond[name]))) for name in kept)
    return tuple((name, names) for name, names in found if names or name == DEFAULT)


def _usual(name: CertName) -> Iterable[Host | Wildcard]:
    return () if name == DEFAULT else (Host(name), Wildcard(f"*.{name}"))
