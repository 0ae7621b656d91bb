"""Instance and Node as bytes and back: one JSON object each. Pure."""

from types import MappingProxyType

import msgspec

from sidecar.catalog.model import Instance, Node

__all__ = ["decode_instance", "decode_node", "encode"]


def _plain(value: object) -> object:
    if isinstance(value, MappingProxyType):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


_encoder = msgspec.json.Encoder(enc_hook=_plain)
_instances = msgspec.json.Decoder(Instance)
_nodes = msgspec.json.Decoder(Node)


def encode(entry: Instance | Node) -> bytes:
    """Return the JSON form, keys in the order of the class."""
    return _encoder.encode(entry)


def decode_instance(data: bytes) -> Instance:
    """Return the instance; raises ValueError when the bytes are not one."""
    return _instances.decode(data)


def decode_node(data: bytes) -> Node:
    """Return the node; raises ValueError when the bytes are not one."""
    return _nodes.decode(data)
