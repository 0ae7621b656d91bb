"""Values of RESP: what control connections read, and the few replies that the proxy makes. Pure."""

from ambassador.redis.inline import packed
from sidecar.errors import ProtocolError

__all__ = ["Failure", "Value", "arguments", "bulk", "decode", "error", "mapping", "packed"]

Value = "bytes | int | float | bool | None | Failure | list[Value] | dict[bytes, Value]"


class Failure(bytes):
    """An error reply, without the hyphen."""


def error(text: str) -> bytes:
    """Return an error reply of one line."""
    return b"-" + text.replace("\r", " ").replace("\n", " ").encode() + b"\r\n"


def bulk(value: bytes) -> bytes:
    """Return a bulk string."""
    return b"$%d\r\n%b\r\n" % (len(value), value)


def mapping(pairs: list[tuple[bytes, bytes]], protocol: int) -> bytes:
    """Return a map of names to values that are replies already; flat in RESP2."""
    head = b"%%%d\r\n" % len(pairs) if protocol >= 3 else b"*%d\r\n" % (2 * len(pairs))
    return head + b"".join(bulk(name) + value for name, value in pairs)


def arguments(raw: bytes) -> list[bytes]:
    """Return the words of a complete command in array form.

    As in Redis a line ends two bytes from its CR, whatever the second one is.
    """
    at = raw.index(b"\r") + 2
    words = []
    for _ in range(int(raw[1 : at - 2])):
        begin = raw.index(b"\r", at) + 2
        end = begin + int(raw[at + 1 : begin - 2])
        words.append(raw[begin:end])
        at = end + 2
    return words


def decode(data: bytes, at: int = 0) -> tuple[object, int]:  # noqa: PLR0911 - a table of kinds
    """Return the complete reply that begins there and its end. Raises ProtocolError."""
    end = data.find(b"\r\n", at)
    if end < 0:
        raise ProtocolError("a reply is cut")
    kind, line = data[at : at + 1], data[at + 1 : end]
    at = end + 2
    match kind:
        case b"+" | b"(":
            return line, at
        case b"-":
            return Failure(line), at
        case b":":
            return _integer(line), at
        case b"_":
            return None, at
        case b"#":
            return line == b"t", at
        case b",":
            return float(line), at
        case b"$" | b"=" | b"!":
            size = _integer(line)
            return (None, at) if size < 0 else (data[at : at + size], at + size + 2)
        case b"*" | b"~" | b">":
            size = _integer(line)
            return (None, at) if size < 0 else _several(data, at, size)
        case b"%":
            flat, at = _several(data, at, 2 * _integer(line))
            return dict(zip(flat[::2], flat[1::2], strict=True)), at
    raise ProtocolError(f"no reply begins with {kind!r}")


def _several(data: bytes, at: int, count: int) -> tuple[list[object], int]:
    found = []
    for _ in range(count):
        value, at = decode(data, at)
        found.append(value)
    return found, at


def _integer(line: bytes) -> int:
    try:
        return int(line)
    except ValueError as wrong:
        raise ProtocolError("a number is none") from wrong
