"""DNS over HTTPS (RFC 8484): which requests are questions, and what is said to them. Pure."""

from base64 import urlsafe_b64decode
from typing import Final
from urllib.parse import parse_qsl

from dnsd import codes
from dnsd.forward.message import Malformed, sections_of
from dnsd.httpwire import Request, Response

__all__ = ["PATH", "question_of", "response_of"]

PATH: Final = "/dns-query"
_TYPE: Final = "application/dns-message"
_LONGEST: Final = 4096  # base64 of a query; nobody asks longer


def question_of(request: Request) -> bytes | Response:
    """Return the DNS message of a request, or the response that says why there is none."""
    path, _, query = request.target.partition("?")
    if path != PATH:
        return Response(404)
    if request.method == "POST":
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _TYPE:
            return Response(415)
        message = request.body
    elif request.method in {"GET", "HEAD"}:
        message = _decoded(query)
    else:
        return Response(405, headers=(("Allow", "GET, HEAD, POST"),))
    return message if len(message) >= 12 else Response(400)


def _decoded(query: str) -> bytes:
    if len(query) > _LONGEST:
        return b""
    text = next((value for key, value in parse_qsl(query) if key == "dns"), "")
    try:
        return urlsafe_b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))
    except ValueError:
        return b""


def response_of(request: Request, reply: bytes) -> Response:
    """Return the response with a DNS reply; it may be kept as long as its shortest record."""
    body = b"" if request.method == "HEAD" else reply
    age = ("Cache-Control", f"max-age={_lowest_ttl(reply)}")
    return Response(200, body, _TYPE, (age,))


def _lowest_ttl(reply: bytes) -> int:
    """Return the lowest TTL of the answers, or of the SOA that says there are none (5.1)."""
    question = reply.find(b"\0", 12) + 5 if reply[4:6] == b"\0\1" else 12
    counts = [int.from_bytes(reply[at : at + 2]) for at in (6, 8)]
    try:
        answers, authority = sections_of(reply, question, counts)
    except Malformed:
        return 0
    if answers:
        return min(record.ttl for record in answers)
    soas = [record for record in authority if record.type == codes.SOA and len(record.after) == 20]
    return min((min(r.ttl, int.from_bytes(r.after[16:])) for r in soas), default=0)
