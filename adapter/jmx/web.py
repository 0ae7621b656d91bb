"""The HTTP side: metrics of all targets or of one, a list of targets, and who may ask."""

import asyncio
import hashlib
import json
from typing import Final

from adapter.jmx.component import Jmx
from adapter.jmx.passwords import credentials_in, is_right
from adapter.jmx.settings import Http, Password
from adapter.serving import exposed
from sidecar.web.lean.request import Request
from sidecar.web.lean.server import Answer, routed

__all__ = ["Pages"]

_MARGIN: Final = 0.5  # seconds of the scraper's own limit that are left for writing
_TIMEOUT: Final = "x-prometheus-scrape-timeout-seconds"
_MOST_KNOWN: Final = 100


class Pages:
    """Answers requests."""

    def __init__(self, jmx: Jmx, http: Http) -> None:
        """Ask ``jmx`` for metrics; ``http`` says where they are and who may see them."""
        self._jmx = jmx
        self._path = http.path
        self._guard = None if http.basic is None else _Guard(http.basic)
        self._routes = routed(
            {
                "/": self._page,
                "/-/healthy": _healthy,
                "/targets": self._targets,
                http.path: self._metrics,
            }
        )

    async def answer(self, request: Request) -> Answer:
        """Return the answer to a request."""
        if self._guard is not None and not await self._guard.lets(request.header("authorization")):
            headers = {"WWW-Authenticate": 'Basic realm="metrics"'}
            return Answer(401, b"name and password, please\n", headers=headers)
        return await self._routes(request)

    async def _page(self, _: Request) -> Answer:
        path = self._path
        text = f"JMX to Prometheus: see {path}, {path}?target=NAME and /targets\n"
        return Answer(200, text.encode())

    async def _metrics(self, request: Request) -> Answer:
        limit = _limit(request.header(_TIMEOUT))
        asked = request.asked("target")
        if not asked:
            return exposed(request, await self._jmx.everything(limit))
        name = self._jmx.named(asked[-1])
        if name is None:
            known = ", ".join(self._jmx.names) or "none"
            return Answer(404, f"no such target; there are: {known}\n".encode())
        return exposed(request, await self._jmx.only(name, limit))

    async def _targets(self, request: Request) -> Answer:
        """List the targets as Prometheus' http_sd wants them."""
        host = request.header("host")
        found = [
            {
                "targets": [host],
                "labels": {
                    "__metrics_path__": self._path,
                    "__param_target": name,
                    "instance": name,
                },
            }
            for name in self._jmx.names
        ]
        return Answer(200, json.dumps(found).encode(), "application/json")


async def _healthy(_: Request) -> Answer:
    return Answer(200, b"Exporter is healthy.\n")


def _limit(header: str) -> float | None:
    try:
        seconds = float(header)
    except ValueError:
        return None
    return max(0.1, seconds - _MARGIN) if 0 < seconds < 3600 else None


class _Guard:
    """Lets only those in who know the password; a derived hash is computed once per password."""

    def __init__(self, asked: Password) -> None:
        self._asked = asked
        self._known: set[bytes] = set()

    async def lets(self, header: str) -> bool:
        found = credentials_in(header)
        if found is None:
            return False
        mark = hashlib.sha256(header.encode()).digest()
        if mark in self._known:
            return True
        is_known = await asyncio.to_thread(is_right, self._asked, *found)
        if is_known and len(self._known) < _MOST_KNOWN:
            self._known.add(mark)
        return is_known
