"""Java's modified UTF-8: NUL in two bytes, other planes as two surrogates of three bytes. Pure."""

import struct
from typing import Final

from sidecar.errors import ProtocolError

__all__ = ["decoded", "utf"]

_LENGTH: Final = struct.Struct(">H")


def decoded(data: bytes) -> str:
    """Return the text; halves of a pair that stand alone become U+FFFD. Raises ProtocolError."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        pass
    try:
        text = data.replace(b"\xc0\x80", b"\x00").decode("utf-8", "surrogatepass")
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    except UnicodeDecodeError as error:
        raise ProtocolError("a string of the answer is not modified UTF-8") from error


def utf(text: str) -> bytes:
    """Return the text as ``writeUTF`` writes it: two bytes of length first. Raises ValueError."""
    if text.isascii() and "\0" not in text:
        data = text.encode()
    else:
        data = b"".join(map(_unit, struct.iter_unpack("<H", text.encode("utf-16-le"))))
    if len(data) > 0xFFFF:
        raise ValueError("a name of more than 65535 bytes cannot be sent")
    return _LENGTH.pack(len(data)) + data


def _unit(packed: tuple[int, ...]) -> bytes:
    (unit,) = packed
    return b"\xc0\x80" if unit == 0 else chr(unit).encode("utf-8", "surrogatepass")
