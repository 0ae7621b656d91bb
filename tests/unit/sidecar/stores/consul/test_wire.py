import pytest

from sidecar.errors import ProtocolError
from sidecar.stores.consul.wire import CHUNKED, UNTIL_END, chunk_size, head_of, request


def test_a_request_has_its_length_where_a_body_may_be() -> None:
    assert request("GET", "/v1/a", {"Host": "h"}, None) == b"GET /v1/a HTTP/1.1\r\nHost: h\r\n\r\n"
    assert request("PUT", "/", {}, None) == b"PUT / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"
    assert request("PUT", "/", {}, b"ab") == b"PUT / HTTP/1.1\r\nContent-Length: 2\r\n\r\nab"


@pytest.mark.parametrize(
    ("octets", "status", "length", "keeps"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n", 200, 12, True),
        (b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n", 200, CHUNKED, True),
        (b"HTTP/1.1 200 OK\r\n\r\n", 200, UNTIL_END, False),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, 0, True),
        (b"HTTP/1.1 100 Continue\r\n\r\n", 100, 0, True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 200, 0, False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 200, 0, False),
        (b"HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\ncontent-length:0\r\n\r\n", 200, 0, True),
    ],
)
def test_a_head_says_how_long_the_body_is_and_whether_the_connection_stays(
    octets: bytes, status: int, length: int, keeps: bool
) -> None:
    head = head_of(octets)
    assert (head.status, head.length, head.keeps) == (status, length, keeps)


def test_names_of_headers_are_in_lower_case() -> None:
    head = head_of(b"HTTP/1.1 200 OK\r\nX-Consul-Index:  7 \r\nContent-Length: 0\r\n\r\n")
    assert head.headers["x-consul-index"] == "7"


@pytest.mark.parametrize(
    "octets",
    [
        b"\r\n\r\n",
        b"SSH-2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 \xb2\xb2\xb2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n",
    ],
)
def test_what_is_no_head_of_an_answer_is_an_error(octets: bytes) -> None:
    with pytest.raises(ProtocolError):
        head_of(octets)


def test_a_chunk_says_its_size_in_hexadecimal() -> None:
    assert chunk_size(b"1a;name=value\r\n") == 26
    for line in (b"\r\n", b"xyz\r\n", b"-1\r\n", b"ffffffffff\r\n", b"1_0\r\n"):
        with pytest.raises(ProtocolError):
            chunk_size(line)
