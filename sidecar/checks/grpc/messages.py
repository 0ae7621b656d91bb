"""The two messages of ``grpc.health.v1`` in protocol buffers' writing, with gRPC's prefix. Pure."""

from typing import Final

from sidecar.errors import ProtocolError

__all__ = ["SERVING", "request_for", "status_of"]

SERVING: Final = 1
_SERVICE_KEY: Final = b"\x0a"  # field 1, a string
_STATUS_FIELD: Final = 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED: Final = {_FIXED64: 8, _FIXED32: 4}
_PREFIX: Final = 5


def request_for(service: str) -> bytes:
    """Return a HealthCheckRequest; without a service the question is about the whole server."""
    name = service.encode("utf-8", "surrogateescape")
    message = _SERVICE_KEY + _varint(len(name)) + name if name else b""
    return b"\0" + len(message).to_bytes(4, "big") + message


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def status_of(body: bytes) -> int:
    """Return the status in a HealthCheckResponse, 0 when not written. Raises ProtocolError."""
    if len(body) < _PREFIX:
        raise ProtocolError("no message in the answer")
    if body[0]:
        raise ProtocolError("compressed message that was not asked for")
    message = body[_PREFIX:]
    if int.from_bytes(body[1:_PREFIX], "big") != len(message):
        raise ProtocolError("message of another length than announced")
    return _status_in(message)


def _status_in(message: bytes) -> int:
    status = place = 0
    while place < len(message):
        key, place = _read_varint(message, place)
        match key & 7:
            case 0:
                value, place = _read_varint(message, place)
                if key >> 3 == _STATUS_FIELD:
                    status = value
            case 2:
                length, place = _read_varint(message, place)
                place += length
            case kind if kind in _FIXED:
                place += _FIXED[kind]
            case _:
                raise ProtocolError("field of unknown kind in a message")
    if place != len(message):
        raise ProtocolError("message ends inside a field")
    return status


def _read_varint(message: bytes, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        if place >= len(message):
            raise ProtocolError("message ends inside a number")
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        if not byte & 128:
            return value, place
    raise ProtocolError("number in a message is too long")
