"""How a gRPC call ended, and what stands for that in HTTP/2 and HTTP. Pure."""

import enum
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

__all__ = ["Code", "Outcome", "code_of_reset", "meaning_of_http", "name_of"]


class Code(enum.IntEnum):
    """The codes that are named here; ``name_of`` knows all."""

    OK = 0
    CANCELED = 1
    UNKNOWN = 2
    DEADLINE_EXCEEDED = 4
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a call: its code, why, and the message it brought."""

    code: int
    text: str = ""
    body: bytes = b""

    def __str__(self) -> str:
        """Return it in the words of gRPC for Go, which Consul shows."""
        return f"rpc error: code = {name_of(self.code)} desc = {self.text}"


_NAMES: Final = (
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
)
_OF_HTTP: Final = {
    HTTPStatus.BAD_REQUEST: Code.INTERNAL,
    HTTPStatus.UNAUTHORIZED: Code.UNAUTHENTICATED,
    HTTPStatus.FORBIDDEN: Code.PERMISSION_DENIED,
    HTTPStatus.NOT_FOUND: Code.UNIMPLEMENTED,
    HTTPStatus.TOO_MANY_REQUESTS: Code.UNAVAILABLE,
    HTTPStatus.BAD_GATEWAY: Code.UNAVAILABLE,
    HTTPStatus.SERVICE_UNAVAILABLE: Code.UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT: Code.UNAVAILABLE,
}
_RESETS: Final = {  # error codes of RFC 9113 section 7 and gRPC's reading of them
    0: ("NO_ERROR", Code.INTERNAL),
    1: ("PROTOCOL_ERROR", Code.INTERNAL),
    2: ("INTERNAL_ERROR", Code.INTERNAL),
    3: ("FLOW_CONTROL_ERROR", Code.RESOURCE_EXHAUSTED),
    5: ("STREAM_CLOSED", Code.INTERNAL),
    6: ("FRAME_SIZE_ERROR", Code.INTERNAL),
    7: ("REFUSED_STREAM", Code.UNAVAILABLE),
    8: ("CANCEL", Code.CANCELED),
    11: ("ENHANCE_YOUR_CALM", Code.RESOURCE_EXHAUSTED),
    12: ("INADEQUATE_SECURITY", Code.PERMISSION_DENIED),
}


def name_of(code: int) -> str:
    """Return a code as gRPC for Go prints it."""
    return _NAMES[code] if 0 <= code < len(_NAMES) else f"Code({code})"


def meaning_of_http(status: int) -> tuple[str, Code]:
    """Return what a status of plain HTTP is called and what it means to a caller."""
    try:
        known = HTTPStatus(status)
    except ValueError:
        return "", Code.UNKNOWN
    return known.phrase, _OF_HTTP.get(known, Code.UNKNOWN)


def code_of_reset(error: int) -> tuple[str, Code]:
    """Return name and meaning of the error of a reset stream."""
    return _RESETS.get(error, (str(error), Code.UNKNOWN))
