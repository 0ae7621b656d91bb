"""Header compression of HTTP/2 (RFC 7541): all of it for reading, the plainest for writing. Pure.

A server chooses how it writes, so a reader must know every form; nobody obliges a writer to save
bytes, so what is written are literals without an index.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final

from sidecar.checks.grpc import huffman
from sidecar.errors import ProtocolError

__all__ = ["TABLE_SIZE", "Decoder", "Header", "encoded"]

Header = tuple[bytes, bytes]

TABLE_SIZE: Final = 4096
"""Bytes of the dynamic table; the one that HTTP/2 starts with."""
_OVERHEAD: Final = 32  # RFC 7541 4.1
_NUMBER_MOST: Final = 1 << 28

_ONLY_NAMES: Final = (
    b"accept-charset accept-encoding accept-language accept-ranges accept"
    b" access-control-allow-origin age allow authorization cache-control content-disposition"
    b" content-encoding content-language content-length content-location content-range"
    b" content-type cookie date etag expect expires from host if-match if-modified-since"
    b" if-none-match if-range if-unmodified-since last-modified link location max-forwards"
    b" proxy-authenticate proxy-authorization range referer refresh retry-after server"
    b" set-cookie strict-transport-security transfer-encoding user-agent vary via"
    b" www-authenticate"
).split()
_STATIC: Final[tuple[Header, ...]] = (  # RFC 7541 appendix A, from 1
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    *((b":status", code) for code in b"200 204 206 304 400 404 500".split()),
    *((name, b"gzip, deflate" if name == b"accept-encoding" else b"") for name in _ONLY_NAMES),
)


def encoded(headers: Iterable[Header]) -> bytes:
    """Return a header block."""
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in headers)


def _text(text: bytes) -> bytes:
    return _number(len(text)) + text


def _number(value: int) -> bytes:
    most = 127
    if value < most:
        return bytes([value])
    found = bytearray([most])
    value -= most
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)


class Decoder:
    """Reads header blocks of one connection, in their order."""

    def __init__(self, most: int) -> None:
        """Refuse a list of headers larger than ``most`` bytes (names, values, 32 for each)."""
        self._most = most
        self._table: deque[Header] = deque()
        self._used = 0
        self._size = TABLE_SIZE

    def headers(self, block: bytes) -> list[Header]:
        """Return what a whole block says. Raises ProtocolError, after which nothing can be read."""
        reader = _Reader(block)
        found: list[Header] = []
        size = 0
        while not reader.at_end:
            header = self._next(reader)
            if header is None:
                continue
            size += _size_of(header)
            if size > self._most:
                raise ProtocolError("more headers than allowed")
            found.append(header)
        return found

    def _next(self, reader: "_Reader") -> Header | None:
        first = reader.first
        if first & 0x80:
            return self._at(reader.number(7))
        if first & 0x40:
            header = self._literal(reader, 6)
            self._add(header)
            return header
        if first & 0x20:
            self._resize(reader.number(5))
            return None
        return self._literal(reader, 4)

    def _literal(self, reader: "_Reader", bits: int) -> Header:
        index = reader.number(bits)
        name = self._at(index)[0] if index else reader.text()
        return name, reader.text()

    def _at(self, index: int) -> Header:
        if 0 < index <= len(_STATIC):
            return _STATIC[index - 1]
        index -= len(_STATIC) + 1
        if not 0 <= index < len(self._table):
            raise ProtocolError("no header at this index")
        return self._table[index]

    def _add(self, header: Header) -> None:
        self._table.appendleft(header)
        self._used += _size_of(header)
        self._evict()

    def _resize(self, size: int) -> None:
        if size > TABLE_SIZE:
            raise ProtocolError("header table larger than allowed")
        self._size = size
        self._evict()

    def _evict(self) -> None:
        while self._used > self._size:
            self._used -= _size_of(self._table.pop())


class _Reader:
    """Takes numbers and strings from a block."""

    def __init__(self, block: bytes) -> None:
        self._block = block
        self._place = 0

    @property
    def at_end(self) -> bool:
        return self._place >= len(self._block)

    @property
    def first(self) -> int:
        if self.at_end:
            raise ProtocolError("header block ends too soon")
        return self._block[self._place]

    def number(self, bits: int) -> int:
        most = (1 << bits) - 1
        value = self.first & most
        self._place += 1
        if value < most:
            return value
        shift = 0
        while True:
            byte = self.first
            self._place += 1
            value += (byte & 127) << shift
            shift += 7
            if value > _NUMBER_MOST or shift > 28:
                raise ProtocolError("number in a header block is too large")
            if not byte & 128:
                return value

    def text(self) -> bytes:
        is_packed = self.first & 0x80
        length = self.number(7)
        end = self._place + length
        if end > len(self._block):
            raise ProtocolError("header block ends too soon")
        text = self._block[self._place : end]
        self._place = end
        return huffman.decoded(text) if is_packed else text


def _size_of(header: Header) -> int:
    return len(header[0]) + len(header[1]) + _OVERHEAD
