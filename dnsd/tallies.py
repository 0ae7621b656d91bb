"""What the query path counts: plain integers, put into words when somebody asks. Pure."""

from bisect import bisect_left
from collections import Counter
from typing import Final, Literal, NamedTuple

__all__ = ["SIZE_BOUNDS", "Channel", "Channels", "Key", "Proto", "Tally"]

Proto = Literal["udp", "tcp", "tls", "https"]

SIZE_BOUNDS: Final = (
    *(100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16000, 32000, 48000, 64000),
)
"""Upper bounds of the size histograms, those of CoreDNS."""


class Key(NamedTuple):
    """What replies counted together have in common; nothing in it comes from the client."""

    zone: str
    type: str
    rcode: str
    do: bool
    truncated: bool
    size_in: int
    size_out: int


class Tally:
    """Replies of one kind. The query path adds to these fields itself."""

    __slots__ = ("hits", "key", "octets_in", "octets_out")

    def __init__(self, key: Key) -> None:
        """Begin at zero."""
        self.key = key
        self.hits = 0
        self.octets_in = 0
        self.octets_out = 0


class Channel:
    """One listening socket: what came in and went out there."""

    def __init__(
        self, server: str, proto: Proto, family: Literal["1", "2"], *, recursive: bool = False
    ) -> None:
        """``family`` is CoreDNS's number: 1 IPv4, 2 IPv6.

        ``recursive``: for clients whose questions may go to other servers; their replies differ.
        """
        self.server = server
        self.recursive = recursive
        self.proto = proto
        self.family = family
        self.over_udp = proto == "udp"
        self.tallies: dict[Key, Tally] = {}
        self.misses = 0
        self.parsed = 0  # misses that got a reply which a tally counts
        self.panics = 0
        self.connections = 0
        self.dropped: Counter[str] = Counter()
        self.formerr: Counter[str] = Counter()

    def tally(
        self,
        zone: str,
        type_: str,
        rcode: str,
        *,
        do: bool = False,
        truncated: bool = False,
        size_in: int,
        size_out: int,
    ) -> Tally:
        """Return where replies like this one are counted."""
        sizes = bisect_left(SIZE_BOUNDS, size_in), bisect_left(SIZE_BOUNDS, size_out)
        return self.kept(Key(zone, type_, rcode, do, truncated, *sizes))

    def kept(self, key: Key) -> Tally:
        """Return where replies of this kind are counted."""
        found = self.tallies.get(key)
        if found is None:
            found = self.tallies[key] = Tally(key)
        return found


class Channels(NamedTuple):
    """Where the queries of a socket are counted, and those whose askers may recurse."""

    usual: Channel
    recursive: Channel
