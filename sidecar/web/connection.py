"""One client's connection: how many it may have, how long a head may be, and answers in short.

aiohttp parses and serves. Two things are done before it, because they must not cost what a request
costs there:

* A client address that has its share of connections gets one more only to be told so.
* A GET that differs from one served before on this connection in nothing but its target may be
  answered at once (``Short``). That is safe because nothing is parsed again: aiohttp took the very
  same header bytes for a request without a body and the guard let it pass, so all that is left of
  the new one is its request line. Requests with a body in between are aiohttp's; they change
  nothing as long as the bytes that came are those that aiohttp took for them. Whoever pipelines
  or splits a head over segments is served by aiohttp alone from then on.
* A short answer may have to be waited for. Then the connection is parked, which costs no task and
  no parsed request, and a change writes the same bytes to all that are.
"""

import asyncio
from typing import Any, Final, cast

from aiohttp import web

from sidecar.web.consul.query import takes_gzip
from sidecar.web.door import Cancel, Door, Later, ShortAnswer

__all__ = ["HEAD_LIMIT", "Connection"]

HEAD_LIMIT: Final = 16 * 1024
"""Bytes of a request's line and headers together (reliability T14)."""
_LINGER: Final = 1.0
_MOST_LINGERING: Final = 64
_KEEP_ALIVE: Final = 75.0
_LONGEST_WAIT: Final = 640.0  # ten minutes and their sixteenth
_LINE_END: Final = b"\r\n"
_HEAD_END: Final = b"\r\n\r\n"
_MIXING: Final = frozenset({"Upgrade", "Expect", "Transfer-Encoding"})
_VERSION: Final = b" HTTP/1.1"
_BUSY: Final = b"too many connections from this address (http.max_connections)"
_FULL: Final = b"no room for another connection"
_LONG: Final = b"request header fields are too large"


def _plain(status: str, text: bytes, more: str = "") -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(text)}\r\nConnection: close\r\n{more}\r\n"
    )
    return head.encode() + text


class Connection(web.RequestHandler):
    """aiohttp's protocol with a door in front."""

    __slots__ = (
        "_door",
        "_expected",
        "_finished",
        "_given",
        "_gzip",
        "_head",
        "_head_end",
        "_is_mixed",
        "_offered",
        "_parked",
        "_parked_cancel",
        "_peer",
        "_served",
    )

    def __init__(self, door: Door, manager: web.Server, **options: Any) -> None:
        """Serve by ``manager``'s handler."""
        super().__init__(
            manager,
            keepalive_timeout=_KEEP_ALIVE,
            max_field_size=HEAD_LIMIT,
            auto_decompress=False,  # nor does Consul; and a small body cannot become a big one
            **options,
        )
        self._door = door
        self._peer = ""
        self._served: bytes | None = None  # the headers that were seen to be harmless
        self._gzip = False
        self._offered: bytes | None = None
        self._is_mixed = False
        self._head = 0
        self._head_end = 0
        self._given = 0  # bytes since all requests before were answered
        self._expected = 0  # bytes of the request under way
        self._finished = 0
        self._parked = b""  # the request that waits
        self._parked_cancel: Cancel | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or say that there are too many."""
        peer = transport.get_extra_info("peername")
        host = str(peer[0]) if isinstance(peer, tuple) and peer else ""
        door = self._door
        if not door.takes_connections or _is_surplus(door, transport):
            door.count("other", 503)
            transport.set_protocol(asyncio.Protocol())
            cast("asyncio.Transport", transport).write(_plain("503 Service Unavailable", _FULL))
            transport.close()  # at once: it holds what there is too little of
            return
        if host and 0 < door.most <= door.open[host]:
            _turn_away(door, cast("asyncio.Transport", transport))
            return
        if host:
            self._peer = host
            door.open[host] += 1
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give the places back."""
        self._unpark()
        if self._peer:
            self._door.open[self._peer] -= 1
            if not self._door.open[self._peer]:
                del self._door.open[self._peer]
            self._peer = ""
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Answer in short if that is possible, else let aiohttp do it."""
        if self._parked:  # more, before the first was answered: aiohttp keeps their order
            data = self._parked + data
            self._unpark()
            self._is_mixed = True
        begun = self._request_count
        if begun != self._finished:
            self._given += len(data)  # the rest of a body, or pipelined: see finish_response
            super().data_received(data)
            return
        if not self._is_mixed and self._takes(data):
            return
        self._given = len(data)
        super().data_received(data)
        if begun != self._request_count or self._force_close:
            self._head = 0
        elif self._waiter is not None:  # otherwise it is what is left of a refused body
            self._limit(len(data))

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Write an answer; only then may the next one be short."""
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._finished += 1
            if self._expected != self._given:
                self._is_mixed = True  # the next request may have begun already
            self._expected = 0

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP in a line: it is the client's fault and not for our log."""
        if status >= 500:
            return super().handle_error(request, status, exc, message)
        self._door.count("other", status)
        response = web.Response(status=status, text=f"Bad Request: {type(exc).__name__}")
        response.force_close()
        return response

    def approve(self, request: web.Request) -> None:
        """Remember the headers of a request that the guard let pass, and where it ends."""
        offered, self._offered = self._offered, None
        if self._is_mixed:
            return
        headers = request.headers
        if (
            not request.keep_alive
            or request.version != (1, 1)
            or any(name in headers for name in _MIXING)
            or "token" in request.query
            or (offered is not None and request.body_exists)
        ):
            self._is_mixed = True
            return
        self._expected = self._head_end + (request.content_length or 0)
        if offered is not None:
            self._served = offered
            self._gzip = takes_gzip(headers.get("Accept-Encoding", ""))

    def _takes(self, data: bytes) -> bool:
        """Answer a request that needs no parser; note what a next one would look like."""
        line = data.find(_LINE_END)
        self._head_end = data.find(_HEAD_END) + len(_HEAD_END)
        head = data[: self._head_end]
        if line <= 0 or len(head) < line or head.count(b"\n") != head.count(_LINE_END):
            self._is_mixed = True
        elif head.startswith(b"GET ") and head == data:
            headers = data[line:]
            if headers == self._served:
                return self._is_answered(data, line)
            self._served, self._offered = None, headers
        return False

    def _is_answered(self, data: bytes, end: int) -> bool:
        rest, transport = data[4:end], self.transport
        if (
            not rest.endswith(_VERSION)
            or not rest.isascii()
            or transport is None
            or self._close
            or not self._keepalive
        ):
            self._is_mixed = True
            return False
        target = rest[: -len(_VERSION)].decode()
        answer = None
        if not transport.get_write_buffer_size():
            answer = self._door.short(target, self._gzip)
        if isinstance(answer, Later):
            return self._is_waiting(data, answer)
        if answer is None:
            return False
        self._write(answer)
        return True

    def _is_waiting(self, data: bytes, later: Later) -> bool:
        """Park, if there is room."""
        if not self._door.has_room:
            return False  # whoever serves it will say so
        self._door.waiting += 1
        self._parked = data
        self._next_keepalive_close_time = self._loop.time() + _LONGEST_WAIT + _KEEP_ALIVE
        self._parked_cancel = later.begin(self._deliver, self._door.longest)
        return True

    def _deliver(self, answer: ShortAnswer | Exception) -> None:
        request = self._parked
        self._unpark()
        if self._close:
            return
        if isinstance(answer, Exception):  # whoever serves it will say so
            self._is_mixed = True
            super().data_received(request)
        else:
            self._write(answer)

    def _unpark(self) -> None:
        cancel, self._parked_cancel, self._parked = self._parked_cancel, None, b""
        if cancel is not None:
            self._door.waiting -= 1
            cancel()

    def _write(self, answer: ShortAnswer) -> None:
        if self.transport is not None:
            self.transport.write(answer.data)
            self._next_keepalive_close_time = self._loop.time() + _KEEP_ALIVE
            self._door.count(answer.route, 200)

    def _limit(self, size: int) -> None:
        """Cut off a head that does not end."""
        self._head += size
        if self._head > HEAD_LIMIT and self.transport is not None:
            self.transport.write(_plain("431 Request Header Fields Too Large", _LONG))
            self._door.count("other", 431)
            self.force_close()


def _is_surplus(door: Door, transport: asyncio.BaseTransport) -> bool:
    """Say whether a connection uses a descriptor that is kept for other things."""
    if not door.descriptors:
        return False
    sock = transport.get_extra_info("socket")
    return sock is not None and sock.fileno() >= door.descriptors


class _Surplus(asyncio.Protocol):
    """Hears what the client says until it has read our answer."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def connection_lost(self, _: Exception | None) -> None:
        self._door.lingering -= 1


def _turn_away(door: Door, transport: asyncio.Transport) -> None:
    """Answer 429 and close; not at once, as unread data would turn the answer into a reset."""
    door.count("other", 429)
    door.lingering += 1
    transport.set_protocol(_Surplus(door))
    if door.lingering > _MOST_LINGERING:
        transport.abort()
        return
    transport.write(_plain("429 Too Many Requests", _BUSY, "Retry-After: 1\r\n"))
    transport.write_eof()
    asyncio.get_running_loop().call_later(_LINGER, transport.abort)
