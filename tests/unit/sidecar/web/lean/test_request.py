"""Requests of HTTP: which are read, which are refused."""

import pytest

from sidecar.web.lean.request import head_of, read_head, takes_gzip


def test_a_request_is_read() -> None:
    request = read_head(
        b"GET /metrics%20x?target=a%3Ab&x HTTP/1.1\r\nHost: h:1\r\nAccept: a\r\nACCEPT:  b \r\nX-A:"
    )
    assert (request.method, request.path, request.stays) == ("GET", "/metrics x", True)
    assert request.asked("target") == ["a:b"]
    assert (request.header("accept"), request.header("host")) == ("a, b", "h:1")
    assert request.header("nothing") == ""
    assert not read_head(b"GET / HTTP/1.0").stays
    assert read_head(b"GET /?t=a&t=b HTTP/1.0").asked("t") == ["a", "b"]
    assert not read_head(b"GET / HTTP/1.1\r\nConnection: Close").stays


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"GET  / HTTP/1.1",
        b"get / HTTP/1.1",
        b"GET / HTTP/2.0",
        b"GET http://h/ HTTP/1.1",
        b"GET / HTTP/1.1\r\n folded",
        b"GET / HTTP/1.1\r\nA : b",
        b"GET / HTTP/1.1\r\nContent-Length: 5",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked",
        b"GET /?" + b"&".join(b"a%d=1" % n for n in range(1001)) + b" HTTP/1.1",
    ],
)
def test_what_is_no_request_is_refused(head: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_head(head)


def test_the_head_of_an_answer_ends_with_an_empty_line() -> None:
    assert head_of(200, {"A": "b"}) == b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n"


@pytest.mark.parametrize(
    ("accepted", "is_packed"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip ; q=0.000", False),
        ("br", False),
        ("", False),
    ],
)
def test_gzip_is_for_who_takes_it(accepted: str, is_packed: bool) -> None:
    assert takes_gzip(accepted) == is_packed
