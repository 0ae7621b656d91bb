"""``/v1/catalog`` writes, and what of the catalogue never waits."""

from typing import Any, Final

from aiohttp import web

from sidecar.catalog.entries import deregister, register
from sidecar.errors import ApiError
from sidecar.web.consul import answers, refused
from sidecar.web.consul.bodies import CATALOG_DEREGISTER, CATALOG_REGISTER, registration
from sidecar.web.consul.commands import Store
from sidecar.web.consul.decode import decode
from sidecar.web.consul.query import checked, read_options
from sidecar.web.consul.route import Handler, route
from sidecar.web.consul.view import Local

__all__ = ["routes"]

_TOO_LARGE: Final = "Request body({size} bytes) too large, max size: {most} bytes."


def routes(store: Store, local: Local) -> list[web.RouteDef]:
    """Return the routes."""
    return [
        route("/v1/catalog/register", PUT=_register(store, local.datacenter)),
        route("/v1/catalog/deregister", PUT=_deregister(store, local.datacenter)),
        route("/v1/catalog/datacenters", store=False, GET=_constant([local.datacenter])),
        route(
            "/v1/query",
            GET=_indexed([], local.datacenter, consistency="leader"),
            POST=refused.not_served,
        ),
    ]


def _register(store: Store, datacenter: str) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        checked(request.query, datacenter)
        body = decode(CATALOG_REGISTER, await answers.body_of(request, _TOO_LARGE))
        _refuse_elsewhere(body, datacenter)
        await store.commit(register(store.catalog.snapshot, registration(body)))
        return answers.json(request, body=True)

    return handler


def _deregister(store: Store, datacenter: str) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        checked(request.query, datacenter)
        body = decode(CATALOG_DEREGISTER, await answers.body_of(request, _TOO_LARGE))
        _refuse_elsewhere(body, datacenter)
        node = body.get("Node", "")
        if not node:
            raise ApiError(500, "Must provide node")
        changes = deregister(
            store.catalog.snapshot, node, body.get("ServiceID", ""), body.get("CheckID", "")
        )
        if changes:
            await store.commit(changes)
        return answers.json(request, body=True)

    return handler


def _refuse_elsewhere(body: dict[str, Any], datacenter: str) -> None:
    if body.get("Datacenter", "") not in {"", datacenter}:
        raise ApiError(500, "No path to datacenter")


def _constant(body: Any) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        return answers.json(request, body)

    return handler


def _indexed(body: Any, datacenter: str, consistency: str = "") -> Handler:
    async def handler(request: web.Request) -> web.Response:
        read_options(request.query, datacenter)
        return answers.indexed(answers.json(request, body), 1, consistency=consistency)

    return handler
