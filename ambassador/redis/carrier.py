"""A connection that carries runs to one server: they go out in order, replies are counted back.

The hot path from the servers (``sending`` is the one towards them). A connection is never shared
with a reply it cannot place: whatever it does not expect ends it, and with it nothing but its own
runs.
"""

import asyncio
from abc import abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Final, cast

from ambassador.frame.dialing import is_within_host
from ambassador.redis.patterns import replies_of
from ambassador.redis.replies import Replies
from ambassador.redis.run import ClientRun, Run
from ambassador.redis.sending import Sender
from sidecar.errors import ProtocolError
from sidecar.runtime.reason import reason_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ambassador.redis.node import Node

__all__ = ["CLOSED", "Carrier"]

_PUSH: Final = 0x3E
_LARGE: Final = 1024
CLOSED: Final = "closed by the server"
_ALL_OF: Final = {count: replies_of(count).match for count in (1, 2, 4, 8, 16, 32, 64)}
"""What finds the end of so many short replies at once."""
_WRITE: Final = 2  # Route, as a plain number for the hot path
_PLUS: Final = 0x2B
_OK: Final = b"+OK\r\n"
_OKS: Final = {count: _OK * count for count in range(1, 65)}


class Carrier(Sender):
    """Carries runs; whether it is open others know (``Link``).

    It has the methods of asyncio's protocols without being one of their classes: mypyc gives
    compiled attributes only to classes without bases that are not compiled.
    """

    node: "Node"

    def __init__(self, *, takes_pushes: bool) -> None:
        """Start without a connection."""
        super().__init__()
        self.is_closed = False
        self.heard = 0.0  # when anything came last
        self.takes_new = True  # not closed, and nothing slow is under way
        self.client: object = None  # who has it alone
        self.tap: Callable[[bytes], None] | None = None
        """Takes all that comes, uncounted."""
        self.pushed: Callable[[bytes], None] | None = None
        """Takes messages that come between replies."""
        self._arrived = 0
        self._is_alone = takes_pushes
        self._is_inside = self._is_pushing = False
        self._is_ok = False  # what came last as the answer to writes
        self._replies = Replies(takes_pushes=takes_pushes)
        self._now = self._loop.time

    @abstractmethod
    def end(self) -> None:
        """Hear that it is closed, before its runs do."""

    @property
    def is_owed(self) -> bool:
        """Whether a reply to a command of a client is still to come."""
        return any(isinstance(run, ClientRun) for run in (*self.queue, *self.unsent))

    def close(self, why: str) -> None:
        """End it; what has no reply yet hears why."""
        if self.is_closed:
            return
        self.is_closed, self.is_ready, self.takes_new = True, False, False
        if self._transport is not None:
            self._transport.abort()
        sent, unsent, covers = self.queue, self.unsent, self.covers
        self.queue, self.unsent, self.covers = deque(), [], []
        self.end()
        lease = getattr(getattr(self.client, "session", None), "lease", None)
        for run in sent:
            run.lost(why, was_sent=True)
        for run in unsent:
            run.lost(why, was_sent=False)
        for cover in covers:
            cover(None)
        if lease is not None and lease.link is self:
            lease.gone()

    @property
    def progress(self) -> int:
        """Return a number that changes whenever something arrives."""
        return self.answered + self._arrived

    @property
    def is_paused(self) -> bool:
        """Whether replies are not taken for now."""
        return self._transport is not None and not self._transport.is_reading()

    def pause(self) -> None:
        """Take no more replies for now."""
        if self._transport is not None and self._transport.is_reading():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Take replies again."""
        if self._transport is not None and not self._transport.is_reading():
            self._transport.resume_reading()

    # --- what the loop calls -----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)
        self.is_near = is_within_host(transport)
        if self.is_closed:
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """End with it."""
        why = reason_of(error) if isinstance(error, OSError) else CLOSED
        self.close(why)

    def pause_writing(self) -> None:
        """Hear that the server takes no more."""
        hold = getattr(self.client, "hold", None)
        if hold is not None:
            hold(is_held=True)

    def resume_writing(self) -> None:
        """Hear that it does again."""
        hold = getattr(self.client, "hold", None)
        if hold is not None:
            hold(is_held=False)

    def data_received(self, data: bytes) -> None:
        """Count replies back to the runs."""
        if self.tap is not None:
            self.tap(data)
            return
        self.heard = self._now()
        try:
            self._count(data, len(data))
        except ProtocolError as wrong:
            self.close(str(wrong))

    def _count(self, data: bytes, size: int) -> None:
        at = 0
        while at < size:
            if self._is_alone:
                if self.tap is not None:  # since the reply before: what follows are no replies
                    self.tap(data[at:])
                    return
                if self._is_pushing or (data[at] == _PUSH and not self._is_inside):
                    at = self._over_push(data, at)
                    continue
            queue = self.queue
            if not queue:
                raise ProtocolError("a reply that nobody asked for")
            run = queue[0]
            begin, left = at, run.left
            if run.kind == _WRITE and self._is_ok and not self._is_inside:
                oks = _OKS.get(left)
                if oks is not None and data.startswith(oks, at):
                    at += len(oks)
                    run.left = 0
                    self.answered += left
                    self._next()
                    run.finish(oks)
                    continue
            all_of = None if self._is_inside else _ALL_OF.get(left)
            match = None if all_of is None else all_of(data, at)
            if run.kind == _WRITE:
                self._is_ok = data[at] == _PLUS
            if match is None:
                at = self._over_some(run, data, at)
                if at - begin > _LARGE and isinstance(run, ClientRun):
                    run.owner.swelled(at - begin)
                if run.left:
                    run.partial(data[begin:at])
                    continue
            else:  # as most are: short replies
                at = match.end()
                run.left = 0
                self.answered += left
            self._next()
            run.finish(data if at - begin == size else data[begin:at])

    def _over_some(self, run: Run, data: bytes, at: int) -> int:
        """Go over replies of a run as far as they have come."""
        replies = self._replies
        at, done = replies.take(data, at, run.left)
        self._is_inside = replies.is_inside
        self.answered += done
        self._arrived += 1
        run.left -= done
        if replies.has_error:
            run.has_error, replies.has_error = True, False
        return at

    def _over_push(self, data: bytes, at: int) -> int:
        """Hand on a message that is no reply, or what there is of it."""
        end, _ = self._replies.take_one(data, at)
        self._is_pushing = self._replies.is_inside
        self._arrived += 1
        if self.pushed is None:
            raise ProtocolError("a message that nobody waits for")
        self.pushed(data[at:end])
        return end
