"""The routes of ``adapter statsd``: metrics, health, and what ends or renews it."""

from collections.abc import Awaitable, Callable
from html import escape

from aiohttp import web

from adapter.serving import exposed
from adapter.statsd.component import Statsd
from sidecar.runtime.log import get_logger

__all__ = ["StatsdRoutes"]

_log = get_logger("statsd")
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><title>StatsD Exporter</title></head>
<body><h1>StatsD Exporter</h1><p>Statistics of StatsD's clients for Prometheus.</p>
<p><a href="{path}">Metrics</a></p></body></html>
"""


class StatsdRoutes:
    """Makes the routes; ``stops_by`` says how to end the process."""

    def __init__(self, statsd: Statsd, path: str, *, has_lifecycle: bool) -> None:
        """``path`` is that of the metrics."""
        self._statsd = statsd
        self._path = path
        self._has_lifecycle = has_lifecycle
        self._stop: Callable[[], None] = lambda: None

    def stops_by(self, stop: Callable[[], None]) -> None:
        """Keep what ends the process."""
        self._stop = stop

    def routes(self) -> list[web.RouteDef]:
        """Return all routes."""
        found = [
            web.get(self._path, self._metrics),
            web.get("/-/healthy", _saying("Statsd Exporter is Healthy.\n")),
            web.get("/-/ready", _saying("Statsd Exporter is Ready.\n")),
        ]
        if self._path != "/":
            page = _PAGE.format(path=escape(self._path))
            found.append(web.get("/", _saying(page, "text/html")))
        if self._has_lifecycle:
            for method in ("PUT", "POST"):
                found.append(web.route(method, "/-/reload", self._reload))
                found.append(web.route(method, "/-/quit", self._quit))
        return found

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        return await exposed(request, await self._statsd.families())

    async def _reload(self, request: web.Request) -> web.Response:
        _refuse_browsers(request)
        await self._statsd.reread()
        return web.Response(text="Requesting reload")

    async def _quit(self, request: web.Request) -> web.Response:
        _refuse_browsers(request)
        _log.info("asked to end by HTTP")
        self._stop()
        return web.Response(text="Requesting termination... Goodbye!")


def _saying(
    text: str, kind: str = "text/plain"
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def said(_: web.Request) -> web.Response:
        return web.Response(text=text, content_type=kind)

    return said


def _refuse_browsers(request: web.Request) -> None:
    """A page of another site could send this too."""
    if "Origin" in request.headers or "Sec-Fetch-Site" in request.headers:
        raise web.HTTPForbidden(text="not from a browser\n")
