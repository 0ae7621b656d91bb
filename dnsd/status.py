"""The small HTTP server of ``dnsd`` alone: metrics, health, and why an answer is what it is."""

import asyncio
import json
import socket
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from dnsd.connections import Connections, Limits
from dnsd.http import HttpConnection, Respond
from dnsd.httpwire import Request, Response
from sidecar import __version__
from sidecar.config.units import Endpoint
from sidecar.metrics import CONTENT_TYPE, exposition
from sidecar.runtime.clock import Clock
from sidecar.runtime.component import Health
from sidecar.runtime.listen import bind
from sidecar.runtime.log import get_logger

__all__ = ["StatusServer"]

_log = get_logger("web")
_JSON: Final = "application/json"


class StatusServer:
    """A component that serves HTTP on one address."""

    name = "web"

    def __init__(
        self,
        at: Endpoint,
        clock: Clock,
        *,
        health: Callable[[], Mapping[str, Health]],
        dig: Callable[[str, str], Mapping[str, Any]],
        is_read: Callable[[], bool],
    ) -> None:
        """``is_read``: whether the catalogue has been read at least once."""
        self._at = at
        self._clock = clock
        self._health = health
        self._dig = dig
        self._is_read = is_read
        self.address = at

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until cancelled. Raises AddressInUse."""
        connections = Connections(self._clock, Limits(idle=60.0, connections=64))
        sock = bind(*self._at, kind=socket.SOCK_STREAM, option="--http")
        self.address = Endpoint(self._at.host, sock.getsockname()[1])
        server = await asyncio.get_running_loop().create_server(
            lambda: HttpConnection(self._handle, connections), sock=sock
        )
        _log.info("serving", address=str(self.address))
        try:
            ready()
            await connections.sweep()
        finally:
            server.close()
            await connections.close()

    def _handle(self, request: Request, _: str, respond: Respond) -> None:
        path, _, query = request.target.partition("?")
        if request.method not in {"GET", "HEAD"}:
            response = Response(405, headers=(("Allow", "GET, HEAD"),))
        elif path == "/metrics":
            response = Response(200, exposition(), CONTENT_TYPE)
        elif path in {"/health", "/healthz"}:
            response = _json(200, {"alive": True, "version": __version__})
        elif path in {"/ready", "/readyz"}:
            response = self._ready()
        elif path == "/v1/pinnace/dig":
            response = self._dug(dict(parse_qsl(query)))
        else:
            response = Response(404)
        respond(response._replace(body=b"") if request.method == "HEAD" else response)

    def _ready(self) -> Response:
        health = self._health()
        parts = {
            name: {"state": h.phase, "restarts": h.restarts, "trouble": h.trouble}
            for name, h in health.items()
        }
        # A store that is away does not make us unready: answers go on from memory.
        ready = self._is_read() and parts["dnsd"]["state"] == "ready"
        return _json(200 if ready else 503, {"ready": ready, "components": parts})

    def _dug(self, asked: Mapping[str, str]) -> Response:
        try:
            return _json(200, self._dig(asked.get("name", ""), asked.get("type", "A")))
        except ValueError as error:
            return Response(400, str(error).encode())


def _json(status: int, body: Mapping[str, Any]) -> Response:
    return Response(status, json.dumps(body).encode(), _JSON)
