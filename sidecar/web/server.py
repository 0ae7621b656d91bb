"""The HTTP server: health, metrics, the dashboard, and the Consul-compatible API.

Handlers only translate: what they answer comes from pure modules (``shapes``, ``page``).
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import cache
from html import escape
from math import inf
from ssl import SSLContext
from typing import Any, Final, cast
from urllib.parse import quote

import msgspec
from aiohttp import web

from sidecar import __version__
from sidecar.catalog.live import Catalog
from sidecar.config.model import HttpSettings
from sidecar.errors import ApiError
from sidecar.metrics import CONTENT_TYPE, counter, exposition
from sidecar.runtime.component import Health
from sidecar.runtime.log import get_logger
from sidecar.runtime.overload import Action, descriptor_limit
from sidecar.web import page
from sidecar.web.connection import HEAD_LIMIT, Connection
from sidecar.web.consul.answers import MAX_BODY, refusal
from sidecar.web.consul.query import Wait, cleaned_path
from sidecar.web.door import Door, Short
from sidecar.web.entrance import Entrance, address_of, entrance_of
from sidecar.web.guard import Guard
from sidecar.web.late import LateRoutes, Load

__all__ = ["WebServer"]

_requests = counter(
    "pinnace_web_requests_total", "HTTP requests by route and status", ["route", "status"]
)
_log = get_logger("web")

_OPEN: Final = frozenset({"/healthz", "/readyz"})
_WRITE_TIMEOUT: Final = 30.0
_SHORT_WAIT: Final = 5.0
_RESERVE: Final = 8  # descriptors, or a twentieth of them: for files, checks, names
_BLOCKING: Final = frozenset({"index", "hash"})
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
        lb_status: Callable[[], Awaitable[object]] | None = None,
        api: Load | None = None,
        names: frozenset[str] = frozenset(),
        write_timeout: float = _WRITE_TIMEOUT,
        short: Short = lambda _target, _gzip: None,
        more: Iterable[web.RouteDef] = (),
        dashboard: Callable[[], str] | None = None,
        entrance: Entrance | None = None,
    ) -> None:
        """Answer from ``catalog``; ``health`` tells of every part, this one included.

        ``api`` loads the routes below ``/v1`` when one is asked for first; ``short`` answers what
        needs no parsing (``sidecar.web.connection``). ``names`` are domains and hosts by which
        browsers may call us. Who does not read for ``write_timeout`` is cut off. ``more`` are
        routes of other parts, ``dashboard`` shows another page. ``entrance`` is where to listen
        and whom to trust, if not as ``settings`` say.
        """
        self._catalog = catalog
        self._settings = settings
        self._health = health
        self._stopping = stopping
        self._lb_status = lb_status
        self._api = api
        self._names = names
        self._write_timeout = write_timeout
        self._more = tuple(more)
        self._dashboard = dashboard or self._own_page
        self._entrance = entrance
        self._guard = Guard()
        self._door = Door(settings.max_connections, short, _count, settings.max_waiting)
        self._shows_page = True
        self._listener: asyncio.Server | None = None
        self.address: tuple[str, int] | None = None

    def shed(self, actions: frozenset[Action]) -> None:
        """Do less: exactly what these say, until told otherwise."""
        self._shows_page = Action.NO_DASHBOARD not in actions
        self._door.longest = _SHORT_WAIT if Action.SHORT_WAITS in actions else inf
        self._door.takes_waits = Action.NO_WAITS not in actions
        self._door.takes_connections = Action.NO_CONNECTIONS not in actions

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until cancelled. Raises AddressInUse and ConfigError."""
        most = descriptor_limit()
        self._door.descriptors = max(0, most - max(_RESERVE, most // 20))
        entrance = self._entrance
        if entrance is None:
            entrance = await asyncio.to_thread(entrance_of, self._settings)
        self._guard = Guard(entrance.token, self._names, trusts_loopback=entrance.trusts_loopback)
        sock = await asyncio.to_thread(entrance.open)
        if sock.family != socket.AF_UNIX:
            # Inherited by every connection. The kernel ends one whose data is not taken, and with
            # it the handler: no timer per response is needed.
            limit = round(self._write_timeout * 1000)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, limit)
        runner = web.AppRunner(self._app(), handler_cancellation=True, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await self._listen(cast("web.Server", runner.server), sock, entrance.tls)
            _log.info("serving", address=address_of(sock))
            ready()
            await asyncio.get_running_loop().create_future()
        finally:
            if self._listener is not None:
                self._listener.close()
            await runner.cleanup()
            sock.close()

    async def _listen(
        self, server: web.Server, sock: socket.socket, tls: SSLContext | None
    ) -> None:
        loop = asyncio.get_running_loop()

        def connection() -> Connection:
            return Connection(self._door, server, loop=loop, access_log=None)

        if sock.family == socket.AF_UNIX:
            self._listener = await loop.create_unix_server(connection, sock=sock)
            return
        self._listener = await loop.create_server(connection, sock=sock, ssl=tls)
        self.address = sock.getsockname()[:2]

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY, middlewares=[self._middleware])
        app.add_routes(
            [
                *self._more,  # first: one for "/" is stronger than ours
                web.get("/ui/", self._page),
                web.get("/", _to_dashboard),
                web.get("/healthz", _healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", _metrics),
                web.get("/v1/pinnace/lb", self._lb),
            ]
        )
        if self._api is not None:
            app.router.register_resource(LateRoutes("/v1", self._api))
        return app

    @property
    def _middleware(self) -> Any:  # aiohttp's own type for it is not exported
        """Guard, clean paths, count: the one thing around every handler."""
        guard = self._guard
        waits = self._with_limit

        @web.middleware
        async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
            status = 500
            try:
                path = request.path
                if path not in _OPEN:
                    _check_head(request)
                    guard.check(request.remote, request.headers, request.query)
                    cast("Connection", request.protocol).approve(request)
                response = _redirected(request, path) or await waits(request, handler)
                status = response.status
                return response
            except ApiError as error:
                status = error.status
                return refusal(error)
            except web.HTTPException as error:
                status = error.status
                if status == 404 and request.path.startswith(("/v1/", "/v2/")):
                    return web.Response(status=404)  # as Consul answers an unknown path
                raise
            finally:
                _count(_route_of(request), status)

        return counted

    async def _with_limit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse a blocking query when as many as may wait do."""
        if not request.query_string or _BLOCKING.isdisjoint(request.query):
            return await handler(request)
        door = self._door
        if not door.has_room:
            raise ApiError(429, "too many blocking queries (http.max_waiting), or too little room")
        door.waiting += 1
        try:
            return await handler(_shortened(request, door.longest))
        finally:
            door.waiting -= 1

    async def _page(self, _: web.Request) -> web.Response:
        if not self._shows_page:
            raise ApiError(503, "overloaded: no dashboard for now")
        text = self._dashboard()
        return web.Response(text=text, content_type="text/html", headers=page.HEADERS)

    def _own_page(self) -> str:
        return page.page(self._catalog.snapshot, self._health(), __version__)

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
        return _json(None if self._lb_status is None else await self._lb_status())


def _shortened(request: web.Request, longest: float) -> web.Request:
    """Return the request with a shorter wait, if it asks for a longer one."""
    try:
        if Wait.of(request.query).seconds <= longest:
            return request
    except ApiError:
        return request  # its handler says the same
    return request.clone(rel_url=request.rel_url.update_query(wait=f"{longest:g}s"))


def _route_of(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "other"


@cache
def _counter(route: str, status: int) -> Callable[[], None]:
    return _requests.labels(route, status).inc


def _count(route: str, status: int) -> None:
    _counter(route, status)()


def _check_head(request: web.Request) -> None:
    size = sum(len(name) + len(value) + 4 for name, value in request.raw_headers)
    if size + len(request.raw_path) > HEAD_LIMIT:
        raise ApiError(431, f"request line and headers are longer than {HEAD_LIMIT} bytes")


def _redirected(request: web.Request, path: str) -> web.Response | None:
    """Send doubled slashes and dots to the clean path, as Go's mux does."""
    if not path.startswith("/v1/") or ("//" not in path and "/." not in path):
        return None
    clean = cleaned_path(path)
    if clean == path:
        return None
    raw = request.rel_url.raw_query_string
    location = quote(clean) + (f"?{raw}" if raw else "")
    text = f'<a href="{escape(location)}">Moved Permanently</a>.\n\n'
    if request.method != "GET":
        return web.Response(status=301, headers={"Location": location})
    headers = {"Location": location, "Content-Type": "text/html; charset=utf-8"}
    return web.Response(status=301, headers=headers, text=text)


async def _to_dashboard(_: web.Request) -> web.Response:
    return web.Response(status=301, headers={"Location": "/ui/"})


async def _healthz(_: web.Request) -> web.Response:
    return _json({"alive": True, "version": __version__})


async def _metrics(_: web.Request) -> web.Response:
    body = await asyncio.to_thread(exposition)  # the first time it imports what writes it
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(body), status=status, content_type="application/json"
    )
