"""HTTP/1.1 requests out of octets and replies into them: as much as DNS and a probe need. Pure.

Own parser, because dnsd loads no HTTP library: strict (RFC 9112), bounded, bodies by length only.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

__all__ = ["BadRequest", "Request", "Requests", "Response", "encode"]

_HEAD_LIMIT: Final = 8192
_BODY_LIMIT: Final = 65535
_TOKEN: Final = frozenset(
    b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)
_REASONS: Final[Mapping[int, str]] = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    411: "Length Required",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}


class BadRequest(Exception):
    """The octets are no request that is served here; the connection ends after the reply."""

    def __init__(self, status: int) -> None:
        """Take the status that says so."""
        super().__init__(_REASONS[status])
        self.status = status


class Request(NamedTuple):
    """One request; names of headers are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    keep_alive: bool


class Response(NamedTuple):
    """What is said to one; ``headers`` besides those that every reply has."""

    status: int
    body: bytes = b""
    type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


class Requests:
    """Reads the requests of one connection."""

    def __init__(self) -> None:
        """Begin empty."""
        self._buffer = bytearray()

    def __len__(self) -> int:
        """Return the octets not used yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take octets."""
        self._buffer += data

    def next(self) -> Request | None:
        """Return the next whole request, or None. Raises BadRequest."""
        end = self._buffer.find(b"\r\n\r\n", 0, _HEAD_LIMIT)
        if end < 0:
            if len(self._buffer) >= _HEAD_LIMIT:
                raise BadRequest(431)
            return None
        first, *lines = bytes(self._buffer[:end]).split(b"\r\n")
        method, target, is_1_1 = _request_line(first)
        headers = _headers(lines)
        size = _length(method, headers)
        if len(self._buffer) < end + 4 + size:
            return None
        body = bytes(self._buffer[end + 4 : end + 4 + size])
        del self._buffer[: end + 4 + size]
        words = headers.get("connection", "").lower()
        keep_alive = "close" not in words if is_1_1 else "keep-alive" in words
        return Request(method, target, headers, body, keep_alive)


def _request_line(line: bytes) -> tuple[str, str, bool]:
    words = line.split(b" ")
    if len(words) != 3 or not words[0] or not _TOKEN.issuperset(words[0]):
        raise BadRequest(400)
    if words[2] not in {b"HTTP/1.1", b"HTTP/1.0"}:
        raise BadRequest(505 if words[2].startswith(b"HTTP/") else 400)
    if not words[1].startswith(b"/") or not all(33 <= octet <= 126 for octet in words[1]):
        raise BadRequest(400)
    return words[0].decode(), words[1].decode(), words[2].endswith(b"1")


def _headers(lines: list[bytes]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name or not _TOKEN.issuperset(name) or b"\0" in value:
            raise BadRequest(400)
        key = name.decode().lower()
        if key in headers and key in {"content-length", "transfer-encoding", "host"}:
            raise BadRequest(400)
        headers[key] = value.strip(b" \t").decode("latin-1")
    return headers


def _length(method: str, headers: Mapping[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise BadRequest(411)
    text = headers.get("content-length")
    if text is None:
        if method == "POST":
            raise BadRequest(411)
        return 0
    if not (text.isascii() and text.isdigit()):
        raise BadRequest(400)
    if len(text) > 9 or int(text) > _BODY_LIMIT:
        raise BadRequest(413)
    return int(text)


def encode(response: Response, *, keep_alive: bool) -> bytes:
    """Return the octets of a response."""
    lines = [
        f"HTTP/1.1 {response.status} {_REASONS[response.status]}",
        f"Content-Type: {response.type}",
        f"Content-Length: {len(response.body)}",
        "X-Content-Type-Options: nosniff",
        *(f"{name}: {value}" for name, value in response.headers),
        *([] if keep_alive else ["Connection: close"]),
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + response.body
