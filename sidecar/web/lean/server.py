"""A server for scrapes and probes: whole answers, gzip, no bodies; small enough for a sidecar.

aiohttp would be a third of such a process's memory (docs/decisions/0031-a-server-of-two-pages.md).
"""

import asyncio
import gzip
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from sidecar.config.units import Endpoint
from sidecar.runtime.listen import bind
from sidecar.runtime.log import get_logger
from sidecar.web.lean.request import MOST_HEAD, Request, head_of, read_head

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = ["Answer", "Exchanges", "Handler", "Server"]

_IDLE: Final = 75.0  # seconds until a kept connection is closed: Prometheus asks each minute
_HEAD: Final = 10.0  # to send a head that has begun
_WRITE: Final = 30.0
_MOST_CONNECTIONS: Final = 100
_GZIP_LEVEL: Final = 1
_WORTH_PACKING: Final = 1024

_READS: Final = frozenset({"GET", "HEAD"})
_log = get_logger("http")


class Answer(NamedTuple):
    """What is sent back."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {"Content-Type": "text/plain; charset=utf-8"}


Handler = Callable[[Request], Awaitable[Answer]]


class Server:
    """A component that answers GET on one address."""

    name = "http"

    def __init__(self, listen: Endpoint, handler: Handler, tls: "SSLContext | None" = None) -> None:
        """``handler`` answers every request; what it raises is logged and answered by 500."""
        self._listen = listen
        self._exchanges = Exchanges(handler)
        self._tls = tls
        self.address: tuple[str, int] | None = None

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until cancelled. Raises AddressInUse."""
        sockets = [
            bind(host, self._listen.port, kind=socket.SOCK_STREAM, option="the first argument:")
            for host in _hosts(self._listen)
        ]
        try:
            async with asyncio.TaskGroup() as group:

                def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                    talk = self._exchanges.connection(reader, writer)
                    group.create_task(talk, name="connection")

                for sock in sockets:
                    server = await asyncio.start_server(
                        met, sock=sock, limit=MOST_HEAD, ssl=self._tls
                    )
                    group.create_task(server.serve_forever(), name="accept")
                self.address = sockets[0].getsockname()[:2]
                _log.info("serving metrics", address=Endpoint(*self.address))
                ready()
        finally:
            for sock in sockets:
                sock.close()


class Exchanges:
    """Answers the requests on connections that somebody takes."""

    def __init__(self, handler: Handler, methods: frozenset[str] = _READS) -> None:
        """``handler`` answers every request; what it raises is logged and answered by 500."""
        self._handler = handler
        self._methods = methods
        self._open = 0

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        self._open += 1
        try:
            if self._open <= _MOST_CONNECTIONS:
                while await self._exchange(reader, writer):
                    pass
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client is gone, or is none
        except Exception:  # noqa: BLE001 - the guard of one connection
            _log.exception("connection broke")
        finally:
            self._open -= 1
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; say whether another may follow."""
        async with asyncio.timeout(_IDLE):
            first = await reader.readexactly(1)
        async with asyncio.timeout(_HEAD):
            rest = await reader.readuntil(b"\r\n\r\n")
        stays, is_packed, with_body = False, False, True
        try:
            request = read_head((first + rest)[:-4])
        except ValueError as error:
            answer = Answer(400, f"{error}\n".encode())
        else:
            stays, with_body = request.stays, request.method != "HEAD"
            is_packed = _takes_gzip(request.header("accept-encoding"))
            answer = await self._answered(request)
        await _sent(writer, answer, stays=stays, is_packed=is_packed, with_body=with_body)
        return stays

    async def _answered(self, request: Request) -> Answer:
        if request.method not in self._methods:
            allowed = ", ".join(sorted(self._methods))
            return Answer(405, f"only {allowed}\n".encode(), {"Allow": allowed})
        try:
            return await self._handler(request)
        except Exception:  # noqa: BLE001 - the guard of one connection
            _log.exception("request broke", path=request.path)
            return Answer(500, b"this is a fault of the program; see its log\n")


async def _sent(
    writer: asyncio.StreamWriter, answer: Answer, *, stays: bool, is_packed: bool, with_body: bool
) -> None:
    body, headers = answer.body, dict(answer.headers)
    if is_packed and len(body) >= _WORTH_PACKING:
        body = await asyncio.to_thread(gzip.compress, body, _GZIP_LEVEL)
        headers["Content-Encoding"] = "gzip"
    headers["Content-Length"] = str(len(body))
    headers["Connection"] = "keep-alive" if stays else "close"
    writer.write(head_of(answer.status, headers) + (body if with_body else b""))
    async with asyncio.timeout(_WRITE):
        await writer.drain()


def _takes_gzip(accepted: str) -> bool:
    for part in accepted.lower().split(","):
        name, _, quality = part.partition(";")
        if name.strip() in {"gzip", "*"}:
            return quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _hosts(listen: Endpoint) -> tuple[str, ...]:
    """Return the hosts to bind; none means every address of both families, where there are two."""
    if listen.host:
        return (listen.host,)
    with suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        probe.bind(("::", 0))
        return ("0.0.0.0", "::") if listen.port else ("0.0.0.0",)
    return ("0.0.0.0",)
