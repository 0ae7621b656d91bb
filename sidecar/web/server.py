"""The HTTP server: health, metrics, the dashboard, and the Consul-compatible API.

Handlers only translate: what they answer comes from pure modules (``shapes``, ``page``).
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec
from aiohttp import web

from sidecar import __version__
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Snapshot
from sidecar.config.model import HttpSettings
from sidecar.config.units import endpoint
from sidecar.errors import ApiError
from sidecar.metrics import CONTENT_TYPE, counter, exposition
from sidecar.runtime.component import Health
from sidecar.runtime.listen import bind
from sidecar.runtime.log import get_logger
from sidecar.web import page, shapes
from sidecar.web.blocking import wait_for_change
from sidecar.web.consul.answers import MAX_BODY, refusal
from sidecar.web.consul.query import Wait, cleaned_path, flag

__all__ = ["WebServer"]

_requests = counter(
    "pinnace_web_requests_total", "HTTP requests by route and status", ["route", "status"]
)
_log = get_logger("web")

_CONSISTENCY: Final = {
    "X-Consul-Knownleader": "true",
    "X-Consul-Lastcontact": "0",
    "X-Consul-Effective-Consistency": "leader",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WebServer:
    """A component that serves HTTP on one address."""

    name = "web"

    def __init__(
        self,
        catalog: Catalog,
        settings: HttpSettings,
        *,
        health: Callable[[], Mapping[str, Health]],
        stopping: Callable[[], bool],
        datacenter: str,
        lb_status: Callable[[], object] = lambda: None,
        routes: Iterable[web.RouteDef] = (),
    ) -> None:
        """Answer from ``catalog``; ``health`` tells of every part, this one included.

        ``routes`` are those of the API (``sidecar.web.consul``).
        """
        self._catalog = catalog
        self._settings = settings
        self._health = health
        self._stopping = stopping
        self._datacenter = datacenter
        self._lb_status = lb_status
        self._routes = tuple(routes)
        self.address: tuple[str, int] | None = None

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until cancelled. Raises AddressInUse."""
        host, port = endpoint(self._settings.listen)
        sock = bind(host, port, kind=socket.SOCK_STREAM, option="--http")
        runner = web.AppRunner(
            self._app(), access_log=None, handler_cancellation=True, shutdown_timeout=1.0
        )
        await runner.setup()
        try:
            await web.SockSite(runner, sock).start()
            self.address = sock.getsockname()[:2]
            _log.info("serving", address="{}:{}".format(*self.address))
            ready()
            await asyncio.get_running_loop().create_future()
        finally:
            await runner.cleanup()
            sock.close()

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY, middlewares=[_counted])
        app.add_routes(
            [
                web.get("/", _to_dashboard),
                web.get("/ui/", self._page),
                web.get("/healthz", _healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", _metrics),
                web.get("/v1/catalog/services", self._catalog_services),
                web.get("/v1/health/service/{service}", self._health_service),
                web.get("/v1/pinnace/lb", self._lb),
                *self._routes,
            ]
        )
        return app

    async def _page(self, _: web.Request) -> web.Response:
        text = page.page(self._catalog.snapshot, self._health(), __version__)
        return web.Response(text=text, content_type="text/html", headers=page.HEADERS)

    async def _readyz(self, _: web.Request) -> web.Response:
        health = self._health()
        synced = self._catalog.synced
        ready = synced and not self._stopping() and all(h.ready for h in health.values())
        body = {
            "ready": ready,
            "stopping": self._stopping(),
            "catalog": {"synced": synced, "index": self._catalog.snapshot.index},
            "components": {
                name: {"state": h.phase, "restarts": h.restarts, "trouble": h.trouble}
                for name, h in health.items()
            },
        }
        return _json(body, status=200 if ready else 503)

    async def _lb(self, _: web.Request) -> web.Response:
        return _json(self._lb_status())

    async def _catalog_services(self, request: web.Request) -> web.Response:
        def index_of(snapshot: Snapshot) -> int:
            return max(1, snapshot.index)

        snapshot = await wait_for_change(self._catalog, Wait.of(request.query), index_of)
        return _indexed(shapes.catalog_services(snapshot), index_of(snapshot))

    async def _health_service(self, request: web.Request) -> web.Response:
        service = request.match_info["service"]

        def index_of(snapshot: Snapshot) -> int:
            return shapes.index_of(snapshot, service)

        passing = flag(request.query.get("passing"))
        snapshot = await wait_for_change(self._catalog, Wait.of(request.query), index_of)
        body = shapes.health_service(
            snapshot,
            service,
            datacenter=self._datacenter,
            tags=request.query.getall("tag", []),
            passing=passing,
        )
        return _indexed(body, index_of(snapshot))


@web.middleware
async def _counted(request: web.Request, handler: Handler) -> web.StreamResponse:
    status = 500
    try:
        response = _redirected(request) or await handler(request)
        status = response.status
        return response
    except ApiError as error:
        status = error.status
        return refusal(error)
    except web.HTTPException as error:
        status = error.status
        if status == 404 and request.path.startswith("/v1/"):
            return web.Response(status=404)  # Consul answers an unknown path with an empty body
        raise
    finally:
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "other"
        _requests.labels(route, status).inc()


def _redirected(request: web.Request) -> web.Response | None:
    """Send doubled slashes and dots to the clean path, as Go's mux does."""
    path = request.path
    if not path.startswith("/v1/") or ("//" not in path and "/." not in path):
        return None
    clean = cleaned_path(path)
    if clean == path:
        return None
    raw = request.rel_url.raw_query_string
    query = f"?{raw}" if raw else ""
    return web.Response(status=301, headers={"Location": quote(clean) + query})


async def _to_dashboard(_: web.Request) -> web.Response:
    return web.Response(status=301, headers={"Location": "/ui/"})


async def _healthz(_: web.Request) -> web.Response:
    return _json({"alive": True, "version": __version__})


async def _metrics(_: web.Request) -> web.Response:
    return web.Response(body=exposition(), headers={"Content-Type": CONTENT_TYPE})


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(body), status=status, content_type="application/json"
    )


def _indexed(body: Any, index: int) -> web.Response:
    response = _json(body)
    response.headers.update(_CONSISTENCY, **{"X-Consul-Index": str(index)})
    return response
