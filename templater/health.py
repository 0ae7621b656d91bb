"""The drop-ins' metrics, health and readiness over HTTP."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from sidecar.config.units import Endpoint
from sidecar.metrics import CONTENT_TYPE, exposition
from sidecar.runtime.listen import bind
from sidecar.web.lean.request import MOST_HEAD, Request
from sidecar.web.lean.server import Answer, Exchanges, Handler, routed

__all__ = ["telemetry"]

_JSON: Final = "application/json"


@asynccontextmanager
async def telemetry(
    address: Endpoint | None, trouble: Callable[[], Sequence[str]]
) -> AsyncIterator[None]:
    """Answer ``/metrics``, ``/healthz`` and ``/readyz`` while this is open; None: nowhere.

    ``trouble`` says what is wrong, a line each. Raises AddressInUse.
    """
    if address is None:
        yield
        return
    host, port = address
    sock = bind(host, port, kind=socket.SOCK_STREAM, option="--metrics-addr")
    exchanges = Exchanges(_answering(trouble))
    # No group of tasks: what is raised inside has to come out as it is.
    server = await asyncio.start_server(exchanges.connection, sock=sock, limit=MOST_HEAD)
    async with server:
        try:
            yield
        finally:
            server.close()
            await exchanges.end()


def _answering(trouble: Callable[[], Sequence[str]]) -> Handler:
    async def metrics(_: Request) -> Answer:
        return Answer(200, exposition(), CONTENT_TYPE)

    async def alive(_: Request) -> Answer:
        return Answer(200, b'{"status":"alive"}', _JSON)

    async def ready(_: Request) -> Answer:
        found = list(trouble())
        return Answer(503 if found else 200, json.dumps({"trouble": found}).encode(), _JSON)

    return routed({"/metrics": metrics, "/healthz": alive, "/readyz": ready})
