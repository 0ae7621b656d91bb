"""Answers in Consul's manner: JSON, headers of reads, refusals, compression."""

import zlib
from typing import Any, Final

import msgspec
from aiohttp import web

from sidecar.errors import ApiError, PinnaceError
from sidecar.web.consul.query import takes_gzip

__all__ = ["MAX_BODY", "body_of", "empty", "finished", "indexed", "json", "packed", "refusal"]

MAX_BODY: Final = 512 * 1024
_GZIP: Final = 31  # zlib's number for the format


def json(request: web.Request, body: Any, status: int = 200) -> web.Response:
    """Return compact JSON, or indented with a line end when ``?pretty`` is there."""
    data = msgspec.json.encode(body)
    if "pretty" in request.query:
        data = msgspec.json.format(data, indent=4) + b"\n"
    return web.Response(body=data, status=status, content_type="application/json")


def empty(status: int) -> web.Response:
    """Return a status without body and type."""
    return web.Response(status=status)


def indexed(
    response: web.Response, index: int, *, consistency: str = "", leader: bool = True
) -> web.Response:
    """Add the headers of a read; ``consistency`` only where Consul tells it (not keys)."""
    response.headers["X-Consul-Index"] = str(index)
    response.headers["X-Consul-Knownleader"] = "true" if leader else "false"
    response.headers["X-Consul-Lastcontact"] = "0"
    if consistency:
        response.headers["X-Consul-Effective-Consistency"] = consistency
    return response


def refusal(error: PinnaceError, *, read: bool = False) -> web.Response:
    """Return an error as Consul words it; a store's error on a read carries index 1."""
    status = error.status if isinstance(error, ApiError) else 500
    response = web.Response(text=str(error), status=status)
    if status in {413, 431}:
        response.force_close()
    if status == 429:
        response.headers["Retry-After"] = "1"
    if read and status in {403, 500}:
        indexed(response, 1, leader=False)
    return response


def finished(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Compress every body, however short, if the client takes it, as Consul does."""
    response.headers["Vary"] = "Accept-Encoding"
    accepted = request.headers.get("Accept-Encoding", "")
    if isinstance(response, web.Response) and takes_gzip(accepted):
        body = response.body
        if isinstance(body, bytes) and body:
            response.body = packed(body)
            response.headers["Content-Encoding"] = "gzip"
    return response


def packed(body: bytes) -> bytes:
    """Return the body as gzip; the same bytes for the same body."""
    packer = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
    return packer.compress(body) + packer.flush()


async def body_of(request: web.Request, too_large: str) -> bytes:
    """Return the body; raises ApiError 413 with ``too_large``, the size filled in."""
    size = request.content_length or 0
    parts: list[bytes] = []
    if size <= MAX_BODY:
        size = 0
        async for part in request.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > MAX_BODY:
                break
    if size > MAX_BODY:
        raise ApiError(413, too_large.format(size=size, most=MAX_BODY))
    return b"".join(parts)
