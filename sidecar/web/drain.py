"""Draining over HTTP: ``PUT /v1/pinnace/drain/<container>`` answers a line of JSON per step.

A client that goes away before the last line takes the mark back: its handler is cancelled, and
with it the drain.
"""

from contextlib import aclosing

import msgspec
from aiohttp import web

from sidecar.catalog.work import Drains, Step
from sidecar.config.units import duration
from sidecar.errors import ApiError, EngineDenied, PinnaceError

__all__ = ["drain_routes"]


def drain_routes(drains: Drains) -> list[web.RouteDef]:
    """Return the routes; ``?timeout=`` is a duration, ``?stop=0`` only marks and waits."""

    async def put(request: web.Request) -> web.StreamResponse:
        timeout, stop = _timeout_of(request), request.query.get("stop", "1") != "0"
        steps = drains.drain(request.match_info["container"], timeout=timeout, stop=stop)
        async with aclosing(steps) as found:
            try:
                first = await anext(found)
            except PinnaceError as error:
                raise _refused(error) from error
            response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
            await response.prepare(request)
            await response.write(_line(first))
            try:
                async for step in found:
                    await response.write(_line(step))
            except PinnaceError as error:
                await response.write(_line({"phase": "failed", "error": str(error)}))
            await response.write_eof()
        return response

    async def delete(request: web.Request) -> web.StreamResponse:
        try:
            await drains.undo(request.match_info["container"])
        except PinnaceError as error:
            raise _refused(error) from error
        return web.Response()

    path = "/v1/pinnace/drain/{container}"
    return [web.put(path, put), web.post(path, put), web.delete(path, delete)]


def _timeout_of(request: web.Request) -> float | None:
    text = request.query.get("timeout", "")
    try:
        return duration(text) if text else None
    except ValueError as error:
        raise ApiError(400, f"timeout: {error}") from error


def _refused(error: PinnaceError) -> ApiError:
    if isinstance(error, ApiError):
        return error
    return ApiError(403 if isinstance(error, EngineDenied) else 503, str(error))


def _line(step: Step | dict[str, str]) -> bytes:
    return msgspec.json.encode(step) + b"\n"
