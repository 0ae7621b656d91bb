"""What the store keeps as bytes and back. Pure.

Instances and nodes are JSON, as people look at them; keys and sessions MessagePack, as values
are bytes and flags are 64 bits wide.
"""

from types import MappingProxyType
from zlib import crc32

import msgspec

from sidecar.catalog.kv import Entry
from sidecar.catalog.model import Instance, Node
from sidecar.catalog.sessions import Session

__all__ = [
    "Progress",
    "checksum",
    "decode_entry",
    "decode_instance",
    "decode_node",
    "decode_progress",
    "decode_session",
    "encode",
    "pack",
]


class Progress(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far a state file is: indexes, and the commits since the start of the ``run``.

    ``extinct`` is the snapshot's ``extinct_index``; its other tables follow from the content.
    """

    index: int = 0
    kv: int = 0
    session: int = 0
    extinct: int = 0
    run: str = ""
    commits: int = 0
    clean: bool = True


def _plain(value: object) -> object:
    if isinstance(value, MappingProxyType):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


_encoder = msgspec.json.Encoder(enc_hook=_plain)
_instances = msgspec.json.Decoder(Instance)
_nodes = msgspec.json.Decoder(Node)
_packer = msgspec.msgpack.Encoder()
_entries = msgspec.msgpack.Decoder(Entry)
_sessions = msgspec.msgpack.Decoder(Session)
_progress = msgspec.msgpack.Decoder(Progress)


def encode(entry: Instance | Node) -> bytes:
    """Return the JSON form, keys in the order of the class."""
    return _encoder.encode(entry)


def decode_instance(data: bytes) -> Instance:
    """Return the instance; raises ValueError when the bytes are not one."""
    return _instances.decode(data)


def decode_node(data: bytes) -> Node:
    """Return the node; raises ValueError when the bytes are not one."""
    return _nodes.decode(data)


def checksum(body: bytes) -> int:
    """Return what is kept beside a body: any change of up to 32 bits in a row alters it."""
    return crc32(body)


def pack(entry: Entry | Session | Progress) -> bytes:
    """Return the packed form of a key, a session or the progress."""
    return _packer.encode(entry)


def decode_entry(data: bytes) -> Entry:
    """Return the key with its value; raises ValueError when the bytes are not one."""
    return _entries.decode(data)


def decode_session(data: bytes) -> Session:
    """Return the session; raises ValueError when the bytes are not one."""
    return _sessions.decode(data)


def decode_progress(data: bytes) -> Progress:
    """Return the progress; raises ValueError when the bytes are not one."""
    return _progress.decode(data)
