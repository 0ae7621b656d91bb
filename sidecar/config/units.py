"""Text to numbers as people write them: durations and addresses. Pure."""

import ipaddress
import re
from typing import Final, NamedTuple

__all__ = ["Endpoint", "dns_server", "duration", "endpoint", "endpoints", "go_duration"]

_UNITS: Final = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
_PART: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h|d)", re.ASCII)
_GO_PART: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)([^.\d]*)", re.ASCII)
_GO_LONGEST: Final = 2**63 / 1e9  # nanoseconds in 64 bits
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?", re.ASCII)


class Endpoint(NamedTuple):
    """Where to listen or connect: a host (name or IP, no brackets) and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return ``host:port``, IPv6 in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def duration(text: str) -> float:
    """Return seconds for ``"30s"``, ``"1m30s"``, ``"250ms"`` or a bare number of seconds.

    The units are Go's (``time.ParseDuration``) and ``d`` for days. Raises ValueError.
    """
    text = text.strip()
    try:
        seconds = float(text)
    except ValueError:
        seconds = _sum_of_parts(text)
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"a duration cannot be {text!r}")
    return seconds


def _sum_of_parts(text: str) -> float:
    total = 0.0
    at = 0
    while match := _PART.match(text, at):
        total += float(match[1]) * _UNITS[match[2]]
        at = match.end()
    if at == 0 or at != len(text):
        raise ValueError(f"{text!r} is not a duration; write for example 30s, 1m30s or 250ms")
    return total


def go_duration(text: str) -> float:
    """Return seconds for what Go's ``time.ParseDuration`` takes, negative ones included.

    Raises ValueError with Go's words.
    """
    body = text[1:] if text[:1] in {"+", "-"} else text
    if body == "0":
        return 0.0
    total, at = 0.0, 0
    while at < len(body):
        match = _GO_PART.match(body, at)
        if match is None:
            break
        if not match[2]:
            raise ValueError(f'time: missing unit in duration "{text}"')
        if match[2] == "d" or match[2] not in _UNITS:
            raise ValueError(f'time: unknown unit "{match[2]}" in duration "{text}"')
        total += float(match[1]) * _UNITS[match[2]]
        at = match.end()
    if at == 0 or at < len(body) or total > _GO_LONGEST:
        raise ValueError(f'time: invalid duration "{text}"')
    return -total if text[0] == "-" else total


def endpoint(text: str) -> Endpoint:
    """Return the endpoint of ``ADDR:PORT``, ``[IPV6]:PORT`` or ``:PORT`` (every address).

    Raises ValueError.
    """
    host, colon, port_text = text.strip().rpartition(":")
    if not colon:
        raise ValueError(f"{text!r} has no port; write ADDR:PORT, for example 127.0.0.1:8500")
    if not (port_text.isascii() and port_text.isdigit() and int(port_text) <= 65535):
        raise ValueError(f"{port_text!r} in {text!r} is not a port from 0 to 65535")
    if host.startswith("[") and host.endswith("]"):
        host = str(ipaddress.IPv6Address(host[1:-1]))
    elif ":" in host:
        raise ValueError(f"write the IPv6 address of {text!r} in brackets: [{host}]:{port_text}")
    elif not host:
        host = "0.0.0.0"
    elif not _HOST.fullmatch(host):
        raise ValueError(f"{host!r} in {text!r} is neither an address nor a host name")
    return Endpoint(host, int(port_text))


def endpoints(text: str) -> tuple[Endpoint, ...]:
    """Return the endpoints of a text that separates them by commas; none of an empty one.

    Raises ValueError.
    """
    return tuple(map(endpoint, text.split(","))) if text else ()


def dns_server(text: str) -> Endpoint:
    """Return the endpoint of a DNS server: an address, brackets and port (53) as one likes.

    Names are not taken: who would look them up? Raises ValueError.
    """
    try:
        return Endpoint(str(ipaddress.ip_address(text.strip("[]"))), 53)
    except ValueError:
        pass
    wrong = ValueError(f"{text!r} is not the IP address of a server, with a port or without")
    if ":" not in text:
        raise wrong
    found = endpoint(text)
    try:
        return Endpoint(str(ipaddress.ip_address(found.host)), found.port)
    except ValueError:
        raise wrong from None
