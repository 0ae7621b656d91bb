"""The adapters' HTTP server: expositions in the format and coding that is asked for.

A big exposition is written piece by piece; in between the loop is others', so that receiving
goes on during a scrape.
"""

import asyncio
import socket
import zlib
from collections.abc import Callable, Iterable, Sequence
from ssl import SSLContext
from typing import Any, Final, cast

from aiohttp import web

from adapter.exposition import Family, Format, negotiated, pieces
from sidecar.config.units import Endpoint
from sidecar.runtime.listen import bind
from sidecar.runtime.log import get_logger
from sidecar.runtime.overload import descriptor_limit
from sidecar.web.connection import Connection
from sidecar.web.consul.query import takes_gzip
from sidecar.web.door import Door

__all__ = ["AdapterServer", "exposed", "hosts_of"]

_log = get_logger("adapter")
_BODY: Final = 1 << 16
_GZIP_LEVEL: Final = 1
_GZIP_FORMAT: Final = 16 + zlib.MAX_WBITS
_WRITE_TIMEOUT: Final = 30_000  # milliseconds
_RESERVE: Final = 8  # descriptors, or a twentieth of them: for files and names
_SMALL: Final = 1 << 16  # characters that are answered in one go


class AdapterServer:
    """A component that serves routes on one address."""

    def __init__(
        self,
        listen: Endpoint,
        routes: Sequence[web.RouteDef],
        *,
        option: str,
        name: str = "web",
        tls: SSLContext | None = None,
        middlewares: Sequence[Any] = (),
        stops: Callable[[Callable[[], None]], None] = lambda _stop: None,
    ) -> None:
        """``option`` is what the user sets to choose another address.

        ``stops`` is told how to end the process, for routes that do.
        """
        self.name = name
        self._listen = listen
        self._routes = routes
        self._option = option
        self._tls = tls
        self._middlewares = middlewares
        self.stops_by = stops
        self.address: tuple[str, int] | None = None

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until cancelled. Raises AddressInUse."""
        app = web.Application(client_max_size=_BODY, middlewares=self._middlewares)
        app.add_routes([*self._routes, web.get("/healthz", _well), web.get("/readyz", _well)])
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1.0)
        await runner.setup()
        opened: list[tuple[socket.socket, asyncio.Server]] = []
        try:
            for host in hosts_of(self._listen):
                listening = await self._open(host, cast("web.Server", runner.server))
                opened.append(listening)
            self.address = opened[0][0].getsockname()[:2]
            _log.info("serving metrics", address=Endpoint(*self.address))
            ready()
            await asyncio.get_running_loop().create_future()
        finally:
            for _, listener in opened:
                listener.close()
            await runner.cleanup()
            for sock, _ in opened:
                sock.close()

    async def _open(self, host: str, server: web.Server) -> tuple[socket.socket, asyncio.Server]:
        loop = asyncio.get_running_loop()
        sock = bind(host, self._listen.port, kind=socket.SOCK_STREAM, option=self._option)
        # Inherited by every connection: the kernel ends one whose scrape is not taken.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _WRITE_TIMEOUT)
        most = descriptor_limit()
        door = Door(descriptors=max(0, most - max(_RESERVE, most // 20)))
        listener = await loop.create_server(
            lambda: Connection(door, server, loop=loop, access_log=None), sock=sock, ssl=self._tls
        )
        return sock, listener


def hosts_of(listen: Endpoint) -> tuple[str, ...]:
    """Return the hosts to bind; none means every address of both families, where there are two."""
    if listen.host:
        return (listen.host,)
    return ("0.0.0.0", "::") if listen.port and _has_ipv6() else ("0.0.0.0",)


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::", 0))
    except OSError:
        return False
    return True


async def _well(_: web.Request) -> web.Response:
    return web.json_response({"ready": True})  # it listens only when it is


async def exposed(request: web.Request, families: Iterable[Family]) -> web.StreamResponse:
    """Answer a scrape; families may be made while it is written."""
    form = negotiated(",".join(request.headers.getall("Accept", [])))
    is_packed = takes_gzip(request.headers.get("Accept-Encoding", ""))
    made = pieces(families, form)
    first = next(made)
    second = next(made, None)
    if second is None and len(first) < _SMALL:
        response = web.Response(body=first.encode(), headers={"Content-Type": form.content_type})
        if is_packed:
            response.enable_compression(web.ContentCoding.gzip)
        return response
    return await _streamed(request, form, [first, second or "", made], is_packed=is_packed)


async def _streamed(
    request: web.Request, form: Format, made: Iterable[str | Iterable[str]], *, is_packed: bool
) -> web.StreamResponse:
    headers = {"Content-Type": form.content_type}
    packer = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_FORMAT) if is_packed else None
    if packer is not None:
        headers["Content-Encoding"] = "gzip"
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    for part in made:
        for piece in [part] if isinstance(part, str) else part:
            data = piece.encode() if packer is None else packer.compress(piece.encode())
            if data:
                await response.write(data)
            await asyncio.sleep(0)
    if packer is not None:
        await response.write(packer.flush())
    await response.write_eof()
    return response
