"""Where a Consul agent is and how to be let in: from a URL and the CONSUL_* variables. Pure.

The forms of the URL are Registrator's; the variables are those of Consul's own client, which count
for every form. Secrets are kept out of ``url`` and of every ``repr``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from sidecar.errors import ConfigError

__all__ = ["CATALOG_SCHEMES", "KEY_SCHEMES", "Address", "Tls", "address_of"]

CATALOG_SCHEMES: Final = frozenset({"consul", "consul-tls", "consul-unix"})
KEY_SCHEMES: Final = frozenset({"consulkv", "consulkv-tls", "consulkv-unix"})
_DEFAULT: Final = "127.0.0.1:8500"
_YES: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})  # Go's strconv.ParseBool
_NO: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """What to trust and who we are; empty: the system's authorities, no certificate."""

    ca_file: str = ""
    ca_folder: str = ""
    certificate: str = ""
    key: str = ""
    server_name: str = ""
    is_verified: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An agent. ``url`` is for people; requests go to ``base``, through ``socket`` if there is one.

    ``prefix`` is where keys lie, without slashes at its ends; empty for the catalogue.
    """

    url: str
    base: str
    socket: str = ""
    prefix: str = ""
    token: str = field(default="", repr=False)
    token_file: str = ""
    login: tuple[str, str] | None = field(default=None, repr=False)
    tls: Tls | None = None


class _Place(NamedTuple):
    """Where requests go: a scheme of HTTP with a host, or a socket; ``path`` is what is left."""

    scheme: str
    host: str
    socket: str
    path: str


def address_of(url: str, environ: Mapping[str, str]) -> Address:
    """Return the agent that a URL means. Raises ConfigError, which never quotes a secret."""
    scheme, _, rest = url.partition("://")
    if scheme not in CATALOG_SCHEMES | KEY_SCHEMES:
        raise ConfigError([f"store: {scheme}:// is no URL of Consul"])
    place, parts = _place(scheme, rest, environ)
    prefix = "/".join(filter(None, place.path.split("/")))
    if scheme in KEY_SCHEMES and not prefix:
        form = f"{scheme}:///SOCKET:/PREFIX" if place.socket else f"{scheme}://HOST:PORT/PREFIX"
        raise ConfigError([f"store: {scheme}:// needs the path of its keys: {form}"])
    if scheme in CATALOG_SCHEMES and prefix:
        raise ConfigError([f"store: {scheme}:// takes no path, but has /{prefix}"])
    return Address(
        url=_shown(scheme, place, prefix),
        base=f"{place.scheme}://{place.host}",
        socket=place.socket,
        prefix=prefix,
        token=environ.get("CONSUL_HTTP_TOKEN", ""),
        token_file=environ.get("CONSUL_HTTP_TOKEN_FILE", ""),
        login=_login(parts, environ),
        tls=_tls(scheme, environ) if place.scheme == "https" else None,
    )


def _place(scheme: str, rest: str, environ: Mapping[str, str]) -> tuple[_Place, SplitResult]:
    if scheme.endswith("-unix"):
        if not rest.startswith("/"):
            raise ConfigError([f"store: {scheme}:// needs an absolute path: {scheme}:///SOCKET"])
        socket, _, path = rest.partition(":")
        return _Place("http", "consul", socket, path), urlsplit("")
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ConfigError([f"store: {scheme}:// is not followed by HOST:PORT"]) from None
    secure = scheme.endswith("-tls") or _flag(environ, "CONSUL_HTTP_SSL", default=False)
    web = "https" if secure else "http"
    if host:
        return _Place(web, _joined(host, port), "", parts.path), parts
    return _elsewhere(web, environ.get("CONSUL_HTTP_ADDR") or _DEFAULT, parts.path), parts


def _elsewhere(web: str, given: str, path: str) -> _Place:
    """Return the place that CONSUL_HTTP_ADDR names, with or without a scheme of its own."""
    if given.startswith("unix://"):
        return _Place("http", "consul", given.removeprefix("unix://"), path)
    before, separator, host = given.partition("://")
    if separator:
        if before not in {"http", "https"}:
            raise ConfigError([f"CONSUL_HTTP_ADDR: {before}:// is not supported"])
        return _Place(before, host.rstrip("/"), "", path)
    return _Place(web, given, "", path)


def _joined(host: str, port: int | None) -> str:
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


def _shown(scheme: str, place: _Place, prefix: str) -> str:
    tail = f"/{prefix}" if prefix else ""
    if place.socket:
        plain = scheme if scheme.endswith("-unix") else f"{scheme.removesuffix('-tls')}-unix"
        return f"{plain}://{place.socket}{':' + tail if tail else ''}"
    return f"{scheme}://{place.host.rpartition('@')[2]}{tail}"


def _login(parts: SplitResult, environ: Mapping[str, str]) -> tuple[str, str] | None:
    if parts.username:
        return unquote(parts.username), unquote(parts.password or "")
    user, _, password = environ.get("CONSUL_HTTP_AUTH", "").partition(":")
    return (user, password) if user else None


def _tls(scheme: str, environ: Mapping[str, str]) -> Tls:
    may_skip = not scheme.endswith("-tls")  # as Registrator: there it cannot be switched off
    verified = _flag(environ, "CONSUL_HTTP_SSL_VERIFY", default=True)
    certificate, key = environ.get("CONSUL_CLIENT_CERT", ""), environ.get("CONSUL_CLIENT_KEY", "")
    if bool(certificate) != bool(key):
        raise ConfigError(["CONSUL_CLIENT_CERT and CONSUL_CLIENT_KEY go together"])
    return Tls(
        ca_file=environ.get("CONSUL_CACERT", ""),
        ca_folder=environ.get("CONSUL_CAPATH", ""),
        certificate=certificate,
        key=key,
        server_name=environ.get("CONSUL_TLS_SERVER_NAME", ""),
        is_verified=verified or not may_skip,
    )


def _flag(environ: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = environ.get(name, "")
    if not text:
        return default
    if text not in _YES | _NO:
        raise ConfigError([f"{name}: {text!r} is neither true nor false"])
    return text in _YES
