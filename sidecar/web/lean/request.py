"""What an HTTP/1.1 client asks: only its head, as nobody sends a scrape a body. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, unquote

__all__ = ["MOST_HEAD", "Request", "head_of", "read_head", "takes_gzip"]

MOST_HEAD: Final = 16 << 10
_MOST_FIELDS: Final = 1000  # of a query: names of targets
_LINE: Final = re.compile(r"([A-Z]{1,20}) (/[^\s?#]*)(?:\?([^\s#]*))? HTTP/1\.([01])")
_HEADER: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")
_NOTHING: Final = re.compile(r"\s*q\s*=\s*0(?:\.0{0,3})?\s*", re.ASCII)
_PHRASES: Final = {
    200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 500: "Internal Server Error",
    503: "Service Unavailable",
}  # fmt: skip


class Request(NamedTuple):
    """One request; names of headers are in lower case."""

    method: str
    path: str
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    stays: bool  # whether the connection is kept for the next one
    is_old: bool = False  # HTTP/1.0, which knows no chunks

    def header(self, name: str) -> str:
        """Return a header, or nothing."""
        return self.headers.get(name, "")

    def asked(self, name: str) -> list[str]:
        """Return what the query says under a name, as often as it does."""
        return [value for key, value in self.query if key == name]


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
    is_old = match[4] == "0"
    closes = is_old or "close" in headers.get("connection", "").lower()
    query = parse_qsl(match[3] or "", max_num_fields=_MOST_FIELDS)
    return Request(match[1], unquote(match[2]), query, headers, not closes, is_old)


def head_of(status: int, headers: Mapping[str, str]) -> bytes:
    """Return the head of an answer, its empty line included."""
    lines = [f"HTTP/1.1 {status} {_PHRASES[status]}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def takes_gzip(accepted: str) -> bool:
    """Say whether a client takes gzip, by name or by a star, and not with weight 0."""
    for part in accepted.lower().split(","):
        name, _, quality = part.partition(";")
        if name.strip() in {"gzip", "*"}:
            return _NOTHING.fullmatch(quality) is None
    return False
