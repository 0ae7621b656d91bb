"""What an HTTP/1.1 client asks: only its head, as scrapes have no body. Pure."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, unquote

__all__ = ["MOST_HEAD", "Request", "head_of", "read_head"]

MOST_HEAD: Final = 16 << 10
_LINE: Final = re.compile(r"([A-Z]{1,20}) (/[^\s?#]*)(?:\?([^\s#]*))? HTTP/1\.([01])")
_HEADER: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")
_PHRASES: Final = {
    200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found",
    403: "Forbidden", 405: "Method Not Allowed", 500: "Internal Server Error",
    503: "Service Unavailable",
}  # fmt: skip


class Request(NamedTuple):
    """One request; names of headers are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    stays: bool  # whether the connection is kept for the next one

    def header(self, name: str) -> str:
        """Return a header, or nothing."""
        return self.headers.get(name, "")


def read_head(data: bytes) -> Request:
    """Return the request of a head, without the empty line that ends it. Raises ValueError."""
    first, *lines = data.decode("latin-1").split("\r\n")
    match = _LINE.fullmatch(first)
    if match is None:
        raise ValueError("this is no request of HTTP/1.1")
    headers: dict[str, str] = {}
    for line in lines:
        found = _HEADER.fullmatch(line)
        if found is None:
            raise ValueError("a header is not as it must be")
        name = found[1].lower()
        headers[name] = f"{headers[name]}, {found[2]}" if name in headers else found[2]
    if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
        raise ValueError("a request with a body is not taken")
    closes = "close" in headers.get("connection", "").lower() or match[4] == "0"
    query = dict(parse_qsl(match[3] or "", max_num_fields=20))
    return Request(match[1], unquote(match[2]), query, headers, not closes)


def head_of(status: int, headers: Mapping[str, str]) -> bytes:
    """Return the head of an answer, its empty line included."""
    lines = [f"HTTP/1.1 {status} {_PHRASES[status]}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
