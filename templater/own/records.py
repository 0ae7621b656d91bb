"""What templates see of the catalogue: plain records. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["RECORDS", "Node", "Pair", "Server", "Service"]


@dataclass(frozen=True, slots=True)
class Server:
    """An instance, as templates see it. What is typed Any is text or a Suspect."""

    id: Any
    service: Any
    node: Any
    address: Any
    port: int
    tags: tuple[Any, ...]
    meta: Mapping[Any, Any]
    weight: int
    status: str
    draining: bool
    ready: bool
    """Whether it takes new work."""
    socket: Any
    """``address:port``, IPv6 in brackets."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service with all its instances, and with those that take new work."""

    name: Any
    instances: tuple[Server, ...] = ()
    ready: tuple[Server, ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """A host."""

    name: Any
    address: Any
    meta: Mapping[Any, Any]


@dataclass(frozen=True, slots=True)
class Pair:
    """A key and its value."""

    key: Any
    value: Any


RECORDS: Final = frozenset({Server, Service, Node, Pair})
