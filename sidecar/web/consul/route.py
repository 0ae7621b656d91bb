"""One path of the API with its methods, and what Consul answers to the others."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from sidecar.errors import ApiError, StoreUnavailable
from sidecar.web.consul.answers import finished, refusal

__all__ = ["Handler", "route"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def route(path: str, *, store: bool = True, **handlers: Handler) -> web.RouteDef:
    """Return a route for ``GET=…``, ``PUT=…``, ``DELETE=…``; HEAD and POST stand for nothing.

    ``store`` says that a store answers, whose errors on a read carry the headers of a read.
    """
    allowed = ",".join(["OPTIONS", *handlers])

    async def dispatch(request: web.Request) -> web.StreamResponse:
        handler = handlers.get(request.method)
        if handler is None:
            return finished(request, _other_method(request, allowed))
        try:
            response = await handler(request)
        except (ApiError, StoreUnavailable) as error:
            response = refusal(error, read=store and request.method == "GET")
        return finished(request, response)

    return web.route("*", path, dispatch)


def _other_method(request: web.Request, allowed: str) -> web.Response:
    headers = {"Allow": allowed}
    if request.method == "OPTIONS":
        return web.Response(headers=headers)
    return web.Response(status=405, text=f"method {request.method} not allowed", headers=headers)
