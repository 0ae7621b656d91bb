"""How an upstream is spoken to and who may ask: what makes two ways to one service differ. Pure.

A shape is part of an upstream's identity: another shape is another backend, so the live structure
of a proxy need not know how to change one.
"""

import enum
import hashlib
from typing import Final, NamedTuple

from templater.names import Network, UrlPath

__all__ = ["INTERNAL", "PLAIN", "Balance", "Https", "Method", "Scheme", "Shape"]

INTERNAL: Final = tuple(
    map(
        Network,
        (
            "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16",
            "::1/128", "fc00::/7", "fe80::/10",
        ),
    )
)  # fmt: skip
"""Networks that are not the Internet's (RFC 1918, 3927, 4193, 4291); nginx-proxy's and IPv6's."""


class Scheme(enum.StrEnum):
    """The protocol towards the members of an upstream."""

    HTTP = "http"
    HTTPS = "https"
    GRPC = "grpc"
    GRPCS = "grpcs"


class Balance(enum.StrEnum):
    """How requests are shared out."""

    ROUNDROBIN = "roundrobin"
    LEASTCONN = "leastconn"
    SOURCE = "source"
    RANDOM = "random"


_DEFAULTS: Final = frozenset({Scheme.HTTP, Balance.ROUNDROBIN})


class Shape(NamedTuple):
    """``dest`` replaces ``prefix`` at the start of a path, None: paths stay as they are.

    ``allowed`` are the networks that may ask, none: everybody. ``group`` names a part of a
    service's instances by a place that only they ask for, empty: all of them.
    """

    scheme: Scheme = Scheme.HTTP
    balance: Balance = Balance.ROUNDROBIN
    allowed: tuple[Network, ...] = ()
    prefix: UrlPath = UrlPath("/")
    dest: UrlPath | None = None
    group: str = ""

    def __str__(self) -> str:
        """Return what is not plain, for people; nothing for the plain shape."""
        words = [str(word) for word in (self.scheme, self.balance) if word not in _DEFAULTS]
        if self.allowed:
            words.append("internal" if self.allowed == INTERNAL else ",".join(self.allowed))
        if self.dest is not None:
            words.append(f"{self.prefix}/=>{self.dest}/")
        if self.group:
            words.append(f"for {self.group}")
        return "".join(f" {word}" for word in words)

    @property
    def mark(self) -> str:
        """Return a text of letters and digits for each shape its own, empty for the plain one."""
        if self == PLAIN:
            return ""
        return hashlib.sha256(repr(tuple(map(str, self))).encode()).hexdigest()[:16]


PLAIN: Final = Shape()


class Method(enum.StrEnum):
    """What plain HTTP is answered where there is a certificate (nginx-proxy's HTTPS_METHOD)."""

    REDIRECT = "redirect"
    NOREDIRECT = "noredirect"
    NOHTTP = "nohttp"
    NOHTTPS = "nohttps"


class Https(NamedTuple):
    """What a host asks of TLS; no proxy serves TLS yet, so nothing acts on it."""

    method: Method = Method.REDIRECT
    certificate: str = ""
