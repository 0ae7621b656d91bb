"""Values that may stand in a proxy's configuration: each type admits only its own alphabet. Pure.

A label, tag, name or meta value becomes one of these or is refused, so nothing that reaches a
template can hold a control character, white space, a quote, ``#`` or a backslash: such a value
can never become configuration syntax (reliability T1). Everything raises ValueError.
"""

import ipaddress
import re
from functools import lru_cache
from typing import Final, Self

from sidecar.catalog.matching import COOKIE, HEADER, VALUE
from sidecar.config.units import duration

__all__ = [
    "Address",
    "CertName",
    "CookieName",
    "Count",
    "HeaderName",
    "Host",
    "MatchValue",
    "Millis",
    "Network",
    "Port",
    "RouteKey",
    "SocketAddress",
    "UrlPath",
    "Weight",
    "Wildcard",
    "shown",
]

_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
# A percent sign would begin an expression in HAProxy, and a path has two spellings with it.
_SEGMENT: Final = re.compile(r"[A-Za-z0-9._~+@:-]+", re.ASCII)
_MAX_PATH: Final = 256
_MAX_NAME: Final = 253  # RFC 1035 section 2.3.4, as text without the final dot
_MAX_WEIGHT: Final = 256  # HAProxy's range; nginx has none
_SHOWN: Final = 60
_LONGEST: Final = 24 * 3600.0
_MAX_COUNT: Final = 20


class Host(str):
    """A host name of a request, in lower case; ``_`` is allowed as container names have it."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Take a name of letters, digits, ``-`` and ``_`` in labels of at most 63."""
        name = text.removesuffix(".")
        if len(name) > _MAX_NAME or not _NAME.fullmatch(name):
            raise ValueError(f"{shown(text)} is not a host name")
        return super().__new__(cls, name.lower())


class Wildcard(str):
    """Every name below a suffix, ``*.example.org``; holds the suffix, ``.example.org``."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Take ``*.`` and a host name."""
        if not text.startswith("*."):
            raise ValueError(f"{shown(text)} is not a wildcard such as *.example.org")
        return super().__new__(cls, "." + Host(text[2:]))


class UrlPath(str):
    """A path of whole segments, ``/api/v1``, without a slash at its end; the root is empty."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Take plain segments, none of them ``.`` or ``..``."""
        path = text.removesuffix("/")
        segments = path.split("/")[1:]
        if (
            not text.startswith("/")
            or len(text) > _MAX_PATH
            or not all(_SEGMENT.fullmatch(one) and one not in {".", ".."} for one in segments)
        ):
            raise ValueError(f"{shown(text)} is not a path of plain segments such as /api")
        return super().__new__(cls, path)


class RouteKey(str):
    """A host (or wildcard) and a path, ``example.org/api/``, as requests are looked up by."""

    __slots__ = ()

    def __new__(cls, site: Host | Wildcard, path: UrlPath) -> Self:
        """Join two checked values."""
        return super().__new__(cls, f"{site}{path}/")


class Network(str):
    """A network in its canonical text, ``192.0.2.0/24``; an address is a network of one."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Take a network; bits of the host part are dropped."""
        try:
            if not text.isascii() or "%" in text:
                raise ValueError
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise ValueError(f"{shown(text)} is not a network such as 192.0.2.0/24") from None
        return super().__new__(cls, str(network))


@lru_cache(maxsize=8192)
def _canonical(text: str) -> str:
    """Return an address in its usual text (remembered: a change reads a whole service again)."""
    # ipaddress takes any text at all as the zone of fe80::1%zone.
    if not text.isascii() or "%" in text:
        raise ValueError(f"{shown(text)} is not an IP address")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"{shown(text)} is not an IP address") from None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(address)


@lru_cache(maxsize=8192)
def _is_of_one_host(text: str) -> bool:
    address = ipaddress.ip_address(text)
    return not (address.is_unspecified or address.is_multicast)


class Address(str):
    """An IP address in its canonical text, an IPv4-mapped one as IPv4; no zone, no name."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Take an address literal."""
        return super().__new__(cls, _canonical(text))

    @property
    def is_endpoint(self) -> bool:
        """Say whether one host can have it (neither unspecified nor multicast)."""
        return _is_of_one_host(str(self))

    @property
    def is_loopback(self) -> bool:
        """Say whether it leads to this very host, written as IPv4 in IPv6 too."""
        address = ipaddress.ip_address(str(self))
        mapped = getattr(address, "ipv4_mapped", None)
        return (mapped or address).is_loopback


class Port(int):
    """A port from 1 to 65535."""

    def __new__(cls, value: int | str) -> Self:
        """Take a number or its decimal digits."""
        if isinstance(value, str) and not (value.isascii() and value.isdigit() and len(value) < 6):
            raise ValueError(f"{shown(value)} is not a port from 1 to 65535")
        number = int(value)
        if not 1 <= number <= 65535:
            raise ValueError(f"{number} is not a port from 1 to 65535")
        return super().__new__(cls, number)


class Weight(int):
    """A share of the traffic, from 0 (nothing new) to 256."""

    def __new__(cls, value: int) -> Self:
        """Take a number within the range."""
        if not 0 <= value <= _MAX_WEIGHT:
            raise ValueError(f"{value} is not a weight from 0 to {_MAX_WEIGHT}")
        return super().__new__(cls, value)


class CertName(str):
    """The name of a certificate: that of its file without the ending, and of the host it is for."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Take what a host name may be."""
        try:
            return super().__new__(cls, Host(text))
        except ValueError:
            raise ValueError(f"{shown(text)} cannot be the name of a certificate") from None


class CookieName(str):
    """The name of a cookie that keeps a client with its endpoint, or sends it to canaries."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Take letters, digits and ``_``."""
        if not COOKIE.fullmatch(text):
            raise ValueError(f"{shown(text)} is not a cookie's name of letters, digits and _")
        return super().__new__(cls, text)


class HeaderName(str):
    """The name of a header that a request may have."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Take letters, digits and ``-``."""
        if not HEADER.fullmatch(text):
            raise ValueError(f"{shown(text)} is not a header's name of letters, digits and -")
        return super().__new__(cls, text)


class MatchValue(str):
    """The value of a header or cookie by which a request is told."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Take letters, digits and ``_.:/~+@-``."""
        if not VALUE.fullmatch(text):
            raise ValueError(f"{shown(text)} is not a value of letters, digits and _.:/~+@-")
        return super().__new__(cls, text)


class Millis(int):
    """A time in milliseconds, from one to a day."""

    def __new__(cls, value: int | str) -> Self:
        """Take a number of milliseconds or a duration such as ``30s``."""
        seconds = duration(value) if isinstance(value, str) else value / 1000
        if not 0.001 <= seconds <= _LONGEST:
            raise ValueError(f"{shown(str(value))} is not a time from 1ms to 24h")
        return super().__new__(cls, round(seconds * 1000))


class Count(int):
    """How often something is done, from 0 to 20."""

    def __new__(cls, value: int | str) -> Self:
        """Take a number or its decimal digits."""
        if isinstance(value, str) and not (value.isascii() and value.isdigit() and len(value) < 3):
            raise ValueError(f"{shown(value)} is not a number from 0 to {_MAX_COUNT}")
        if not 0 <= int(value) <= _MAX_COUNT:
            raise ValueError(f"{value} is not a number from 0 to {_MAX_COUNT}")
        return super().__new__(cls, int(value))


class SocketAddress(str):
    """``address:port``, IPv6 in brackets."""

    __slots__ = ()

    def __new__(cls, address: Address, port: Port) -> Self:
        """Join two checked values."""
        return super().__new__(
            cls, f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        )


def shown(text: str) -> str:
    """Return a foreign value for a message: quoted, escaped, cut."""
    return ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
