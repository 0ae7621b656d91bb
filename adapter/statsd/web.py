"""The routes of ``adapter statsd``: metrics, health, and what ends or renews it."""

from collections.abc import Callable
from html import escape
from typing import Final

from adapter.serving import exposed
from adapter.statsd.component import Statsd
from sidecar.runtime.log import get_logger
from sidecar.web.lean.request import Request
from sidecar.web.lean.server import Answer, Handler, routed

__all__ = ["StatsdRoutes"]

_log = get_logger("statsd")
_FORBIDDEN: Final = Answer(403, b"not from a browser\n")
_PAGE: Final = """<!DOCTYPE html>
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

    def routes(self) -> Handler:
        """Return what answers requests."""
        gets = {
            "/": _saying(_PAGE.format(path=escape(self._path)), "text/html; charset=utf-8"),
            "/-/healthy": _saying("Statsd Exporter is Healthy.\n"),
            "/-/ready": _saying("Statsd Exporter is Ready.\n"),
            self._path: self._metrics,
        }
        posts = {"/-/reload": self._reload, "/-/quit": self._quit}
        return routed(gets, posts if self._has_lifecycle else {})

    async def _metrics(self, request: Request) -> Answer:
        return exposed(request, await self._statsd.families())

    async def _reload(self, request: Request) -> Answer:
        if _is_browser(request):
            return _FORBIDDEN
        await self._statsd.reread()
        return Answer(200, b"Requesting reload")

    async def _quit(self, request: Request) -> Answer:
        if _is_browser(request):
            return _FORBIDDEN
        _log.info("asked to end by HTTP")
        self._stop()
        return Answer(200, b"Requesting termination... Goodbye!")


def _saying(text: str, kind: str = "text/plain; charset=utf-8") -> Handler:
    async def said(_: Request) -> Answer:
        return Answer(200, text.encode(), kind)

    return said


def _is_browser(request: Request) -> bool:
    """Say whether a page of another site could have sent this."""
    return "origin" in request.headers or "sec-fetch-site" in request.headers
