"""Records, an Answer made of them, and the Writer that turns them into octets. Pure.

Compression (RFC 1035 4.1.4): owner names and the names inside NS, CNAME and SOA point back where
they can. The target of an SRV is written in full (RFC 2782), and glue points at it.
"""

from collections.abc import Iterable
from struct import Struct
from typing import Final, NamedTuple

from dnsd import codes
from dnsd.names import Labels, Zone, labels_of

__all__ = ["Answer", "Record", "Writer", "pointing"]

_FIXED: Final = Struct(">HHIH")
_TO_QUESTION: Final = b"\xc0\x0c"
_POINTER_LIMIT: Final = 0x4000


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
    return _TO_QUESTION + _FIXED.pack(record.type, codes.CLASS_IN, record.ttl, len(data)) + data


class Writer:
    """Writes the sections after the question and remembers where each name stands."""

    def __init__(self, question: bytes) -> None:
        """Begin after a question of this folded name (wire form)."""
        self._start = 12 + len(question) + 4
        self._data = bytearray()
        self._offsets: dict[Labels, int] = {}
        self._learn(labels_of(question), 12)

    def __len__(self) -> int:
        """Return the octets written."""
        return len(self._data)

    def add(self, records: Iterable[Record]) -> None:
        """Write records."""
        for record in records:
            self._add(record)

    def octets(self) -> bytes:
        """Return what was written."""
        return bytes(self._data)

    def _add(self, record: Record) -> None:
        data = self._data
        if record.owner is None:
            data += _TO_QUESTION
        else:
            self._name(record.owner)
        at = len(data)
        data += _FIXED.pack(record.type, codes.CLASS_IN, record.ttl, 0)
        data += record.before
        for name in record.names:
            if record.type == codes.SRV:
                self._learn(labels_of(name), self._start + len(data))
                data += name
            else:
                self._name(name)
        data += record.after
        data[at + 8 : at + 10] = (len(data) - at - 10).to_bytes(2)

    def _name(self, name: bytes) -> None:
        labels = labels_of(name)
        for depth in range(len(labels)):
            offset = self._offsets.get(labels[depth:])
            if offset is not None:
                break
        else:
            depth, offset = len(labels), None
        self._learn(labels, self._start + len(self._data), depth)
        used = sum(len(label) + 1 for label in labels[:depth])
        self._data += name[:used]
        self._data += b"\0" if offset is None else (0xC000 | offset).to_bytes(2)

    def _learn(self, labels: Labels, offset: int, depth: int | None = None) -> None:
        """Remember the first ``depth`` suffixes of a name that begins at ``offset``."""
        for cut, label in enumerate(labels[:depth]):
            if offset >= _POINTER_LIMIT:
                return
            self._offsets.setdefault(labels[cut:], offset)
            offset += len(label) + 1
