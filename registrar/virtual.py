"""The conventions of nginx-proxy: variables and labels of a container -> places and settings. Pure.

A place is a host with a path, and what its paths become. Regular expressions as hosts are refused:
whoever starts a container would choose how long the proxy thinks about each request. What needs a
server of files or of FastCGI and uwsgi (``VIRTUAL_ROOT``) is not served, and said.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from registrar.labels import value_of
from registrar.names import META_LIMIT, cleaned, is_host_pattern, is_url_path
from sidecar.catalog.matching import matches_of
from sidecar.catalog.model import (
    BACKUP,
    CANARY,
    CANARY_MATCH,
    CERT_NAME,
    CHECK,
    CHECK_FALL,
    CHECK_INTERVAL,
    CHECK_RISE,
    HSTS,
    HTTP_ACCESS,
    HTTP_BALANCE,
    HTTPS_METHOD,
    RETRIES,
    STICKY,
    TIMEOUT_ANSWER,
    TIMEOUT_CONNECT,
    TIMEOUT_TUNNEL,
)
from sidecar.engine.facts import Container

__all__ = ["Place", "places_of", "settings_of"]

Complain = Callable[[str, str], None]

_HOST: Final = ("pinnace.http.host", "VIRTUAL_HOST")
_PATH: Final = ("pinnace.http.path", "VIRTUAL_PATH")
_DEST: Final = ("pinnace.http.dest", "VIRTUAL_DEST")
_PROTO: Final = ("pinnace.http.proto", "VIRTUAL_PROTO")
_ROOT: Final = ("", "VIRTUAL_ROOT")
_MULTI: Final = ("pinnace.http.hosts", "VIRTUAL_HOST_MULTIPORTS")
_READ: Final = 4096
_MOST: Final = 64
_SERVED: Final = frozenset({"http", "https", "grpc", "grpcs"})
_FOREIGN: Final = "com.github.nginx-proxy.nginx-proxy."
_BALANCES: Final[Mapping[str, str]] = {
    "round_robin": "roundrobin", "roundrobin": "roundrobin", "least_conn": "leastconn",
    "leastconn": "leastconn", "ip_hash": "source", "hash $remote_addr": "source",
    "hash $remote_addr consistent": "source", "source": "source", "random": "random",
}  # fmt: skip
_NETWORKS: Final = re.compile(r"[0-9a-z.:/,]+", re.ASCII)
_HSTS: Final = re.compile(r"off|max-age=[0-9]{1,9}(?:; ?[a-z]+){0,2}", re.ASCII | re.IGNORECASE)
_TIME: Final = re.compile(r"[0-9.]{1,9}(?:ms|s|m|h)(?:[0-9]{1,5}(?:ms|s|m))*", re.ASCII)
_COUNT: Final = re.compile(r"[0-9]{1,2}", re.ASCII)
_SHARE: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,2})?%?", re.ASCII)
_STICKY: Final = re.compile(r"source|cookie(?::[A-Za-z0-9_]{1,64})?", re.ASCII)
_TRUTH: Final = re.compile(r"true|false", re.ASCII)
_METHODS: Final = frozenset({"redirect", "noredirect", "nohttp", "nohttps"})


@dataclass(frozen=True, slots=True)
class Place:
    """A host and path; ``port`` 0: the container's HTTP port; no ``proto``: plain HTTP."""

    host: str
    path: str = ""
    dest: str = ""
    port: int = 0
    proto: str = ""

    @property
    def text(self) -> str:
        """The place as meta says it."""
        path = self.path.removesuffix("/")
        return f"{self.host}{path}={self.dest}" if self.dest else f"{self.host}{path}"


def places_of(container: Container, complain: Complain) -> tuple[str, tuple[Place, ...]]:
    """Return the label or variable that asks for places, and the places."""
    many = value_of(container, *_MULTI)
    single = value_of(container, *_HOST)
    found = many if many is not None and many[0].strip() else single
    if found is None:
        return _HOST[0], ()
    text, label = found
    if len(text) > _READ:
        complain(label, f"only the first {_READ} characters are read")
        text = text[:_READ]
    if root := value_of(container, *_ROOT):
        complain(root[1], "ignored: no FastCGI and no files are served")
    reading = _Reading(complain, label)
    places = reading.many(text) if found is many else reading.single(text, container)
    return label, tuple(dict.fromkeys(places))


def settings_of(container: Container, complain: Complain) -> dict[str, str]:
    """Return the meta that say how a container's hosts are served."""
    meta = {}
    for key, names, take in _SETTINGS:
        found = value_of(container, *names)
        if found is None or not found[0].strip():
            continue
        text, label = found
        value = take(text.strip()) if len(text) <= META_LIMIT else ""
        if value:
            meta[key] = value
        else:
            complain(label, f"ignored: {cleaned(text[:60])!r} is not known here")
    return meta


class _Reading:
    """One value being read; complains under its label."""

    def __init__(self, complain: Complain, label: str) -> None:
        self._complain = complain
        self._label = label

    def single(self, text: str, container: Container) -> Iterator[Place]:
        """Yield the places of a list of hosts with one path, destination and protocol."""
        path = self._path(_value(container, _PATH), _PATH[1])
        dest = self._path(_value(container, _DEST), _DEST[1])
        proto = self._proto(_value(container, _PROTO))
        if path is None or dest is None or proto is None:
            return
        for host in self._hosts(text):
            yield Place(host, path, dest, 0, proto)

    def many(self, text: str) -> Iterator[Place]:
        """Yield the places of a YAML text: host to path to port, destination, protocol."""
        if "&" in text:  # names for parts can make a short text endless
            self._refuse("no HTTP routes: & is not taken")
            return
        import yaml  # noqa: PLC0415  (memory: few use this)

        try:
            table = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            self._refuse(f"no HTTP routes: this is no YAML: {' '.join(str(error).split())[:120]}")
            return
        if not isinstance(table, dict):
            self._refuse("no HTTP routes: this is no mapping of hosts")
            return
        if len(table) > _MOST:
            self._refuse(f"only the first {_MOST} hosts are read")
        for name, paths in list(table.items())[:_MOST]:
            for host in self._hosts(str(name)):
                yield from self._of_host(host, paths)

    def _of_host(self, host: str, paths: Any) -> Iterator[Place]:
        if not paths:
            yield Place(host)
            return
        if not isinstance(paths, dict):
            self._refuse(f"host refused: {host} has no mapping of paths")
            return
        for name, options in list(paths.items())[:_MOST]:
            path = self._path(str(name), self._label)
            options = {} if options is None else options  # noqa: PLW2901
            if path is None or not isinstance(options, dict):
                self._refuse(f"host refused: {host}{cleaned(str(name)[:40])} says no options")
                continue
            dest = self._path(str(options.get("dest") or ""), self._label)
            proto = self._proto(str(options.get("proto") or ""))
            port = self._port(options.get("port"))
            if dest is not None and proto is not None and port is not None:
                yield Place(host, path, dest, port, proto)

    def _hosts(self, text: str) -> Iterator[str]:
        for part in text.split(","):
            host = part.strip(" \t\r\n").lower()
            if host.startswith("~"):
                self._refuse(f"host refused: regular expression {cleaned(host[:60])!r}")
            elif host.startswith(".") and is_host_pattern(host[1:]):
                yield host[1:]  # nginx's short form of both
                yield f"*{host}"
            elif is_host_pattern(host):
                yield host
            elif host:
                self._refuse(f"host refused: {cleaned(host[:60])!r} is no host name")

    def _path(self, text: str, label: str) -> str | None:
        text = text.strip(" ")
        if text in {"", "/"}:
            return text
        if is_url_path(text):
            return text
        self._complain(label, f"no HTTP routes: {cleaned(text[:60])!r} is no plain path")
        return None

    def _proto(self, text: str) -> str | None:
        proto = text.strip(" ").lower()
        if proto in _SERVED or not proto:
            return "" if proto == "http" else proto
        self._refuse(f"no HTTP routes: {cleaned(proto[:40])!r} is not served", _PROTO[1])
        return None

    def _port(self, value: Any) -> int | None:
        if value is None:
            return 0
        text = str(value)
        if text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536:
            return int(text)
        self._refuse(f"ignored: {cleaned(text[:40])!r} is no port from 1 to 65535")
        return None

    def _refuse(self, text: str, label: str = "") -> None:
        self._complain(label or self._label, text)


def _value(container: Container, names: tuple[str, str]) -> str:
    found = value_of(container, *names)
    return found[0] if found is not None else ""


def _access(text: str) -> str:
    words = text.replace(" ", "").lower()
    return words if _NETWORKS.fullmatch(words) else ""


def _matching(text: str) -> str:
    try:
        return ",".join(map(str, matches_of(text.replace(", ", ","))))
    except ValueError:
        return ""


def _fitting(pattern: re.Pattern[str]) -> Callable[[str], str]:
    return lambda text: text if pattern.fullmatch(text) else ""


_SETTINGS: Final[tuple[tuple[str, tuple[str, str], Callable[[str], str]], ...]] = (
    (HTTP_ACCESS, ("pinnace.http.access", "NETWORK_ACCESS"), _access),
    (HTTP_BALANCE, ("pinnace.http.balance", ""), lambda text: _BALANCES.get(text, "")),
    (
        HTTP_BALANCE,
        (_FOREIGN + "loadbalance", ""),
        lambda text: _BALANCES.get(text.rstrip("; ").lower(), ""),
    ),
    (
        HTTPS_METHOD,
        ("pinnace.https.method", "HTTPS_METHOD"),
        lambda text: text if text in _METHODS else "",
    ),
    (
        CERT_NAME,
        ("pinnace.cert.name", "CERT_NAME"),
        lambda text: text.lower() if is_host_pattern(text.lower()) else "",
    ),
    (HSTS, ("pinnace.https.hsts", "HSTS"), _fitting(_HSTS)),
    (STICKY, ("pinnace.http.sticky", ""), _fitting(_STICKY)),
    (RETRIES, ("pinnace.http.retries", ""), _fitting(_COUNT)),
    (TIMEOUT_CONNECT, ("pinnace.timeout.connect", ""), _fitting(_TIME)),
    (TIMEOUT_ANSWER, ("pinnace.timeout.answer", ""), _fitting(_TIME)),
    (TIMEOUT_TUNNEL, ("pinnace.timeout.tunnel", ""), _fitting(_TIME)),
    (
        CHECK,
        ("pinnace.check", ""),
        lambda text: text if text == "tcp" or (text[:1] == "/" and is_url_path(text)) else "",
    ),
    (CHECK_INTERVAL, ("pinnace.check.interval", ""), _fitting(_TIME)),
    (CHECK_FALL, ("pinnace.check.fall", ""), _fitting(_COUNT)),
    (CHECK_RISE, ("pinnace.check.rise", ""), _fitting(_COUNT)),
    (CANARY, ("pinnace.canary", ""), _fitting(_SHARE)),
    (CANARY_MATCH, ("pinnace.canary.match", ""), _matching),
    (BACKUP, ("pinnace.backup", ""), _fitting(_TRUTH)),
)
