"""The HTTP side: metrics of all targets or of one, a list of targets, and who may ask."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from aiohttp import web

from adapter.jmx.component import Jmx
from adapter.jmx.passwords import credentials_in, is_right
from adapter.jmx.settings import Password
from adapter.serving import exposed

__all__ = ["guard", "routes"]

_MARGIN: Final = 0.5  # seconds of the scraper's own limit that are left for writing
_TIMEOUT: Final = "X-Prometheus-Scrape-Timeout-Seconds"
_MOST_KNOWN: Final = 100

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def routes(jmx: Jmx, path: str) -> Sequence[web.RouteDef]:
    """Return the routes."""

    async def metrics(request: web.Request) -> web.StreamResponse:
        limit = _limit(request.headers.get(_TIMEOUT, ""))
        asked = request.query.get("target")
        if asked is None:
            return await exposed(request, await jmx.everything(limit))
        name = jmx.named(asked)
        if name is None:
            known = ", ".join(jmx.names) or "none"
            return web.Response(status=404, text=f"no such target; there are: {known}\n")
        return await exposed(request, await jmx.only(name, limit))

    async def targets(request: web.Request) -> web.Response:
        """List the targets as Prometheus' http_sd wants them."""
        return web.json_response(
            [
                {
                    "targets": [request.host],
                    "labels": {
                        "__metrics_path__": path,
                        "__param_target": name,
                        "instance": name,
                    },
                }
                for name in jmx.names
            ]
        )

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=f"JMX to Prometheus: see {path}, {path}?target=NAME, /targets\n")

    found = [
        web.get(path, metrics),
        web.get("/-/healthy", _healthy),
        web.get("/targets", targets),
    ]
    return found if path == "/" else [*found, web.get("/", page)]


async def _healthy(_: web.Request) -> web.Response:
    return web.Response(text="Exporter is healthy.\n")


def _limit(header: str) -> float | None:
    try:
        seconds = float(header)
    except ValueError:
        return None
    return max(0.1, seconds - _MARGIN) if 0 < seconds < 3600 else None


def guard(asked: Password) -> Any:  # aiohttp's own type for it is not exported
    """Return what lets only those in who know the password."""
    known: set[bytes] = set()

    async def may_pass(header: str) -> bool:
        found = credentials_in(header)
        if found is None:
            return False
        mark = hashlib.sha256(header.encode()).digest()
        if mark in known:
            return True
        is_known = await asyncio.to_thread(is_right, asked, *found)
        if is_known and len(known) < _MOST_KNOWN:
            known.add(mark)
        return is_known

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not await may_pass(request.headers.get("Authorization", "")):
            headers = {"WWW-Authenticate": 'Basic realm="metrics"'}
            return web.Response(status=401, text="name and password, please\n", headers=headers)
        return await handler(request)

    return guarded
