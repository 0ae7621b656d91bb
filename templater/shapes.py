"""How an upstream is spoken to and who may ask: what makes two ways to one service differ. Pure.

A shape is part of an upstream's identity: another shape is another backend, so the live structure
of a proxy need not know how to change one.
"""

import enum
import hashlib
from typing import Final, NamedTuple

from sidecar.catalog.matching import matches_of
from templater.names import (
    CertName,
    CookieName,
    Count,
    HeaderName,
    MatchValue,
    Millis,
    Network,
    UrlPath,
    shown,
)

__all__ = [
    "INTERNAL",
    "PLAIN",
    "Balance",
    "Check",
    "Hsts",
    "Https",
    "Match",
    "Method",
    "Scheme",
    "Shape",
    "Timeouts",
]

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

    __hash__ = str.__hash__  # an enum's own is slow, and upstreams are keys


class Balance(enum.StrEnum):
    """How requests are shared out."""

    ROUNDROBIN = "roundrobin"
    LEASTCONN = "leastconn"
    SOURCE = "source"
    RANDOM = "random"

    __hash__ = str.__hash__


_DEFAULTS: Final = frozenset({Scheme.HTTP, Balance.ROUNDROBIN})


class Timeouts(NamedTuple):
    """How long to wait for a connection, for an answer, and in what became a tunnel."""

    connect: Millis | None = None
    answer: Millis | None = None
    tunnel: Millis | None = None


class Check(NamedTuple):
    """What the proxy itself asks of each endpoint; no ``path``: that it takes a connection."""

    path: UrlPath | None = None
    interval: Millis = Millis(2000)
    fall: Count = Count(3)
    rise: Count = Count(2)


class Match(NamedTuple):
    """What a request has that leads here and not to the same shape without."""

    name: HeaderName | CookieName
    value: MatchValue

    def __str__(self) -> str:
        """Return it for people."""
        kind = "cookie" if isinstance(self.name, CookieName) else "header"
        return f"{kind}:{self.name}={self.value}"

    @classmethod
    def all_of(cls, text: str) -> tuple["Match", ...]:
        """Read what stands in the catalogue. Raises ValueError."""
        return tuple(
            cls(
                CookieName(one.name) if one.kind == "cookie" else HeaderName(one.name),
                MatchValue(one.value),
            )
            for one in matches_of(text)
        )


_ALWAYS: Final = Timeouts()


class Shape(NamedTuple):
    """``dest`` replaces ``prefix`` at the start of a path, None: paths stay as they are.

    ``allowed`` are the networks that may ask, none: everybody. ``group`` names a part of a
    service's instances by a place that only they ask for, empty: all of them. ``cookie`` keeps a
    client with its endpoint. None of the others: as the proxy's defaults are. With ``match`` it is
    that of canaries: requests to the same shape without come here when they have any of it.
    """

    scheme: Scheme = Scheme.HTTP
    balance: Balance = Balance.ROUNDROBIN
    allowed: tuple[Network, ...] = ()
    prefix: UrlPath = UrlPath("/")
    dest: UrlPath | None = None
    group: str = ""
    cookie: CookieName | None = None
    timeouts: Timeouts = _ALWAYS
    check: Check | None = None
    retries: Count | None = None
    match: tuple[Match, ...] = ()

    def __str__(self) -> str:
        """Return what is not plain, for people; nothing for the plain shape."""
        words = [str(word) for word in (self.scheme, self.balance) if word not in _DEFAULTS]
        if self.allowed:
            words.append("internal" if self.allowed == INTERNAL else ",".join(self.allowed))
        if self.dest is not None:
            words.append(f"{self.prefix}/=>{self.dest}/")
        if self.cookie is not None:
            words.append(f"cookie:{self.cookie}")
        words += [f"{name}={value}ms" for name, value in self.timeouts._asdict().items() if value]
        if self.check is not None:
            words.append("check" if self.check.path is None else f"check:{self.check.path}/")
        if self.retries is not None:
            words.append(f"retries={self.retries}")
        if self.group:
            words.append(f"for {self.group}")
        words += [f"with {one}" for one in self.match]
        return "".join(f" {word}" for word in words)

    @property
    def mark(self) -> str:
        """Return a text of letters and digits for each shape its own, empty for the plain one."""
        if self == PLAIN:
            return ""
        return hashlib.sha256(repr(tuple(map(str, self))).encode()).hexdigest()[:16]

    @property
    def of_all(self) -> "Shape":
        """Return that of the requests which match nothing."""
        return self._replace(match=())

    @property
    def of_tcp(self) -> "Shape":
        """Return what of this holds for a listener of TCP."""
        check = None if self.check is None else self.check._replace(path=None)
        return Shape(balance=self.balance, timeouts=self.timeouts, check=check)


PLAIN: Final = Shape()


class Method(enum.StrEnum):
    """What plain HTTP is answered where there is a certificate (nginx-proxy's HTTPS_METHOD)."""

    REDIRECT = "redirect"
    NOREDIRECT = "noredirect"
    NOHTTP = "nohttp"
    NOHTTPS = "nohttps"


class Hsts(NamedTuple):
    """For how long a client shall ask by TLS only (RFC 6797); 0: it may forget that."""

    max_age: int
    subdomains: bool = False
    preload: bool = False

    @classmethod
    def of(cls, text: str) -> "Hsts":
        """Read a header's value, or ``off``, which forgets nothing and says nothing."""
        words = [word.strip(" ").lower() for word in text.split(";")]
        age = words[0].removeprefix("max-age=")
        known = {"includesubdomains", "preload"}
        if not (age.isascii() and age.isdigit() and len(age) < 10) or set(words[1:]) - known:
            raise ValueError(f"{shown(text)} is not off or such as max-age=31536000")
        return cls(int(age), "includesubdomains" in words, "preload" in words)

    @property
    def directives(self) -> tuple[str, ...]:
        """Return the parts of the header's value."""
        words = ((self.subdomains, "includeSubDomains"), (self.preload, "preload"))
        return f"max-age={self.max_age}", *(word for said, word in words if said)


class Https(NamedTuple):
    """What a host asks of TLS; None: as it is by default. ``no_hsts``: no such header.

    ``is_own``: the host follows from the service's name, nobody asked for TLS there.
    """

    method: Method | None = None
    certificate: CertName | None = None
    hsts: Hsts | None = None
    no_hsts: bool = False
    is_own: bool = False
