"""SRV records asked of the system's name servers, which the standard library cannot. Blocks.

A question over UDP, over TCP when the answer was cut (RFC 1035 section 4.2, RFC 2782).
"""

import secrets
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from sidecar.errors import ProtocolError, StoreUnavailable

__all__ = ["Srv", "answers", "lookup", "question"]

_RESOLV: Final = Path("/etc/resolv.conf")
_TYPE: Final = 33
_TIMEOUT: Final = 2.0
_MOST_LABELS: Final = 128
_TRUNCATED: Final = 0x0200


class Srv(NamedTuple):
    """One record, with the fields that templates use."""

    Target: str
    Port: int
    Priority: int
    Weight: int


def question(name: str, number: int) -> bytes:
    """Return the message that asks for a name's records. Raises ValueError."""
    labels = [label.encode("idna") for label in name.rstrip(".").split(".")]
    if not all(0 < len(label) < 64 for label in labels):
        raise ValueError(f"{name!r} is not a domain name")
    body = b"".join(bytes([len(label)]) + label for label in labels)
    return struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + body + struct.pack(">BHH", 0, _TYPE, 1)


def answers(message: bytes, number: int) -> list[Srv]:
    """Return the records of an answer. Raises ProtocolError; the message may be anything."""
    try:
        return list(_records(message, number))
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ProtocolError("the name server sent nonsense") from error


def _records(message: bytes, number: int) -> Iterator[Srv]:
    found, flags, questions, count, _, _ = struct.unpack_from(">6H", message)
    if found != number or flags & 0xF:
        raise ProtocolError(f"the name server answered with code {flags & 0xF}")
    at = 12
    for _ in range(questions):
        at = _name(message, at)[1] + 4
    for _ in range(count):
        at = _name(message, at)[1]
        kind, _, _, size = struct.unpack_from(">HHIH", message, at)
        at += 10
        if kind == _TYPE:
            priority, weight, port = struct.unpack_from(">3H", message, at)
            yield Srv(_name(message, at + 6)[0], port, priority, weight)
        at += size


def _name(message: bytes, at: int) -> tuple[str, int]:
    """Return a name, with its final dot, and where the message goes on."""
    labels: list[str] = []
    end = 0
    for _ in range(_MOST_LABELS):
        size = message[at]
        if size == 0:
            return ".".join(labels) + ".", end or at + 1
        if size >= 0xC0:
            end = end or at + 2
            at = struct.unpack_from(">H", message, at)[0] & 0x3FFF
            continue
        labels.append(message[at + 1 : at + 1 + size].decode("ascii"))
        at += size + 1
    raise ProtocolError("the name server sent a name without an end")


def lookup(name: str, servers: tuple[tuple[str, int], ...] = ()) -> list[Srv]:
    """Return a name's records, from the first server that answers. Raises StoreUnavailable."""
    problem = "no name server is configured"
    for address in servers or _servers():
        try:
            return _ask(name, address)
        except (OSError, ProtocolError) as error:
            problem = str(error)
    raise StoreUnavailable(f"SRV {name}: {problem}")


def _servers() -> tuple[tuple[str, int], ...]:
    with suppress(OSError):
        words = [line.split() for line in _RESOLV.read_text().splitlines()]
        return tuple((word[1], 53) for word in words if word[:1] == ["nameserver"] and word[1:])
    return ()


def _ask(name: str, address: tuple[str, int]) -> list[Srv]:
    number = secrets.randbelow(1 << 16)
    asked = question(name, number)
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(_TIMEOUT)
        sock.connect(address)
        sock.send(asked)
        message = sock.recv(65535)
    if len(message) > 3 and struct.unpack_from(">H", message, 2)[0] & _TRUNCATED:
        message = _by_tcp(asked, address)
    return answers(message, number)


def _by_tcp(asked: bytes, address: tuple[str, int]) -> bytes:
    with (
        socket.create_connection(address, timeout=_TIMEOUT) as sock,
        sock.makefile("rb") as stream,
    ):
        sock.sendall(struct.pack(">H", len(asked)) + asked)
        (size,) = struct.unpack(">H", stream.read(2))
        return stream.read(size)
