import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.checks.grpc.messages import request_for, status_of
from sidecar.errors import ProtocolError


def framed(message: bytes) -> bytes:
    return b"\0" + len(message).to_bytes(4, "big") + message


@pytest.mark.parametrize(
    ("service", "message"),
    [("", b""), ("web", b"\x0a\x03web"), ("x" * 200, b"\x0a\xc8\x01" + b"x" * 200)],
    ids=["the server", "short", "long"],
)
def test_a_request_names_the_service(service: str, message: bytes) -> None:
    assert request_for(service) == framed(message)


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (b"", 0),
        (b"\x08\x01", 1),
        (b"\x08\x81\x01", 129),
        (b"\x08\x01\x08\x02", 2),
        (b"\x12\x02ab\x08\x01", 1),
        (b"\x11" + bytes(8) + b"\x1d" + bytes(4) + b"\x10\x05\x08\x01", 1),
    ],
    ids=["unset", "one", "two bytes", "the last counts", "after a text", "after other kinds"],
)
def test_the_status_is_found_among_other_fields(message: bytes, status: int) -> None:
    assert status_of(framed(message)) == status


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\1\0\0\0\2\x08\1",
        b"\0\0\0\0\3\x08\1",
        framed(b"\x08"),
        framed(b"\x0b\x01"),
        framed(b"\x12\x05a"),
        framed(b"\x08" + b"\xff" * 10),
    ],
    ids=["nothing", "compressed", "short", "half", "a group", "beyond the end", "endless"],
)
def test_what_is_no_answer_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        status_of(body)


@given(st.binary(max_size=60))
def test_garbage_is_read_or_refused(message: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        assert status_of(framed(message)) >= 0
