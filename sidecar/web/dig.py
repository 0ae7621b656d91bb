"""``GET /v1/pinnace/dig?name=NAME&type=TYPE``: a DNS answer and what made it, as JSON."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from aiohttp import web

from sidecar.errors import ApiError

__all__ = ["dig_routes"]

Dig = Callable[[str, str], Mapping[str, Any]]
"""Name and type to what is known; raises ValueError."""


def dig_routes(dig: Dig) -> list[web.RouteDef]:
    """Return the route."""

    async def get(request: web.Request) -> web.Response:
        query = request.query
        try:
            found = dig(query.get("name", ""), query.get("type", "A"))
        except ValueError as error:
            raise ApiError(400, str(error)) from error
        return web.Response(body=msgspec.json.encode(found), content_type="application/json")

    return [web.get("/v1/pinnace/dig", get)]
