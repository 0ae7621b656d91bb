"""Names of addresses: ``in-addr.arpa`` and ``ip6.arpa`` (RFC 1035 3.5, RFC 3596 2.5). Pure.

We are no authority for these zones, but answer for the addresses that the catalogue knows. What
it does not know is absent where the address is nobody's but the local network's (RFC 6303), and
none of our business elsewhere.
"""

from ipaddress import ip_network
from typing import Final, NamedTuple

from dnsd.names import Labels, Zone, wire_name

__all__ = ["Reverse", "parse"]

_V4: Final = (b"in-addr", b"arpa")
_V6: Final = (b"ip6", b"arpa")
_NIBBLES: Final = {b"%x" % number: number for number in range(16)}
_OCTETS: Final = {b"%d" % number: number for number in range(256)}
_LOCAL: Final = tuple(
    map(
        ip_network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16"),
            *("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "255.255.255.255/32"),
            *(f"172.{number}.0.0/16" for number in range(16, 32)),
            *(f"100.{number}.0.0/16" for number in range(64, 128)),  # RFC 7793
            *("::/128", "::1/128", "fd00::/8", "2001:db8::/32"),
            *("fe80::/12", "fe90::/12", "fea0::/12", "feb0::/12"),
        ),
    )
)


class Reverse(NamedTuple):
    """An address, or the beginning of one, spelled backwards.

    ``packed`` holds as many octets as are given (of ``ip6.arpa`` perhaps a half one more: then
    ``nibble`` is its upper half); ``is_whole`` when that is all. ``is_local``: nobody else answers.
    """

    packed: bytes
    size: int
    nibble: int | None
    is_local: bool

    @property
    def is_whole(self) -> bool:
        """Whether every part of the address is there."""
        return len(self.packed) == self.size

    @property
    def bounds(self) -> tuple[bytes, bytes]:
        """The first and the last address that begin like this."""
        first, last = self.packed, self.packed
        if self.nibble is not None:
            first += bytes((self.nibble << 4,))
            last += bytes((self.nibble << 4 | 15,))
        return first.ljust(self.size, b"\0"), last.ljust(self.size, b"\xff")


def parse(labels: Labels) -> tuple[Zone, Reverse | None] | None:
    """Return zone and address of a reverse name, None when the name is none.

    The address is None for what cannot exist below the two domains.
    """
    family = labels[-2:]
    if family == _V4:
        return _with_zone(labels, _octets(labels[-3::-1]), 2, 4)
    if family == _V6:
        return _with_zone(labels, _nibbles(labels[-3::-1]), 1, 16)
    return None


def _octets(parts: Labels) -> list[int] | None:
    numbers = [_OCTETS.get(part, -1) for part in parts]
    if len(numbers) > 4 or -1 in numbers:
        return None
    return [nibble for number in numbers for nibble in (number >> 4, number & 15)]


def _nibbles(parts: Labels) -> list[int] | None:
    numbers = [_NIBBLES.get(part, -1) for part in parts]
    return None if len(numbers) > 32 or -1 in numbers else numbers


def _with_zone(
    labels: Labels, nibbles: list[int] | None, step: int, size: int
) -> tuple[Zone, Reverse | None]:
    text = "in-addr.arpa." if size == 4 else "ip6.arpa."
    if nibbles is None:
        return Zone(text, labels[-2:], wire_name(labels[-2:])), None
    depth = _local_depth(nibbles, size)
    octets = bytes(nibbles[at] << 4 | nibbles[at + 1] for at in range(0, len(nibbles) & ~1, 2))
    half = nibbles[-1] if len(nibbles) % 2 else None
    # Where the zone is nobody's, the name itself is as good an apex as any.
    apex = labels if depth is None else labels[len(labels) - 2 - depth // step :]
    zone = Zone(text, apex, wire_name(apex))
    return zone, Reverse(octets, size, half, depth is not None)


def _local_depth(nibbles: list[int], size: int) -> int | None:
    """Return how many nibbles the local zone around an address has, None when there is none."""
    for network in _LOCAL:
        depth = network.prefixlen // 4
        if network.max_prefixlen == size * 8 and depth <= len(nibbles):
            packed = network.network_address.packed
            if all(
                packed[at // 2] >> (4 - 4 * (at % 2)) & 15 == nibbles[at] for at in range(depth)
            ):
                return depth
    return None
