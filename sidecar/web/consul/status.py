"""``/v1/status``: always one leader, this process; clients wait for that at their start."""

from typing import Final

from aiohttp import web

from sidecar.config.units import Endpoint
from sidecar.web.consul import answers
from sidecar.web.consul.route import route

__all__ = ["routes"]

_SERVER_PORT: Final = 8300  # what Consul's servers speak on; nobody listens there


def routes(address: str = "127.0.0.1") -> list[web.RouteDef]:
    """Return the routes of this family; ``address`` is the node's."""
    me = str(Endpoint(address, _SERVER_PORT))

    async def leader(request: web.Request) -> web.Response:
        return answers.json(request, me)

    async def peers(request: web.Request) -> web.Response:
        return answers.json(request, [me])

    return [
        route("/v1/status/leader", store=False, GET=leader),
        route("/v1/status/peers", store=False, GET=peers),
    ]
