"""The API over a catalogue that is kept elsewhere: reads are answered, the rest belongs there."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from aiohttp import web

from sidecar.web.consul.answers import finished

if TYPE_CHECKING:
    from sidecar.web.consul.route import Handler

__all__ = ["reading_only"]

# What only that store can say, even when it is read.
_KEPT_THERE: Final = (
    "/v1/agent/check",
    "/v1/agent/health/",
    "/v1/agent/service",
    "/v1/coordinate/",
    "/v1/event/",
    "/v1/kv/",
    "/v1/session/",
    "/v1/txn",
)
_READ: Final = frozenset({"GET", "OPTIONS"})


def reading_only(routes: Iterable[web.RouteDef], url: str) -> list[web.RouteDef]:
    """Return the routes without what would write, or would speak for the store at ``url``."""
    return [_guarded(route, url) for route in routes]


def _guarded(route: web.RouteDef, url: str) -> web.RouteDef:
    handler: Handler = route.handler
    is_kept_there = route.path.startswith(_KEPT_THERE)

    async def guarded(request: web.Request) -> web.StreamResponse:
        if is_kept_there or request.method not in _READ:
            text = f"not served here: the catalogue is kept by {url}, ask there"
            return finished(request, web.Response(text=text, status=501))
        return await handler(request)

    return web.route(route.method, route.path, guarded)
