"""The drop-ins' metrics, health and readiness over HTTP, in the plainest way there is.

One request per connection, bounded in size and time; nothing of a request but its path is used.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from sidecar.config.units import Endpoint
from sidecar.metrics import CONTENT_TYPE, exposition
from sidecar.runtime.listen import bind

__all__ = ["telemetry"]

_LIMIT: Final = 8192
_TIME: Final = 5.0
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
    answer = _Answers(trouble).answer
    async with await asyncio.start_server(answer, sock=sock, limit=_LIMIT):
        yield


class _Answers:
    def __init__(self, trouble: Callable[[], Sequence[str]]) -> None:
        self._trouble = trouble

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(
            OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError
        ):
            async with asyncio.timeout(_TIME):
                head = await reader.readuntil(b"\r\n\r\n")
                words = head.split(b"\r\n", 1)[0].split(b" ")
                path = words[1].split(b"?")[0] if len(words) == 3 else b""
                writer.write(self._response(path))
                await writer.drain()
        writer.close()

    def _response(self, path: bytes) -> bytes:
        if path == b"/metrics":
            return _whole("200 OK", CONTENT_TYPE, exposition())
        if path == b"/healthz":
            return _whole("200 OK", _JSON, b'{"status":"alive"}')
        if path == b"/readyz":
            trouble = list(self._trouble())
            status = "503 Service Unavailable" if trouble else "200 OK"
            return _whole(status, _JSON, json.dumps({"trouble": trouble}).encode())
        return _whole("404 Not Found", "text/plain", b"not found\n")


def _whole(status: str, kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + body
