"""Who may ask: the token, and pages of other sites in a browser on this host. Pure.

A page that a user looks at can send requests to 127.0.0.1, and by DNS rebinding its own name can
become that address; so a request that names a foreign origin, or a host that is none of ours, is
refused. Names without a dot pass: nobody else can make those resolve to us (reliability T11).
"""

import hmac
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from sidecar.errors import ApiError

__all__ = ["Guard", "is_loopback", "without_port"]

_FOREIGN: Final = frozenset({"cross-site", "same-site"})
_BEARER: Final = "bearer "


class Guard:
    """Lets a request through or raises ApiError 403."""

    def __init__(
        self,
        token: str = "",
        names: frozenset[str] = frozenset(),
        *,
        trusts_loopback: bool = True,
    ) -> None:
        """Take the token (empty: none is needed) and the names by which we may be called.

        Who comes from this host needs no token, unless loopback is not trusted.
        """
        self._trusts_loopback = trusts_loopback
        self._token = token.encode()
        self._names = frozenset(name.lower() for name in names)
        self._known: dict[str, bool] = {}

    def check(self, peer: str | None, headers: Mapping[str, str], query: Mapping[str, str]) -> None:
        """Raise ApiError 403 unless this request may go on. ``peer`` None: a unix socket."""
        host = headers.get("Host", "")
        if not self._is_ours(host):
            raise ApiError(403, f"Host {host[:100]!a} is not this server (http.listen, dns.domain)")
        origin = headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            raise ApiError(403, "requests from pages of other sites are refused")
        if headers.get("Sec-Fetch-Site") in _FOREIGN:
            raise ApiError(403, "requests from pages of other sites are refused")
        is_trusted = peer is None or (self._trusts_loopback and is_loopback(peer))
        if self._token and not is_trusted:
            self._check_token(headers, query)

    def _check_token(self, headers: Mapping[str, str], query: Mapping[str, str]) -> None:
        given = headers.get("X-Consul-Token") or _bearer(headers.get("Authorization", ""))
        given = given or query.get("token", "")
        if not given:
            raise ApiError(403, "Permission denied")
        if not hmac.compare_digest(given.encode("utf-8", "replace"), self._token):
            raise ApiError(403, "ACL not found")

    def _is_ours(self, host: str) -> bool:
        known = self._known.get(host)
        if known is None:
            known = _is_ours(without_port(host), self._names)
            if len(self._known) < 256:
                self._known[host] = known
        return known


def _is_ours(name: str, names: frozenset[str]) -> bool:
    name = name.lower().removesuffix(".")
    if "." not in name and ":" not in name:
        return True
    if _is_address(name) or name.endswith(".localhost"):
        return True
    return any(name == ours or name.endswith("." + ours) for ours in names)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def without_port(host: str) -> str:
    """Return the host of a Host header, without brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() and ":" not in name else host


def _bearer(header: str) -> str:
    return header[len(_BEARER) :].strip() if header[: len(_BEARER)].lower() == _BEARER else ""


def is_loopback(host: str) -> bool:
    """Say whether an address or name is this host itself; the empty one means every address."""
    if host.lower() == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
