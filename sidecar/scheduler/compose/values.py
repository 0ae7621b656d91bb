"""What texts in a stack file mean: sizes, durations, ports, numbers. Pure; each raises ValueError.

Sources: the Compose specification (byte values, durations, the short form of ports).
"""

import ipaddress
import re
from typing import Final, NamedTuple

from sidecar.config.units import duration
from sidecar.scheduler.model import NANO, Port

__all__ = ["Published", "cpus", "published", "ratio", "seconds", "size", "truth", "weeks", "whole"]

_SIZE: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([bkmgtp]?)(?:i?b)?\s*", re.IGNORECASE)
_POWERS: Final = {"": 0, "b": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_WEEKS: Final = re.compile(r"(?:([0-9]{1,4})w)?(.*)", re.ASCII)
_LAST_PORT: Final = 65535
_WIDEST: Final = 1000
_PROTOCOLS: Final = ("tcp", "udp", "sctp")


class Published(NamedTuple):
    """A port of a container and where it is on the host; number 0 takes any free one."""

    host: Port
    container: int


def size(text: str) -> int:
    """Return bytes for ``512m``, ``1.5gb``, ``2GiB`` or a bare number."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no size; write for example 512m or 2g")
    return int(float(found[1]) * 1024 ** _POWERS[found[2].lower()])


def cpus(text: str) -> int:
    """Return nano-CPUs for a number of CPUs."""
    number = _number(text, "number of CPUs; write for example 0.5")
    return round(number * NANO)


def _number(text: str, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1e9:
        raise ValueError(f"{text!r} is no {what}")
    return number


def seconds(text: str) -> float:
    """Return seconds for ``1m30s``; a bare number is refused, as Compose has no unit for it."""
    if text.strip().replace(".", "", 1).isdigit() and text.strip() != "0":
        raise ValueError(f"{text!r} has no unit; write {text.strip()}s")
    return duration(text)


def weeks(text: str) -> float:
    """Return seconds above 0 for ``1w2d``, ``12h``: a duration that may begin with weeks."""
    found = _WEEKS.fullmatch(text.strip())
    total = 604_800.0 * int(found[1] or 0) + seconds(found[2] or "0") if found else 0.0
    if not total:
        raise ValueError(f"{text!r} is no duration above 0; write for example 12h, 3d or 1w")
    return total


def whole(text: str, least: int = 0) -> int:
    """Return a whole number that is not too small."""
    plain = text.strip()
    if not (plain.isascii() and plain.isdigit()) or len(plain) > 9 or int(plain) < least:
        raise ValueError(f"{text!r} is no whole number from {least} on")
    return int(plain)


def ratio(text: str) -> float:
    """Return a share from 0 to 1."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise ValueError(f"{text!r} is no share from 0 to 1")
    return number


def truth(text: str) -> bool:
    """Return true or false."""
    if text not in {"true", "false"}:
        raise ValueError(f"{text!r} is neither true nor false")
    return text == "true"


def published(text: str) -> list[Published]:
    """Return the ports of ``[[ADDRESS:]HOST:]CONTAINER[/PROTOCOL]``; both may be ranges."""
    body, slash, protocol = text.partition("/")
    protocol = protocol.lower() if slash else "tcp"
    if protocol not in _PROTOCOLS:
        raise ValueError(f"{protocol!r} in {text!r} is none of {', '.join(_PROTOCOLS)}")
    head, _, container = body.rpartition(":")
    address, _, host = head.rpartition(":")
    address = address.removeprefix("[").removesuffix("]")
    if address:
        ipaddress.ip_address(address)
    inner = _range(container, text)
    outer = _range(host, text) if host else range(0)
    if outer and len(outer) != len(inner) and len(inner) != 1:
        raise ValueError(f"the ranges in {text!r} differ in length")
    if not outer:
        return [Published(Port(0, protocol, address), number) for number in inner]
    if len(inner) == 1:  # any one of a range on the host; the first stands for it
        return [Published(Port(outer[0], protocol, address), inner[0])]
    pairs = zip(outer, inner, strict=True)
    return [Published(Port(a, protocol, address), b) for a, b in pairs]


def _range(text: str, whole_text: str) -> range:
    low, dash, high = text.partition("-")
    try:
        first, last = int(low), int(high) if dash else int(low)
    except ValueError:
        raise ValueError(f"{text!r} in {whole_text!r} is no port") from None
    if not 0 < first <= last <= _LAST_PORT:
        raise ValueError(f"{text!r} in {whole_text!r} is not a port from 1 to {_LAST_PORT}")
    if last - first >= _WIDEST:
        raise ValueError(f"{text!r} in {whole_text!r} is wider than {_WIDEST} ports")
    return range(first, last + 1)
