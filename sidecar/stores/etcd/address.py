"""Where an etcd is and how it is asked, from one URL. Pure.

``etcd://[user:password@]host[:port][,host...][/prefix][?tls]``; ``etcds://`` is the same with TLS.
``etcd2://`` and ``skydns2://`` (whose path is a domain) are read alike. What a URL does not hold
comes from the variables that ``etcdctl`` reads. Only the addresses given are used: those that the
members advertise are often out of reach from where we are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from urllib.parse import unquote

from sidecar.errors import ConfigError

__all__ = ["SCHEMES", "Address", "Certificates", "address_of"]

SCHEMES: Final = ("etcd", "etcds", "etcd2", "etcd2s", "skydns2", "skydns2s")
_PORT: Final = 2379
_SKYDNS_PORT: Final = 4001  # Registrator's, when the URI names no host
_YES: Final = frozenset({"", "1", "true", "yes"})
_NO: Final = frozenset({"0", "false", "no"})


class Certificates(NamedTuple):
    """Files for TLS; an empty name: none."""

    ca: str = ""
    cert: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A store's address: ``kind`` is etcd, etcd2 or skydns2.

    ``endpoints`` are base URLs in the order given. ``path`` begins with a slash and does not end
    with one, or is empty. ``url`` is for messages: no secrets.
    """

    kind: str
    endpoints: tuple[str, ...]
    path: str = ""
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    tls: Certificates | None = None
    url: str = ""


def address_of(url: str, environ: Mapping[str, str]) -> Address:
    """Return the address that a URL names. Raises ConfigError; the password is never in it."""
    scheme, authority, path, query = _parts(url)
    credentials, _, hosts = authority.rpartition("@")
    kind = scheme.removesuffix("s") if scheme not in {"skydns2", "etcd2"} else scheme
    path = "/".join(part for part in unquote(path).split("/") if part)
    clean = f"{scheme}://{hosts}" + (f"/{path}" if path else "")
    problems = [] if scheme in SCHEMES else [f"{clean}: unknown scheme {scheme!r}"]
    has_tls = scheme.endswith("s") or _asks_for_tls(query, clean, problems)
    if kind == "skydns2":
        problems += _domain_problems(path, clean)
    endpoints = _endpoints(hosts, kind, environ, clean, problems)
    if problems:
        raise ConfigError(problems)
    user, password = _login(credentials, environ)
    return Address(
        kind=kind,
        endpoints=tuple(f"{'https' if has_tls else 'http'}://{end}" for end in endpoints),
        path=f"/{path}" if path else "",
        user=user,
        password=password,
        tls=_certificates(environ) if has_tls else None,
        url=clean if hosts else f"{scheme}://{','.join(endpoints)}" + (f"/{path}" if path else ""),
    )


def _parts(url: str) -> tuple[str, str, str, str]:
    """Return scheme, login and members, path, and query."""
    scheme, _, rest = url.partition("://")
    place, _, query = rest.partition("?")
    authority, _, path = place.partition("/")
    if "@" in rest and "@" not in authority:
        # not shown: what stands before it may be part of a password
        told = "write / ? and @ as %2F %3F and %40 within a login or path"
        raise ConfigError([f"{scheme}://: {told}"])
    return scheme, authority, path, query


def _asks_for_tls(query: str, clean: str, problems: list[str]) -> bool:
    asked = False
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        if name != "tls":
            problems.append(f"{clean}: unknown option {name!r}; there is only tls")
        elif value.lower() not in _YES | _NO:
            problems.append(f"{clean}: tls is true or false")
        else:
            asked = value.lower() in _YES
    return asked


def _domain_problems(domain: str, clean: str) -> list[str]:
    if not domain:
        return [f"{clean}: the path must name the domain, as in skydns2://host:2379/cluster.local"]
    if "/" in domain or not all(domain.strip(".").split(".")):
        return [f"{clean}: {domain!r} is no domain"]
    return []


def _endpoints(
    hosts: str, kind: str, environ: Mapping[str, str], clean: str, problems: list[str]
) -> list[str]:
    if not hosts:
        given = environ.get("ETCDCTL_ENDPOINTS", "")
        hosts = ",".join(end.rpartition("://")[2].strip("/ ") for end in given.split(","))
    if not hosts:
        return [f"127.0.0.1:{_SKYDNS_PORT if kind == 'skydns2' else _PORT}"]
    found = []
    for host in hosts.split(","):
        name, port = _split(host)
        if not name or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
            problems.append(f"{clean}: {host!r} is no host and port")
        found.append(f"{name}:{port}")
    return found


def _split(host: str) -> tuple[str, str]:
    """Return name and port; an IPv6 address stands in brackets."""
    if host.startswith("["):
        name, bracket, port = host.partition("]")
        name = f"{name}]" if bracket and len(name) > 1 else ""
        return name, port.removeprefix(":") or str(_PORT)
    name, _, port = host.partition(":")
    return name, port or str(_PORT)


def _login(credentials: str, environ: Mapping[str, str]) -> tuple[str, str]:
    user, _, password = credentials.partition(":")
    if user:
        return unquote(user), unquote(password)
    given = environ.get("ETCDCTL_USER") or environ.get("ETCDCTL_USERNAME", "")
    user, _, password = given.partition(":")
    return user, password or (environ.get("ETCDCTL_PASSWORD", "") if user else "")


def _certificates(environ: Mapping[str, str]) -> Certificates:
    """Return the files named by etcdctl's variables: those of its v3, else of its v2."""
    return Certificates(
        environ.get("ETCDCTL_CACERT") or environ.get("ETCDCTL_CA_FILE", ""),
        environ.get("ETCDCTL_CERT") or environ.get("ETCDCTL_CERT_FILE", ""),
        environ.get("ETCDCTL_KEY") or environ.get("ETCDCTL_KEY_FILE", ""),
    )
