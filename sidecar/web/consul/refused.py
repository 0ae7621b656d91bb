"""What the embedded catalogue does not serve. Never 200 with nothing: a client would believe it."""

from typing import Final

from aiohttp import web

from sidecar.web.consul.answers import finished
from sidecar.web.consul.validate import NOT_SERVED

__all__ = ["not_served", "routes"]

_NO_ACL: Final = "ACL support disabled"
_PATHS: Final = (
    "agent/connect/{rest:.*}",
    "agent/force-leave/{rest:.*}",
    "agent/join/{rest:.*}",
    "agent/leave",
    "agent/token/{rest:.*}",
    "catalog/gateway-services/{rest:.*}",
    "config",
    "config/{rest:.*}",
    "connect/{rest:.*}",
    "discovery-chain/{rest:.*}",
    "internal/{rest:.*}",
    "operator/{rest:.*}",
    "query/{rest:.*}",
    "snapshot",
)


def routes() -> list[web.RouteDef]:
    """Return the routes that refuse."""
    return [
        *(web.route("*", f"/v1/{path}", not_served) for path in _PATHS),
        web.route("*", "/v1/acl/{rest:.*}", _no_acl),
    ]


async def not_served(request: web.Request) -> web.StreamResponse:
    """Answer 501 and what to do instead."""
    return finished(request, web.Response(text=NOT_SERVED, status=501))


async def _no_acl(request: web.Request) -> web.StreamResponse:
    return finished(request, web.Response(text=_NO_ACL, status=401))
