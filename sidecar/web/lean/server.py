"""A small HTTP server: whole answers or pieces, gzip, no bodies; small enough to stand beside
every program (docs/decisions/0031-a-server-of-two-pages.md).

A big exposition is made and written piece by piece; in between the loop is others', so that
receiving goes on during a scrape, and no scrape is in memory as a whole.
"""

import asyncio
import socket
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from sidecar.config.units import Endpoint
from sidecar.runtime.listen import bind
from sidecar.runtime.log import get_logger
from sidecar.runtime.overload import descriptor_limit
from sidecar.web.lean.request import MOST_HEAD, Request, head_of, read_head, takes_gzip

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = ["Answer", "Exchanges", "Handler", "LeanServer", "hosts_of", "routed"]

_log = get_logger("web")
_IDLE: Final = 75.0  # seconds until a kept connection is closed: Prometheus asks each minute
_HEAD: Final = 10.0  # to send a head that has begun
_WRITE: Final = 30.0
_MOST_CONNECTIONS: Final = 100
_RESERVE: Final = 16  # descriptors for everything else
_GZIP_LEVEL: Final = 1
_GZIP_FORMAT: Final = 16 + zlib.MAX_WBITS
_WORTH_PACKING: Final = 1024
_GONE: Final = (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


class Answer(NamedTuple):
    """What is sent back: ``body``, and whatever ``more`` gives while it is sent."""

    status: int
    body: bytes = b""
    kind: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = {}
    more: Iterable[str] | None = None


Handler = Callable[[Request], Awaitable[Answer]]


class LeanServer:
    """A component that answers requests on one address."""

    def __init__(
        self,
        listen: Endpoint,
        handler: Handler,
        *,
        option: str,
        name: str = "web",
        tls: "SSLContext | None" = None,
        stops: Callable[[Callable[[], None]], None] = lambda _stop: None,
    ) -> None:
        """``handler`` answers every request; what it raises is logged and answered by 500.

        ``option`` is what the user sets to choose another address. ``stops`` is told how to end
        the process, for handlers that do.
        """
        self.name = name
        self._listen = listen
        self._exchanges = Exchanges(handler)
        self._option = option
        self._tls = tls
        self.stops_by = stops
        self.address: tuple[str, int] | None = None

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until cancelled. Raises AddressInUse."""
        sockets = [
            bind(host, self._listen.port, kind=socket.SOCK_STREAM, option=self._option)
            for host in hosts_of(self._listen)
        ]
        try:
            async with asyncio.TaskGroup() as group:

                def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                    talk = self._exchanges.connection(reader, writer)
                    group.create_task(talk, name="connection")

                for sock in sockets:
                    # Inherited: the kernel ends a connection whose scrape is not taken.
                    limit = round(_WRITE * 1000)
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, limit)
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

    def __init__(self, handler: Handler) -> None:
        """``handler`` answers every request; what it raises is logged and answered by 500."""
        self._handler = handler
        self._open: set[asyncio.StreamWriter] = set()
        self._none_is_open = asyncio.Event()
        self._idle: dict[asyncio.StreamWriter, None] = {}  # the longest so first

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        self._open.add(writer)
        self._none_is_open.clear()
        try:
            if self._has_room():
                while await self._exchange(reader, writer):
                    pass
        except _GONE:
            pass  # the client is gone, or is none
        except Exception:  # noqa: BLE001 - the guard of one connection
            _log.exception("connection broke")
        finally:
            self._open.discard(writer)
            if not self._open:
                self._none_is_open.set()
            writer.close()

    async def end(self, seconds: float = 1.0) -> None:
        """End every connection; one whose client takes its answer too slowly is cut off."""
        if not self._open:
            return
        for writer in self._open:
            writer.close()
        try:
            async with asyncio.timeout(seconds):
                await self._none_is_open.wait()
        except TimeoutError:
            for writer in self._open:
                writer.transport.abort()

    def _has_room(self) -> bool:
        """Say whether one more may stay; one that only waits makes room for it."""
        limit = descriptor_limit()
        most = min(_MOST_CONNECTIONS, max(1, limit - _RESERVE)) if limit else _MOST_CONNECTIONS
        if len(self._open) <= most:
            return True
        longest = next(iter(self._idle), None)
        if longest is None:
            return False
        del self._idle[longest]
        longest.close()
        return True

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; say whether another may follow."""
        self._idle[writer] = None
        try:
            async with asyncio.timeout(_IDLE):
                first = await reader.readexactly(1)
        finally:
            self._idle.pop(writer, None)
        async with asyncio.timeout(_HEAD):
            rest = await reader.readuntil(b"\r\n\r\n")
        try:
            request = read_head((first + rest)[:-4])
        except ValueError as error:
            refused = Request("GET", "", (), {}, stays=False)
            await _sent(writer, refused, Answer(400, f"{error}\n".encode()))
            return False
        await _sent(writer, request, await self._answered(request))
        return request.stays

    async def _answered(self, request: Request) -> Answer:
        try:
            return await self._handler(request)
        except Exception:  # noqa: BLE001 - the guard of one connection
            _log.exception("request broke", path=request.path)
            return Answer(500, b"this is a fault of the program; see its log\n")


async def _sent(writer: asyncio.StreamWriter, request: Request, answer: Answer) -> None:
    headers = {"Content-Type": answer.kind, **answer.headers}
    headers["Connection"] = "keep-alive" if request.stays else "close"
    is_long = answer.more is not None or len(answer.body) >= _WORTH_PACKING
    packer = None
    if is_long and takes_gzip(request.header("accept-encoding")):
        packer = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_FORMAT)
        headers["Content-Encoding"] = "gzip"
    if answer.more is None:
        body = answer.body
        body = body if packer is None else packer.compress(body) + packer.flush()
        headers["Content-Length"] = str(len(body))
        writer.write(head_of(answer.status, headers))
        writer.write(body if request.method != "HEAD" else b"")
    else:
        if not request.is_old:  # else the end of the connection is that of the answer
            headers["Transfer-Encoding"] = "chunked"
        writer.write(head_of(answer.status, headers))
        if request.method != "HEAD":
            await _streamed(writer, _packed(answer, packer), is_chunked=not request.is_old)
    await _drained(writer)


async def _streamed(
    writer: asyncio.StreamWriter, parts: Iterable[bytes], *, is_chunked: bool
) -> None:
    for data in parts:
        if data:
            writer.write(b"%x\r\n%b\r\n" % (len(data), data) if is_chunked else data)
            await _drained(writer)
        await asyncio.sleep(0)
    if is_chunked:
        writer.write(b"0\r\n\r\n")


def _packed(answer: Answer, packer: "zlib._Compress | None") -> Iterator[bytes]:
    for text in answer.more or ():
        data = text.encode("utf-8", "replace")
        yield data if packer is None else packer.compress(data)
    if packer is not None:
        yield packer.flush()


async def _drained(writer: asyncio.StreamWriter) -> None:
    async with asyncio.timeout(_WRITE):
        await writer.drain()


def routed(gets: Mapping[str, Handler], posts: Mapping[str, Handler] = {}) -> Handler:
    """Return a handler that looks at path and method; ``posts`` may be PUT too.

    Health is here: a program that listens serves.
    """
    everything: Mapping[str, Handler] = {"/healthz": _well, "/readyz": _well, **gets}

    async def answer(request: Request) -> Answer:
        reads = request.method in {"GET", "HEAD"}
        writes = request.method in {"POST", "PUT"}
        handler = (everything if reads else posts if writes else {}).get(request.path)
        if handler is not None:
            return await handler(request)
        if request.path in posts:
            return Answer(405, b"only POST and PUT\n", headers={"Allow": "POST, PUT"})
        if request.path in everything:
            return Answer(405, b"only GET\n", headers={"Allow": "GET, HEAD"})
        return Answer(404, b"there is no such page\n")

    return answer


async def _well(_: Request) -> Answer:
    return Answer(200, b'{"ready": true}', "application/json")  # it listens only when it is


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
