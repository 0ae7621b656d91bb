"""What a worker process is told, as octets: settings, then the catalogue's changes. Pure.

Frames are four octets of length and MessagePack. A commit is one frame, so that a worker answers
from the same states as its parent, perhaps skipping some.
"""

from types import MappingProxyType
from typing import Final

import msgspec

from dnsd.tallies import Key
from sidecar.catalog.changes import Change, Drop, DropNode, Put, PutNode
from sidecar.catalog.model import Instance, InstanceId, Node
from sidecar.config.model import DnsSettings

__all__ = ["Counts", "Frames", "Start", "Told", "encode"]


class Start(msgspec.Struct, frozen=True, tag="start"):
    """First of all: what to be."""

    settings: DnsSettings
    node_name: str
    secret: bytes
    serial: int
    log: tuple[str, str] = ("text", "info")


class Told(msgspec.Struct, frozen=True, tag="told", omit_defaults=True):
    """One commit, and how far the catalogue may be believed."""

    puts: tuple[Instance, ...] = ()
    drops: tuple[tuple[str, str, str | None], ...] = ()
    nodes: tuple[Node, ...] = ()
    dropped_nodes: tuple[str, ...] = ()
    is_synced: bool = False
    away: str | None = None

    @property
    def changes(self) -> tuple[Change, ...]:
        """The commit."""
        return (
            *map(PutNode, self.nodes),
            *(Drop(service, InstanceId(id_), node) for service, id_, node in self.drops),
            *map(Put, self.puts),
            *map(DropNode, self.dropped_nodes),
        )

    @staticmethod
    def of(changes: tuple[Change, ...], *, is_synced: bool, away: str | None) -> "Told":
        """Return the frame of these changes."""
        return Told(
            tuple(c.instance for c in changes if isinstance(c, Put)),
            tuple((c.service, str(c.id), c.node) for c in changes if isinstance(c, Drop)),
            tuple(c.node for c in changes if isinstance(c, PutNode)),
            tuple(c.name for c in changes if isinstance(c, DropNode)),
            is_synced,
            away,
        )


class Counts(msgspec.Struct, frozen=True, tag="counts"):
    """What a worker has counted since it began: cells by family, and its channels."""

    ready: bool
    cells: dict[str, list[tuple[tuple[str, ...], float]]]
    channels: list[tuple[str, str, str, bool, list[int], dict[str, int], dict[str, int]]]
    tallies: list[tuple[int, Key, int, int, int]]


Frame = Start | Told | Counts

_LENGTH: Final = 4
_LARGEST: Final = 1 << 30


def _plain(value: object) -> object:
    if isinstance(value, MappingProxyType):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no packed form")


_encoder: Final = msgspec.msgpack.Encoder(enc_hook=_plain)
_decoder: Final = msgspec.msgpack.Decoder(Frame)


def encode(frame: Frame) -> bytes:
    """Return the octets of a frame."""
    body = _encoder.encode(frame)
    return len(body).to_bytes(_LENGTH) + body


class Frames:
    """Reads frames out of a stream; raises ValueError for anything else."""

    def __init__(self) -> None:
        """Begin empty."""
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Take octets; return the frames that they complete."""
        self._buffer += data
        found: list[Frame] = []
        while len(self._buffer) >= _LENGTH:
            size = int.from_bytes(self._buffer[:_LENGTH])
            if size > _LARGEST:
                raise ValueError("a frame is too large")
            if len(self._buffer) < _LENGTH + size:
                break
            found.append(_decoder.decode(self._buffer[_LENGTH : _LENGTH + size]))
            del self._buffer[: _LENGTH + size]
        return found
