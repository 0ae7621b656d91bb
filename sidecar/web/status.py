"""The HTTP server of a part that runs alone: health, metrics, and what else the part offers.

Unlike the whole program's it knows no catalogue.
"""

import asyncio
import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
from aiohttp import web

from sidecar import __version__
from sidecar.config.model import HttpSettings
from sidecar.config.units import endpoint
from sidecar.errors import ApiError
from sidecar.metrics import CONTENT_TYPE, exposition
from sidecar.runtime.component import Health
from sidecar.runtime.listen import bind
from sidecar.runtime.log import get_logger
from sidecar.web.guard import Guard
from sidecar.web.token import token_of

__all__ = ["PATIENCE", "StatusServer"]

PATIENCE: Final = 30.0
"""Seconds for which something may be away until the process counts as sick."""
_OPEN: Final = frozenset({"/healthz", "/readyz"})
_BODY: Final = 1 << 16
_log = get_logger("web")


class StatusServer:
    """A component that serves HTTP on one address."""

    name = "web"

    def __init__(
        self,
        settings: HttpSettings,
        *,
        health: Callable[[], Mapping[str, Health]],
        outages: Callable[[], Mapping[str, float]],
        stopping: Callable[[], bool],
        more: Iterable[web.RouteDef] = (),
    ) -> None:
        """``outages`` tells for how many seconds what we need has been away; 0: it is there."""
        self._settings = settings
        self._health = health
        self._outages = outages
        self._stopping = stopping
        self._more = tuple(more)
        self._guard = Guard()
        self.address: tuple[str, int] | None = None

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until cancelled. Raises AddressInUse and ConfigError."""
        self._guard = Guard(await asyncio.to_thread(token_of, self._settings))
        host, port = endpoint(self._settings.listen)
        sock = bind(host, port, kind=socket.SOCK_STREAM, option="-http")
        runner = web.AppRunner(self._app(), handler_cancellation=True, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.SockSite(runner, sock).start()
            self.address = sock.getsockname()[:2]
            _log.info("serving", address="{}:{}".format(*sock.getsockname()[:2]))
            ready()
            await asyncio.get_running_loop().create_future()
        finally:
            await runner.cleanup()
            sock.close()

    def _app(self) -> web.Application:
        guard = self._guard

        @web.middleware
        async def guarded(request: web.Request, handler: Any) -> web.StreamResponse:
            try:
                if request.path not in _OPEN:
                    guard.check(request.remote, request.headers, request.query)
                response: web.StreamResponse = await handler(request)
                return response
            except ApiError as error:
                return web.Response(text=str(error), status=error.status)

        app = web.Application(client_max_size=_BODY, middlewares=[guarded])
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", _metrics),
                *self._more,
            ]
        )
        return app

    async def _healthz(self, _: web.Request) -> web.Response:
        away = {name: round(seconds, 1) for name, seconds in self._outages().items() if seconds}
        healthy = all(seconds <= PATIENCE for seconds in away.values())
        body = {"alive": healthy, "version": __version__, "away": away}
        return _json(body, 200 if healthy else 503)

    async def _readyz(self, _: web.Request) -> web.Response:
        health = self._health()
        ready = not self._stopping() and all(h.ready for h in health.values())
        body = {
            "ready": ready,
            "stopping": self._stopping(),
            "components": {
                name: {"state": h.phase, "restarts": h.restarts, "trouble": h.trouble}
                for name, h in health.items()
            },
        }
        return _json(body, 200 if ready else 503)


async def _metrics(_: web.Request) -> web.Response:
    return web.Response(body=exposition(), headers={"Content-Type": CONTENT_TYPE})


def _json(body: Any, status: int) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(body), status=status, content_type="application/json"
    )
