"""HTTP connections: DNS over HTTPS, and the small server of ``dnsd`` alone."""

import asyncio
from collections.abc import Callable
from typing import Final, cast

from dnsd.connections import Connections
from dnsd.doh import question_of, response_of
from dnsd.httpwire import BadRequest, Request, Requests, Response, encode
from dnsd.service import LATER, Service
from dnsd.tallies import Channels

__all__ = ["Handler", "HttpConnection", "Respond", "doh_handler"]

Respond = Callable[[Response], None]
Handler = Callable[[Request, str, Respond], None]
"""Takes a request and its client's address; responds once, now or later."""

_BUFFER: Final = 1 << 17
_LINGER: Final = 1.0


class HttpConnection(asyncio.Protocol):
    """One client: one request at a time."""

    def __init__(self, handler: Handler, connections: Connections) -> None:
        """Wait for the transport."""
        self._handler = handler
        self._connections = connections
        self._requests = Requests()
        self._asked: Request | None = None
        self._is_paused = False
        self._is_ended = False
        self._is_over = False
        self._transport: asyncio.Transport
        self.client = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Join the others."""
        self._transport = cast("asyncio.Transport", transport)
        peer = self._transport.get_extra_info("peername")
        self.client = peer[0] if peer else ""
        self._connections.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Leave the others."""
        self._connections.closed(self)

    def data_received(self, data: bytes) -> None:
        """Answer a request that is complete."""
        if self._is_over:
            return
        self._requests.feed(data)
        if len(self._requests) > _BUFFER:
            self._transport.pause_reading()
        if self._asked is None:
            self._next()

    def eof_received(self) -> bool:
        """Answer what was asked before the end."""
        self._is_ended = True
        return self._asked is not None

    def pause_writing(self) -> None:
        """Answer nothing more while nothing is read."""
        self._is_paused = True
        self._connections.stalled(self, stalled=True)

    def resume_writing(self) -> None:
        """Go on."""
        self._is_paused = False
        self._connections.stalled(self, stalled=False)
        if self._asked is None:
            self._next()

    def close(self) -> None:
        """Send what is under way, then hang up."""
        self._is_ended = True
        if self._asked is None:
            self._transport.close()

    def abort(self) -> None:
        """Hang up at once."""
        self._transport.abort()

    def _next(self) -> None:
        """Take the next request."""
        if self._is_paused or self._transport.is_closing():
            return
        try:
            request = self._requests.next()
        except BadRequest as error:
            self._transport.write(encode(Response(error.status), keep_alive=False))
            # Who still sends would lose the response to a reset if this were closed at once.
            self._is_over = True
            asyncio.get_running_loop().call_later(_LINGER, self._transport.close)
            return
        if request is None:
            if self._is_ended:
                self._transport.close()
            else:
                self._transport.resume_reading()
            return
        self._asked = request
        self._connections.used(self)
        self._handler(request, self.client, self._respond)

    def _respond(self, response: Response) -> None:
        asked, self._asked = self._asked, None
        if asked is None or self._transport.is_closing():
            return
        keep = asked.keep_alive and not self._is_ended
        self._transport.write(encode(response, keep_alive=keep))
        if keep:
            asyncio.get_running_loop().call_soon(self._next)
        else:
            self._transport.close()


def doh_handler(service: Service, channels: Channels) -> Handler:
    """Return what answers questions over HTTPS."""

    def handle(request: Request, client: str, respond: Respond) -> None:
        message = question_of(request)
        if isinstance(message, Response):
            respond(message)
            return
        channel = channels.recursive if service.may_recurse(client) else channels.usual
        replies = service.responder.replies()

        def deliver(reply: bytes) -> None:
            respond(response_of(request, reply))

        entry = replies.hot(channel).get(message[2:])
        if entry is not None:
            deliver(entry.reply(message))
            return
        reply = service.miss(replies, message, channel, client, deliver)
        if reply is None:
            respond(Response(400))
        elif reply is not LATER:
            deliver(reply)

    return handle
