"""The HTTP server: health, metrics, the dashboard, and the Consul-compatible API.

Handlers only translate: what they answer comes from pure modules (``shapes``, ``page``).
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
from aiohttp import web

from sidecar import __version__
from sidecar.catalog.live import Catalog
from sidecar.catalog.model import Snapshot
from sidecar.config.model import HttpSettings
from sidecar.config.units import endpoint
from sidecar.metrics import CONTENT_TYPE, counter, exposition
from sidecar.runtime.component import Health
from sidecar.runtime.listen import bind
from sidecar.runtime.log import get_logger
from sidecar.web import page, shapes
from sidecar.web.blocking import BadQuery, Wait, wait_for_change

__all__ = ["WebServer"]

_requests = counter(
    "pinnace_web_requests_total", "HTTP requests by route and status", ["route", "status"]
)
_log = get_logger("web")

_MAX_BODY: Final = 512 * 1024
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
    ) -> None:
        """Answer from ``catalog``; ``health`` tells of every part, this one included."""
        self._catalog = catalog
        self._settings = settings
        self._health = health
        self._stopping = stopping
        self._datacenter = datacenter
        self._lb_status = lb_status
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
        app = web.Application(client_max_size=_MAX_BODY, middlewares=[_counted])
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

        passing = _flag(request.query.get("passing"))
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
        response = await handler(request)
        status = response.status
        return response
    except BadQuery as error:
        status = 400
        return web.Response(text=str(error), status=400)
    except web.HTTPException as error:
        status = error.status
        if status == 404 and request.path.startswith("/v1/"):
            return web.Response(status=404)  # Consul answers an unknown path with an empty body
        raise
    finally:
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "other"
        _requests.labels(route, status).inc()


async def _to_dashboard(_: web.Request) -> web.Response:
    return web.Response(status=301, headers={"Location": "/ui/"})


async def _healthz(_: web.Request) -> web.Response:
    return _json({"alive": True, "version": __version__})


async def _metrics(_: web.Request) -> web.Response:
    return web.Response(body=exposition(), headers={"Content-Type": CONTENT_TYPE})


def _flag(value: str | None) -> bool:
    """Read ``?passing``: present, empty or true filters, false does not."""
    match (value or "true").lower() if value is not None else "false":
        case "true" | "1" | "t":
            return True
        case "false" | "0" | "f":
            return False
        case _:
            raise BadQuery("Invalid value for ?passing")


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(body), status=status, content_type="application/json"
    )


def _indexed(body: Any, index: int) -> web.Response:
    response = _json(body)
    response.headers.update(_CONSISTENCY, **{"X-Consul-Index": str(index)})
    return response
