"""A client's connection: commands in, routed, and their replies out in the order of the commands.

The hot path towards the clients. Commands that need no look at their arguments are grouped into
runs here; everything else is the ``Session``'s. While a session waits for something, or has an
upstream of its own, commands queue in ``backlog`` and are taken one by one.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ambassador.redis import errors
from ambassador.redis.connection import NOTHING, Connection
from ambassador.redis.framing import Requests
from ambassador.redis.grouping import common, grouped
from ambassador.redis.habits import Habit
from ambassador.redis.mending import mend
from ambassador.redis.passage import Passage, begin
from ambassador.redis.reading import Reader
from ambassador.redis.run import ClientRun
from ambassador.redis.session import Session
from ambassador.redis.skipping import alike
from ambassador.redis.writing import Writer

if TYPE_CHECKING:
    from ambassador.redis.framing import Found
    from ambassador.redis.hub import Hub
    from ambassador.redis.settings import Listener

__all__ = ["Client"]

_READ: Final = 1  # Route, as plain numbers for the hot path
_WRITE: Final = 2


class Client(Connection):
    """One client."""

    __slots__ = (
        "_barrier",
        "_is_pumping",
        "_needs_replica",
        "habit",
        "is_direct",
        "is_parallel",
        "passage",
        "reader",
        "requests",
        "routes",
        "session",
        "writer",
    )

    def __init__(self, hub: "Hub", listener: "Listener") -> None:
        """Serve a connection that a listener takes."""
        super().__init__(hub, listener)
        self.is_direct = True  # commands need no queue
        self._is_pumping = False
        self._barrier: Callable[[], None] | None = None
        self.passage: Passage | None = None  # of a long command
        self.routes = hub.routes(listener)
        self.habit = Habit()
        self._needs_replica = listener.fallback != "primary"  # for what reads
        self.is_parallel = listener.after_write == "replica"  # reads beside unanswered writes
        self.requests = Requests(listener.limits)
        self.session = Session(self)
        self.reader = Reader(self)
        self.writer = Writer(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or say that there are too many."""
        taken = self._connected(transport)
        if not self.hub.enter(self):
            taken.write(errors.MAX_CLIENTS)
            self.is_closed = True
            taken.close()
            return
        self.session.begin()

    def connection_lost(self, _: Exception | None) -> None:
        """Leave; what is under way is answered to nobody."""
        if not self.is_closed:
            self.is_closed = True
            self._forget()

    def eof_received(self) -> bool:
        """Answer what was asked, then close."""
        self._has_ended = self.has_waiting = True
        if self.session.is_endless:
            return False  # what it waits for may never come, and nobody else may lose it
        self._end_if_done()
        return not self.is_closed

    def pause_writing(self) -> None:
        """Hear that the client does not take its replies."""
        self.is_slow, self.slow_since = True, self.hub.now()
        self.hub.slow.add(self)
        self.session.pause()

    def resume_writing(self) -> None:
        """Hear that it does again."""
        self.is_slow = False
        self.hub.slow.discard(self)
        self.session.resume()

    def data_received(self, data: bytes) -> None:
        """Take commands."""
        if self.is_closed:
            return
        self.hub.taken += len(data)
        if self.is_direct and not self.backlog and not self.requests.is_begun:
            # Short commands that go the same way, the most common by far: no look at each.
            habit = self.habit
            if habit.knows(data):
                route, count = self.routes.get(habit.word, 0), habit.count
            else:
                route, count = self._unusual(data)
            if route:
                self.emit(data, count, route)
                if self.outstanding > self._most or self.bytes > self._most_bytes:
                    self._pause()
                return
        if self.passage is not None:
            self.passage.take(data)
        else:
            self._take(data)

    def _unusual(self, data: bytes) -> tuple[int, int]:
        """Return the kind of run that all commands may be, 0 if none, and how many they are."""
        route, count, word = common(self.routes, data, is_parallel=self.is_parallel)
        if not route and count == 1:
            word, count = alike(data, self.requests.longest)
            route = self.routes.get(word, 0)
        elif word:
            self.habit.expect(count)
        if route and word:
            self.habit.repeats(data, word, count)
        return route, count

    def _take(self, data: bytes) -> None:
        """Take commands, whatever they are and however they come."""
        for buffer, found in self.requests.split(data):
            if self.is_direct and not self.backlog:
                self._group(buffer, found)
            else:
                self._later(buffer, found)
        if self.backlog:
            self.pump()
        self._look_at_rest()
        if self.is_choked or len(self.backlog) > self._most:
            self._pause()

    def _look_at_rest(self) -> None:
        """See what has come in part, or breaks the protocol."""
        requests = self.requests
        if requests.failure is not None and not self.is_closed:
            self.break_off()
        elif requests.is_long and self.is_direct and not self.backlog:
            self.barrier(lambda: begin(self))

    def _group(self, buffer: bytes, found: "list[Found]") -> None:
        """Send runs of commands that go the same way, up to one that needs a closer look."""
        runs, taken = grouped(self.routes, buffer, found, is_parallel=self.is_parallel)
        for data, count, kind in runs:
            self.emit(data, count, kind)
        if taken < len(found):
            self._later(buffer, found[taken:])

    def _later(self, buffer: bytes, found: "list[Found]") -> None:
        """Keep commands to be taken one by one."""
        if self.backlog is NOTHING:
            self.backlog = deque()
        self.backlog.extend([(buffer, *one) for one in found])
        self.has_waiting = True

    def emit(self, data: bytes, count: int, kind: int, *, is_slow: bool = False) -> ClientRun:
        """Send a run where its kind goes; others do not wait for one that ``is_slow``."""
        hub = self.hub
        self.heard = now = hub.now()
        run = ClientRun(self, data, count, kind, now)
        run.is_muted, run.is_slow = self.is_muting, is_slow
        self.runs.append(run)
        self.outstanding += count
        self.bytes += len(data)
        if kind == _WRITE:
            self.writing += 1
        elif (
            kind == _READ
            and (hub.has_replicas or self._needs_replica)
            and (not self.writing or self.is_parallel)
            and self.reader.reads(run)
        ):
            return run
        self.writer.send(run)
        return run

    def to_primary(self, run: ClientRun) -> None:
        """Send a run to the primary, or keep it until there is one."""
        self.writer.send(run)

    def pump(self) -> None:
        """Take commands from the backlog until something has to be waited for."""
        if self._is_pumping:
            return
        self._is_pumping = True
        session, routes = self.session, self.routes
        self.heard = self.hub.now()
        try:
            while self.backlog and self._barrier is None and not session.waits:
                if self.is_closed or self.is_choked:
                    break
                buffer, word, begin, end = self.backlog.popleft()
                raw = buffer[begin:end]
                if self.is_direct and (route := routes.get(word, 0)):
                    self.emit(raw, 1, route)
                else:
                    session.command(raw)
        finally:
            self._is_pumping = False
        if not self.backlog:
            self._resume_if_less()

    def settle(self) -> None:
        """Go on with what waited for replies."""
        if self.writer.is_waiting:
            self.writer.settle()
        if self._is_paused:
            self._resume_if_less()
        if not self.runs and self._barrier is not None:
            action, self._barrier = self._barrier, None
            self.session.settle_directness()
            action()
        if self.backlog:
            self.pump()
        if not self.runs and self.session.lease is not None:
            self.session.settle()
        if self._has_ended:
            self._end_if_done()
        self.has_waiting = (
            self._is_paused
            or self._has_ended
            or self._barrier is not None
            or bool(self.backlog)
            or self.writer.is_waiting
            or self.session.lease is not None
        )

    def inspect(self, run: ClientRun, reply: bytes) -> None:
        """Take replies of which one is an error, or that come too early."""
        mend(self, run, reply)

    def failed(self, run: ClientRun, why: str, *, was_sent: bool) -> None:
        """Hear that a run's upstream was lost."""
        if not self.is_closed and not run.is_done:
            errors.settle_lost(self, run, why, was_sent=was_sent)

    def moved(self, run: ClientRun) -> None:
        """Send a read on another connection, as it only waits for others where it is."""
        run.link = None
        if run.kind != _READ or not self.reader.reads(run):
            self.to_primary(run)

    @property
    def is_barred(self) -> bool:
        """Whether something waits until all before it is answered."""
        return self._barrier is not None

    def barrier(self, action: Callable[[], None]) -> None:
        """Do something when all before it is answered; nothing behind it is taken before."""
        if not self.runs:
            action()
        else:
            self._barrier = action
            self.is_direct, self.has_waiting = False, True

    def break_off(self) -> None:
        """Tell a mistake against the protocol in its turn, and end."""

        def end() -> None:
            if why := self.requests.failure:
                self.write(b"-ERR Protocol error: %b\r\n" % why.encode("latin-1"))
            self.close("protocol")

        self.barrier(end)

    def _end_if_done(self) -> None:
        if self._has_ended and not self.runs and not self.backlog and not self.session.waits:
            self.close("")

    def _grew(self, size: int) -> None:
        self.hub.pressure.grew(self, size)

    def _forget(self) -> None:
        self.hub.leave(self)
        self.session.end()
        self.runs.clear()
        self.backlog.clear()
