"""Requests of HTTP/1.1 as octets, and what stands at the head of an answer (RFC 9112). Pure."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from sidecar.errors import ProtocolError

__all__ = ["CHUNKED", "UNTIL_END", "Head", "chunk_size", "head_of", "request"]

CHUNKED: Final = -1
UNTIL_END: Final = -2
_MOST: Final = 1 << 30  # octets of a body


class Head(NamedTuple):
    """Names of headers are in lower case; ``length`` of the body, CHUNKED or UNTIL_END."""

    status: int
    headers: Mapping[str, str]
    length: int
    keeps: bool


def request(method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """Return the octets of a request."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {text}" for name, text in headers.items())]
    if body is not None or method in {"PUT", "POST"}:
        lines.append(f"Content-Length: {len(body or b'')}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


def head_of(octets: bytes) -> Head:
    """Return what a head says, which ends with its empty line. Raises ProtocolError."""
    first, *lines = octets.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    version, _, rest = first.partition(" ")
    number = rest[:3]
    if version not in {"HTTP/1.0", "HTTP/1.1"} or not (number.isascii() and number.isdigit()):
        raise ProtocolError(f"no HTTP: {first[:60]!r}")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, text = line.partition(":")
        headers[name.lower()] = text.strip(" \t")
    words = headers.get("connection", "").lower()
    keeps = "keep-alive" in words if version == "HTTP/1.0" else "close" not in words
    length = _length(int(number), headers)
    return Head(int(number), headers, length, keeps and length != UNTIL_END)


def _length(status: int, headers: Mapping[str, str]) -> int:
    if status < 200 or status in {204, 304}:
        return 0
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return CHUNKED
    text = headers.get("content-length")
    return UNTIL_END if text is None else _number(text, 10)


def chunk_size(line: bytes) -> int:
    """Return the octets of the chunk that a line announces. Raises ProtocolError."""
    return _number(line.partition(b";")[0].strip().decode("latin-1"), 16)


def _number(text: str, base: int) -> int:
    if not text.isalnum() or not text.isascii():
        raise ProtocolError(f"no length: {text[:20]!r}")
    try:
        number = int(text, base)
    except ValueError as error:
        raise ProtocolError(f"no length: {text[:20]!r}") from error
    if number > _MOST:
        raise ProtocolError(f"{number} octets are too many")
    return number
