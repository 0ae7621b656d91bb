"""One connection to one Redis server: runs go out in order, replies are counted back to them.

The hot path towards the servers. What is added during a turn of the loop goes out in one write at
its end. A link is never shared with a reply it cannot place: whatever it does not expect ends it,
and with it nothing but its own runs.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from ambassador.redis.greeting import ALONE, DEFAULT, Attributes, Refused, check, greeting
from ambassador.redis.monitoring import note, place_of
from ambassador.redis.patterns import REPLY
from ambassador.redis.replies import Replies
from ambassador.redis.resp import Failure, packed
from ambassador.redis.run import Ask, ClientRun, RoleRun, Run, Unheard
from sidecar.errors import ProtocolError, UpstreamUnavailable
from sidecar.runtime.reason import reason_of

if TYPE_CHECKING:
    from ambassador.frame.dialing import Dial
    from ambassador.redis.monitored import Log
    from ambassador.redis.node import Node

__all__ = ["DEFAULT", "Attributes", "Link", "Refused"]

_HANDSHAKE: Final = 2.0
_PUSH: Final = 0x3E
_LARGE: Final = 1024
_READS: Final = (1, 3)  # Route: what may be asked twice
_CLOSED: Final = "closed by the server"


class Link(asyncio.Protocol):
    """A connection that carries runs."""

    def __init__(
        self,
        dial: "Dial",
        attributes: Attributes = DEFAULT,
        *,
        name: bytes = b"",
        ended: Callable[["Link"], None] = lambda _: None,
        takes_pushes: bool = False,
    ) -> None:
        """Prepare; ``dial`` connects, ``ended`` is called once when it is no more of use."""
        self.attributes = self.login = attributes  # the login may be our own
        self.queue: deque[Run] = deque()
        self.unsent: list[Run] = []
        self.covers: list[Callable[[int | None], None]] = []
        """Who wants to know how far the primary is after what was sent till now."""
        self.is_ready = False
        self.is_closed = False
        self.heard = 0.0  # when anything came last
        self.takes_new = True  # not closed, and nothing slow is under way
        self.is_lane = False  # for slow commands
        self.client: object = None  # who has it alone
        self.given_name = b""  # by the client that has or had it alone
        self.seen, self.seen_at = -1, 0.0  # progress, when somebody looked last
        self.server_id = 0  # what the server calls a connection that somebody has alone
        self.node: Node
        self.log: Log | None = None  # of what goes out, while somebody uses MONITOR
        self.port = b""  # ours, as MONITOR tells it
        self.is_ours = True  # set as nobody asked for
        self.refusal: bytes | None = None
        self._is_inside = self._is_pushing = False
        self.answered = 0
        self._arrived = 0
        self.tap: Callable[[bytes], None] | None = None
        """Takes all that comes, uncounted."""
        self.pushed: Callable[[bytes], None] | None = None
        """Takes messages that come between replies."""
        self._dial = dial
        self._name = name
        self._ended = ended
        self._is_alone = takes_pushes
        self._replies = Replies(takes_pushes=takes_pushes)
        self._transport: asyncio.Transport | None = None
        self._is_planned = False
        self._loop = asyncio.get_running_loop()
        self._settled = asyncio.Event()
        self._greeted: asyncio.Future[list[object]] = self._loop.create_future()

    @property
    def outstanding(self) -> int:
        """Return how many runs wait for their replies."""
        return len(self.queue) + len(self.unsent)

    @property
    def is_owed(self) -> bool:
        """Whether a reply to a command of a client is still to come."""
        return any(isinstance(run, ClientRun) for run in (*self.queue, *self.unsent))

    async def open(self) -> None:
        """Connect and greet. Raises UpstreamUnavailable and Refused, closed then."""
        try:
            await self._dial(lambda: self)
            self._check_open()
            words = greeting(
                self.login,
                name=self._name,
                is_alone=self._is_alone,
            )
            if words:
                data = b"".join(packed(*command) for command in words)
                run = Ask(data, len(words), self._hear, self._miss)
                self.queue.append(run)
                if self.log is not None:
                    note(self.log, run)
                self._write(data)
                async with asyncio.timeout(_HANDSHAKE):
                    answers = await self._greeted
                check(words, answers)
                if words[-1] == ALONE and isinstance(answers[-1], int):
                    self.server_id = answers[-1]
        except OSError as error:
            why = "no answer" if isinstance(error, TimeoutError) else reason_of(error)
            self.close(why)
            raise UpstreamUnavailable(why) from error
        except Refused as error:
            self.refusal = b"-" + error.reply + b"\r\n"
            self.close(str(error))
            raise
        except UpstreamUnavailable as error:
            self.close(str(error))
            raise
        except asyncio.CancelledError:
            self.close("cancelled")
            raise
        self.is_ready = True
        self._settled.set()
        self.flush()

    def _check_open(self) -> None:
        if self.is_closed:
            raise UpstreamUnavailable(_CLOSED)

    def send(self, run: Run) -> None:
        """Add a run; it goes out at the end of this turn, or when the link is ready."""
        self.unsent.append(run)
        if not self._is_planned:
            self._is_planned = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write what was added."""
        self._is_planned = False
        unsent = self.unsent
        if not self.is_ready or not unsent:
            return
        if self.covers:
            self._cover()
        self.unsent = []
        if self.log is not None:
            for run in unsent:
                note(self.log, run)
        self.queue.extend(unsent)
        self._write(unsent[0].data if len(unsent) == 1 else b"".join([run.data for run in unsent]))

    def _cover(self) -> None:
        covers, self.covers = self.covers, []

        def tell(offset: int | None) -> None:
            for cover in covers:
                cover(offset)

        self.unsent.append(RoleRun(b"master", tell))

    async def ask(self, data: bytes, count: int) -> list[object]:
        """Return the decoded replies to so many commands. Raises UpstreamUnavailable."""
        answer: asyncio.Future[list[object]] = self._loop.create_future()

        def tell(found: list[object]) -> None:
            if not answer.done():
                answer.set_result(found)

        def fail(why: str) -> None:
            if not answer.done():
                answer.set_exception(UpstreamUnavailable(why))

        if self.is_closed:
            raise UpstreamUnavailable("closed")
        self.send(Ask(data, count, tell, fail))
        return await answer

    async def name_as(self, name: bytes) -> None:
        """Give the connection a client's name, or take it away."""
        if name != self.given_name:
            self.given_name = name
            await self.ask(packed(b"CLIENT", b"SETNAME", name), 1)

    async def opened(self) -> None:
        """Return when it is ready. Raises Refused and UpstreamUnavailable."""
        await self._settled.wait()
        if self.refusal is not None:
            raise Refused(Failure(self.refusal[1:-2]))
        if self.is_closed:
            raise UpstreamUnavailable("closed")

    def write_raw(self, data: bytes, owner: object = None) -> None:
        """Write a command that is not counted (``tap``); ``owner``: the client whose it is."""
        if self.log is not None:
            self.log.add(data, place_of(owner))
        self._write(data)

    def write_rest(self, data: bytes) -> None:
        """Write more of a command that has begun."""
        self._write(data)

    def close(self, why: str) -> None:
        """End it; what has no reply yet hears why."""
        if self.is_closed:
            return
        self.is_closed, self.is_ready, self.takes_new = True, False, False
        self._settled.set()
        if self._transport is not None:
            self._transport.abort()
        sent, unsent, covers = self.queue, self.unsent, self.covers
        self.queue, self.unsent, self.covers = deque(), [], []
        self._ended(self)
        lease = getattr(getattr(self.client, "session", None), "lease", None)
        for run in sent:
            run.lost(why, was_sent=True)
        for run in unsent:
            run.lost(why, was_sent=False)
        for cover in covers:
            cover(None)
        if lease is not None and lease.link is self:
            lease.gone()

    def rescued(self) -> list[ClientRun]:
        """Return reads that only wait for others here, to be sent elsewhere.

        What this link answers to them nobody hears. A client with anything else here before them
        keeps them here, so that its commands stay in order.
        """
        found: list[ClientRun] = []
        bound: set[object] = set()
        for place, run in enumerate(self.queue):
            if not isinstance(run, ClientRun):
                continue
            is_free = place and run.kind in _READS and run.owner not in bound and run.token <= 0
            if is_free and run.left == run.count and self.client is None:
                found.append(run)
                self.queue[place] = Unheard(run.data, run.count)
            else:
                bound.add(run.owner)
        return found

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
        name = transport.get_extra_info("sockname")
        self.port = b"%d" % name[1] if isinstance(name, tuple) else b"unix"
        if self.is_closed:
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """End with it."""
        why = reason_of(error) if isinstance(error, OSError) else _CLOSED
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

    def data_received(self, data: bytes) -> None:  # noqa: C901 - one loop, the hot path
        """Count replies back to the runs."""
        if self.tap is not None:
            self.tap(data)
            return
        at, size, replies = 0, len(data), self._replies
        self.heard = self._loop.time()
        try:
            while at < size:
                if self._is_alone and (
                    self._is_pushing or (data[at] == _PUSH and not self._is_inside)
                ):
                    at = self._over_push(data, at)
                    continue
                if not self.queue:
                    raise ProtocolError("a reply that nobody asked for")
                run = self.queue[0]
                if run.left == 1 and not self._is_inside:
                    match = REPLY.match(data, at)
                    if match is not None:  # as most are: one short reply
                        self.queue.popleft()
                        end = match.end()
                        run.left = 0
                        self.answered += 1
                        run.finish(data if end - at == size else data[at:end])
                        at = end
                        if self._is_tapped() and at < size:
                            self._pass(data[at:])
                            return
                        continue
                end, done = replies.take(data, at, run.left)
                self._is_inside = replies.is_inside
                self.answered += done
                run.left -= done
                if replies.has_error:
                    run.has_error, replies.has_error = True, False
                piece = data if end - at == size else data[at:end]
                if end - at > _LARGE and isinstance(run, ClientRun):
                    run.owner.swelled(end - at)
                at = end
                if run.left:
                    self._arrived += 1
                    run.partial(piece)
                    continue
                self.queue.popleft()
                run.finish(piece)
                if self._is_tapped() and at < size:
                    self._pass(data[at:])
                    return
        except ProtocolError as wrong:
            self.close(str(wrong))

    def _over_push(self, data: bytes, at: int) -> int:
        """Hand on a message that is no reply, or what there is of it."""
        end, _ = self._replies.take_one(data, at)
        self._is_pushing = self._replies.is_inside
        self._arrived += 1
        if self.pushed is None:
            raise ProtocolError("a message that nobody waits for")
        self.pushed(data[at:end])
        return end

    def _is_tapped(self) -> bool:
        """Say whether what follows is no sequence of replies."""
        return self.tap is not None

    def _pass(self, data: bytes) -> None:
        if self.tap is not None:
            self.tap(data)

    # --- greeting ----------------------------------------------------------------------------

    def _hear(self, answers: list[object]) -> None:
        if not self._greeted.done():
            self._greeted.set_result(answers)

    def _miss(self, why: str) -> None:
        if not self._greeted.done():
            self._greeted.set_exception(UpstreamUnavailable(why))

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)
