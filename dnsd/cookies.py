"""DNS cookies: RFC 7873 in the interoperable form of RFC 9018. Pure; the clock is an argument.

A server cookie proves that its holder receives what is sent to the address it asks from. It is 16
octets: version 1, three zeros, the time, and SipHash-2-4 over the client's cookie, those first
eight octets and the client's address. Nothing is stored, so every worker with the secret agrees.
"""

from collections.abc import Sequence
from enum import Enum, auto
from hmac import compare_digest
from struct import pack, unpack
from typing import Final

__all__ = ["Verdict", "respond", "siphash24", "verdict_of"]

_VERSION: Final = b"\1\0\0\0"
_OLDEST: Final = 3600  # RFC 9018 4.3
_NEWEST: Final = 300
_RENEWED: Final = 1800
_MASK: Final = (1 << 64) - 1


class Verdict(Enum):
    """What a cookie option says of its sender."""

    NONE = auto()  # only the client's own part, or no cookie
    BAD = auto()  # not ours, or too old
    GOOD = auto()


def verdict_of(cookie: bytes, address: bytes, secrets: Sequence[bytes], now: float) -> Verdict:
    """Return what a whole cookie from this packed address is worth under any of our secrets."""
    if len(cookie) <= 8:
        return Verdict.NONE
    client, server = cookie[:8], cookie[8:]
    if len(server) != 16 or server[:4] != _VERSION or not _is_timely(server, now):
        return Verdict.BAD
    data = client + server[:8] + address
    known = (compare_digest(siphash24(data, secret), server[8:]) for secret in secrets)
    return Verdict.GOOD if any(known) else Verdict.BAD


def respond(cookie: bytes, address: bytes, secrets: Sequence[bytes], now: float) -> bytes:
    """Return the cookie option's data for the reply: a good one again, else a fresh one.

    The first secret makes cookies; the others are only known, for the time of a rollover.
    """
    client = cookie[:8]
    if verdict_of(cookie, address, secrets[:1], now) is Verdict.GOOD:
        made = int.from_bytes(cookie[12:16])
        if _age(made, now) < _RENEWED:
            return cookie
    head = _VERSION + pack(">I", int(now) & 0xFFFFFFFF)
    return client + head + siphash24(client + head + address, secrets[0])


def _is_timely(server: bytes, now: float) -> bool:
    return -_NEWEST <= _age(int.from_bytes(server[4:8]), now) <= _OLDEST


def _age(made: int, now: float) -> int:
    """Return seconds since then, as a number that wraps (RFC 1982)."""
    return ((int(now) - made + 0x80000000) & 0xFFFFFFFF) - 0x80000000


def siphash24(data: bytes, key: bytes) -> bytes:
    """Return SipHash-2-4 of the data under a key of 16 octets, in its usual octet order."""
    k0, k1 = unpack("<QQ", key)
    state = (
        k0 ^ 0x736F6D6570736575,
        k1 ^ 0x646F72616E646F6D,
        k0 ^ 0x6C7967656E657261,
        k1 ^ 0x7465646279746573,
    )
    whole = len(data) & ~7
    tail = data[whole:].ljust(7, b"\0") + bytes((len(data) & 255,))
    for (word,) in (unpack("<Q", block) for block in _blocks(data[:whole] + tail)):
        v0, v1, v2, v3 = _rounds((*state[:3], state[3] ^ word), 2)
        state = (v0 ^ word, v1, v2, v3)
    v0, v1, v2, v3 = _rounds((state[0], state[1], state[2] ^ 0xFF, state[3]), 4)
    return pack("<Q", v0 ^ v1 ^ v2 ^ v3)


def _blocks(data: bytes) -> Sequence[bytes]:
    return [data[at : at + 8] for at in range(0, len(data), 8)]


def _rounds(state: tuple[int, int, int, int], count: int) -> tuple[int, int, int, int]:
    v0, v1, v2, v3 = state
    for _ in range(count):
        v0 = v0 + v1 & _MASK
        v1 = (v1 << 13 | v1 >> 51) & _MASK ^ v0
        v0 = (v0 << 32 | v0 >> 32) & _MASK
        v2 = v2 + v3 & _MASK
        v3 = (v3 << 16 | v3 >> 48) & _MASK ^ v2
        v0 = v0 + v3 & _MASK
        v3 = (v3 << 21 | v3 >> 43) & _MASK ^ v0
        v2 = v2 + v1 & _MASK
        v1 = (v1 << 17 | v1 >> 47) & _MASK ^ v2
        v2 = (v2 << 32 | v2 >> 32) & _MASK
    return v0, v1, v2, v3
