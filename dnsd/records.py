"""Records, an Answer made of them, and the Writer that turns them into octets. Pure.

Compression (RFC 1035 4.1.4): owner names and the names inside NS, CNAME and SOA point back where
they can. The target of an SRV is written in full (RFC 2782), and glue points at it.
"""

from struct import Struct
from typing import Final, NamedTuple

from dnsd import codes
from dnsd.names import Zone

__all__ = ["Answer", "Record", "Writer", "pointing"]

_FIXED: Final = Struct(">HHIH")
_TO_QUESTION: Final = b"\xc0\x0c"
_POINTER_LIMIT: Final = 0x4000
_IN_FULL: Final = frozenset((codes.SRV, codes.SVCB, codes.HTTPS))
"""Types whose target no pointer may stand for (RFC 2782, RFC 9460 2.2)."""


class Record(NamedTuple):
    """A resource record. Its data is ``before``, then ``names``, then ``after``.

    ``owner`` None is the name asked for. ``weight`` is this record's share of first places.
    """

    type: int
    ttl: int
    before: bytes = b""
    names: tuple[bytes, ...] = ()
    after: bytes = b""
    owner: bytes | None = None
    weight: int = 1
    rclass: int = codes.CLASS_IN


class Answer(NamedTuple):
    """What a question gets: everything but ID, flags of the client, case and size limit.

    ``records`` is one RRset, whose order is ours to choose; ``chain`` are CNAMEs before it.
    """

    rcode: int
    zone: Zone | None = None
    chain: tuple[Record, ...] = ()
    records: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()
    error: int | None = None

    @property
    def is_positive(self) -> bool:
        """Whether there is an answer section."""
        return bool(self.records or self.chain)


def pointing(record: Record) -> bytes:
    """Return a record with the question name as owner and its names in full."""
    data = record.before + b"".join(record.names) + record.after
    return _TO_QUESTION + _FIXED.pack(record.type, record.rclass, record.ttl, len(data)) + data


class Writer:
    """Writes the sections after the question and remembers where each name stands."""

    def __init__(self, question: bytes, used: int = 0, *, compress: bool = True) -> None:
        """Begin ``used`` octets after a question of this name (wire form, folded).

        Without ``compress`` every name is written in full, that of the question as given.
        """
        self._start = 12 + len(question) + 4 + used
        self._data = bytearray()
        self._owner = _TO_QUESTION if compress else question
        self._compress = compress
        self._offsets: dict[bytes, int] = {}
        self._learn(question, 12)

    def __len__(self) -> int:
        """Return the octets written."""
        return len(self._data)

    def add(self, record: Record) -> None:
        """Write a record."""
        data = self._data
        if record.owner is None:
            data += self._owner
        else:
            self._name(record.owner)
        at = len(data)
        data += _FIXED.pack(record.type, record.rclass, record.ttl, 0)
        data += record.before
        for name in record.names:
            if record.type in _IN_FULL:
                self._learn(name, self._start + len(data))
                data += name
            else:
                self._name(name)
        data += record.after
        data[at + 8 : at + 10] = (len(data) - at - 10).to_bytes(2)

    def octets(self) -> bytes:
        """Return what was written."""
        return bytes(self._data)

    def _name(self, name: bytes) -> None:
        """Write a name, from its longest suffix that stands already by a pointer."""
        at = 0
        offset = self._offsets.get(name) if self._compress else None
        while offset is None and name[at]:
            at += name[at] + 1
            if self._compress and name[at]:
                offset = self._offsets.get(name[at:])
        self._learn(name, self._start + len(self._data), at)
        self._data += name[:at]
        self._data += b"\0" if offset is None else (0xC000 | offset).to_bytes(2)

    def _learn(self, name: bytes, offset: int, end: int | None = None) -> None:
        """Remember the suffixes, of those that begin before ``end``, of a name at ``offset``."""
        at = 0
        while name[at] and (end is None or at < end) and offset + at < _POINTER_LIMIT:
            self._offsets.setdefault(name[at:], offset + at)
            at += name[at] + 1
