"""Options of EDNS0: what a query asks for, and what a reply may carry. Pure.

Read what the parser has already found to be whole options (``wire.Edns.options``); what is left to
be wrong is the length of some. Only what dnsd acts on is read; everything else is ignored and never
echoed (RFC 6891 6.1.2).
"""

from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

__all__ = [
    "COOKIE",
    "EDE",
    "KEEPALIVE",
    "NSID",
    "PADDING",
    "SUBNET",
    "Asked",
    "BadOption",
    "extended_error",
    "keepalive",
    "nsid",
    "option",
    "padding",
    "read",
    "subnet",
]

NSID: Final = 3
SUBNET: Final = 8
COOKIE: Final = 10
KEEPALIVE: Final = 11
PADDING: Final = 12
EDE: Final = 15

_OPTION: Final = Struct(">HH")
_CLIENT_COOKIE: Final = 8
_SERVER_COOKIE: Final = range(16, 41)  # both parts
_PADDED_TO: Final = 468  # RFC 8467 4.1
_KEEPALIVE_UNITS: Final = 10  # of 100 ms in a second
_SUBNET_SIZES: Final = {1: 32, 2: 128}


class BadOption(Exception):
    """An option is not as its RFC says: FORMERR. The text is a reason for the metrics."""


class Asked(NamedTuple):
    """What the options of a query ask for.

    ``cookie`` is the whole option: 8 octets of the client's, then perhaps ours. ``subnet`` is the
    whole ECS option.
    """

    nsid: bool = False
    cookie: bytes = b""
    keepalive: bool = False
    padding: bool = False
    subnet: bytes = b""


_NOTHING: Final = Asked()


def read(options: bytes) -> Asked:
    """Return what the options ask for; of several of a kind the first counts. Raises BadOption."""
    if not options:
        return _NOTHING
    seen: dict[int, bytes] = {}
    for code, data in _split(options):
        seen.setdefault(code, data)
    cookie = seen.get(COOKIE)
    if cookie is not None and len(cookie) != _CLIENT_COOKIE and len(cookie) not in _SERVER_COOKIE:
        raise BadOption("cookie_length")  # RFC 7873 5.2.2
    net = seen.get(SUBNET, b"")
    if SUBNET in seen and not _is_subnet(net):
        raise BadOption("subnet")  # RFC 7871 7.1.1
    return Asked(NSID in seen, cookie or b"", KEEPALIVE in seen, PADDING in seen, net)


def _split(options: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(options):
        code, length = _OPTION.unpack_from(options, at)
        at += 4 + length
        yield code, options[at - length : at]


def _is_subnet(data: bytes) -> bool:
    """Say whether an ECS option is well formed: prefix within the family, no bits beyond it."""
    if len(data) < 4:
        return False
    family, source, scope = data[0] << 8 | data[1], data[2], data[3]
    address = data[4:]
    if scope or source > _SUBNET_SIZES.get(family, -1) or len(address) != (source + 7) // 8:
        return False
    spare = len(address) * 8 - source
    return not spare or not address[-1] & (1 << spare) - 1


def option(code: int, data: bytes = b"") -> bytes:
    """Return one option."""
    return _OPTION.pack(code, len(data)) + data


def nsid(identifier: str) -> bytes:
    """Return the name of this server (RFC 5001); nothing when it has none."""
    return option(NSID, identifier.encode()) if identifier else b""


def extended_error(code: int, text: str = "") -> bytes:
    """Return an extended error (RFC 8914)."""
    return option(EDE, code.to_bytes(2) + text.encode())


def subnet(asked: bytes) -> bytes:
    """Return the answer to an ECS option that was not used: same prefix, scope 0 (RFC 7871 7.2)."""
    return option(SUBNET, asked[:3] + b"\0" + asked[4:])


def keepalive(timeout: float) -> bytes:
    """Return how long an idle connection stays, in seconds (RFC 7828)."""
    return option(KEEPALIVE, min(int(timeout * _KEEPALIVE_UNITS), 65535).to_bytes(2))


def padding(size: int, limit: int) -> bytes:
    """Return the option that makes a reply of ``size`` octets a whole number of blocks."""
    room = limit - size - 4
    if room < 0:
        return b""
    return option(PADDING, bytes(min(-(size + 4) % _PADDED_TO, room)))
