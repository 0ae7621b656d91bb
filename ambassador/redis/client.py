"""A client's connection: commands in, routed, and their replies out in the order of the commands.

The hot path towards the clients. Commands that need no look at their arguments are grouped into
runs here; everything else is the ``Session``'s. While a session waits for something, or has an
upstream of its own, commands queue in ``backlog`` and are taken one by one.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from ambassador.frame.dialing import tune
from ambassador.redis import errors
from ambassador.redis.framing import Requests
from ambassador.redis.mending import mend
from ambassador.redis.passage import Passage, begin
from ambassador.redis.patterns import COMMAND
from ambassador.redis.reading import Reader
from ambassador.redis.run import ClientRun, SlowRun
from ambassador.redis.session import Session

if TYPE_CHECKING:
    from ambassador.redis.framing import Found
    from ambassador.redis.hub import Hub
    from ambassador.redis.link import Link
    from ambassador.redis.node import Node
    from ambassador.redis.settings import Listener

__all__ = ["Client"]

_READ: Final = 1  # Route, as plain numbers for the hot path
_WRITE: Final = 2
_LOOK: Final = 3
_NOTHING: Final[deque[tuple[bytes, bytes, int, int]]] = deque(maxlen=0)
"""The backlog of most clients, for ever."""
_words_of: Final = COMMAND.findall
_HIGH: Final = 1 << 20
_LOW: Final = 1 << 18


class Client(asyncio.Protocol):
    """One client."""

    __slots__ = (
        "_barrier",
        "_has_ended",
        "_is_held",
        "_is_paused",
        "_is_pumping",
        "_kept",
        "_lease",
        "_most",
        "_moving",
        "_old",
        "_passing",
        "backlog",
        "bytes",
        "guards",
        "heard",
        "hub",
        "id",
        "is_closed",
        "is_direct",
        "is_muting",
        "is_slow",
        "link",
        "listener",
        "outstanding",
        "passage",
        "peak",
        "peaked_at",
        "reader",
        "requests",
        "routes",
        "runs",
        "session",
        "since",
        "slow_since",
        "transport",
        "writing",
    )

    def __init__(self, hub: "Hub", listener: "Listener") -> None:
        """Serve a connection that a listener takes."""
        self.hub = hub
        self.listener = listener
        self.id = hub.next_id()
        self.runs: deque[ClientRun] = deque()
        self.backlog = _NOTHING
        self.guards = 0  # reads on replicas: nothing that comes later may be executed before
        self.writing = 0  # runs with writes that are not answered
        self.outstanding = 0
        self.bytes = 0
        self.since = self.peaked_at = hub.now()
        self.peak = 0  # bytes of the largest replies of late
        self.heard = self.since
        self.is_closed = False
        self.is_slow = False  # does not read what we send
        self.slow_since = 0.0
        self.is_direct = True  # commands need no queue
        self.is_muting = False
        self.transport: asyncio.Transport | None = None
        self.link: Link | None = None  # to the primary, shared
        self._barrier: Callable[[], None] | None = None
        self.requests = Requests(listener.limits)
        self.session = Session(self)
        self.reader = Reader(self)
        self._old: Link | None = None  # to a former primary, with commands under way
        self._moving: list[ClientRun] = []  # what comes after those
        self._is_pumping = False
        self._is_paused = False
        self._has_ended = False  # sends no more
        self._is_held = False  # its upstream takes no more
        self._kept = 0  # bytes of replies that are not at their turn
        self.passage: Passage | None = None  # of a long command
        self.routes = hub.routes(listener)
        self._most = listener.max_outstanding

    # --- what the loop calls -----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or say that there are too many."""
        self.transport = cast("asyncio.Transport", transport)
        tune(transport)
        self.transport.set_write_buffer_limits(_HIGH, _LOW)
        if not self.hub.enter(self):
            self.transport.write(errors.MAX_CLIENTS)
            self.is_closed = True
            self.transport.close()
            return
        self.session.begin()

    def connection_lost(self, _: Exception | None) -> None:
        """Leave; what is under way is answered to nobody."""
        if not self.is_closed:
            self.is_closed = True
            self._forget()

    def eof_received(self) -> bool:
        """Answer what was asked, then close."""
        self._has_ended = True
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
        if self.is_direct and not self.backlog and not self.requests.is_begun:
            # Short commands that go the same way, the most common by far: no look at each.
            words = _words_of(data)
            word, count = words[0], len(words)
            route = self.routes.get(word, 0)
            if count > 1 and route and words.count(word) < count:
                route = self._common(words)
            if route:
                self.emit(data, count, route)
                if self.outstanding > self._most or self.bytes > self.listener.max_bytes:
                    self._pause()
                return
        if self.passage is not None:
            self.passage.take(data)
            return
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

    @property
    def peer(self) -> bytes:
        """Return where the client is, as CLIENT LIST tells it."""
        return _told(self.transport.get_extra_info("peername") if self.transport else None)

    @property
    def place(self) -> bytes:
        """Return where it came in."""
        return _told(self.transport.get_extra_info("sockname") if self.transport else None)

    # --- routing -----------------------------------------------------------------------------

    def _common(self, words: list[bytes]) -> int:
        """Return the kind of run that all of these may be, 0 if there is none."""
        kinds = {self.routes.get(word, 0) for word in set(words)}
        if 0 in kinds:
            return 0
        # What is read before or behind a write stays with it, in order, without a wait.
        return kinds.pop() if len(kinds) == 1 else _WRITE if _WRITE in kinds else 0

    def _group(self, buffer: bytes, found: "list[Found]") -> None:
        """Make runs of commands that go the same way."""
        routes = self.routes
        kind = count = 0
        begin = last = found[0][1]
        for index, (word, at, end) in enumerate(found):
            route = routes.get(word, 0)
            if route == kind != 0:
                count += 1
                last = end
                continue
            if route and kind and _WRITE in {kind, route}:
                # What is read before or behind a write stays with it, in order, without a wait.
                kind = _WRITE
                count += 1
                last = end
                continue
            if count:
                self.emit(buffer[begin:last], count, kind)
            if not route:
                self._later(buffer, found[index:])
                return
            kind, count, begin, last = route, 1, at, end
        if count:
            whole = begin == 0 and last == len(buffer)
            self.emit(buffer if whole else buffer[begin:last], count, kind)

    def _later(self, buffer: bytes, found: "list[Found]") -> None:
        """Keep commands to be taken one by one."""
        if self.backlog is _NOTHING:
            self.backlog = deque()
        self.backlog.extend([(buffer, *one) for one in found])

    def emit(self, data: bytes, count: int, kind: int) -> ClientRun:
        """Send a run where its kind goes."""
        self.heard = now = self.hub.now()
        run = ClientRun(self, data, count, kind, now)
        run.is_muted = self.is_muting
        self.runs.append(run)
        self.outstanding += count
        self.bytes += len(data)
        if kind == _READ and not self.writing and self.reader.reads(run):
            return run
        if kind == _WRITE:
            self.writing += 1
        self.to_primary(run)
        return run

    def emit_slow(self, data: bytes, kind: int) -> None:
        """Send a command that may take long, so that others do not wait for it."""
        run = SlowRun(self, data, 1, kind, self.hub.now())
        run.is_muted = self.is_muting
        self.add(run)
        if kind == _READ and not self.writing and self.reader.reads(run):
            return
        if kind == _WRITE:
            self.writing += 1
        self.to_primary(run)

    def add(self, run: ClientRun) -> None:
        """Put a run that somebody else sends in its place among the others."""
        self.runs.append(run)
        self.outstanding += run.count
        self.bytes += len(run.data)

    def to_primary(self, run: ClientRun) -> None:
        """Send a run to the primary, or keep it until there is one."""
        hub = self.hub
        primary = hub.primary
        if self.guards and not run.token:
            self._moving.append(run)  # a read that may come back to the primary goes first
            return
        if primary is None or hub.held:
            hub.hold(run)
            return
        link = self.link
        if link is None or not link.takes_new or link.node is not primary or run.is_slow:
            link = self._relinked(primary, run)
            if link is None:
                return
        run.link = link
        link.send(run)
        if hub.has_replicas:
            self.reader.wrote(run, link)

    def _relinked(self, primary: "Node", run: ClientRun) -> "Link | None":
        """Return a link to another primary; None: the run waits for what is under way.

        Commands that a server refuses because it is demoted are sent again, in order and before
        any that came later.
        """
        link = self.link
        if self._old is None and link is not None and not link.is_closed and link.node is primary:
            if self.is_under_way(link):
                return link  # though it is slow: what it does comes first
            choose = primary.lane if run.is_slow else primary.link
            self.link = choose(self.session.attributes)
            return self.link
        old = self._old or link
        if old is not None and not old.is_closed and self.is_under_way(old):
            self._old, self.link = old, None
            if not run.tries:
                self._moving.append(run)
                return None
            return primary.link(self.session.attributes)
        self._old = None
        choose = primary.lane if run.is_slow else primary.link
        link = self.link = choose(self.session.attributes)
        moving, self._moving = self._moving, []
        for one in moving:
            self.to_primary(one)
        return link

    def is_under_way(self, link: "Link") -> bool:
        """Say whether commands of this client have no reply from there yet."""
        return any(run.link is link and not run.is_done for run in self.runs)

    def _move(self) -> None:
        """Send what waited for a former primary, if that has answered all."""
        if not self.guards and (self._old is None or not self.is_under_way(self._old)):
            self._old = None
            moving, self._moving = self._moving, []
            for run in moving:
                self.to_primary(run)

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

    @property
    def is_choked(self) -> bool:
        """Whether as much is under way as may be."""
        limits = self.listener
        return (
            self._is_held
            or self.outstanding > limits.max_outstanding
            or self.bytes > limits.max_bytes
        )

    def hold(self, *, is_held: bool) -> None:
        """Read no more while the upstream that the client has alone takes no more."""
        self._is_held = is_held
        if is_held:
            self._pause()
        else:
            self._resume_if_less()

    # --- replies -----------------------------------------------------------------------------

    def local(self, reply: bytes) -> None:
        """Answer a command here, in its turn."""
        if self.is_muting:
            return
        if not self.runs:
            self.write(reply)
            return
        run = ClientRun(self, b"", 0, 0, self.hub.now())
        run.is_done, run.out = True, reply
        self.runs.append(run)

    def answered(self, run: ClientRun, reply: bytes) -> None:
        """Take all replies of a run; write what is at its turn."""
        if self.is_closed or run.is_done:
            return
        run.is_done = True
        if run.slot is not None:
            run.slot(reply)
            return
        self.outstanding -= run.count
        self.bytes -= len(run.data)
        if run.kind == _WRITE:
            self.writing -= 1
        if run.token:
            self.guards -= 1
        if run.after is not None:
            reply = run.after(reply)
        self.hub.counted(run)
        if run.is_muted:
            reply = b""
        runs = self.runs
        if runs[0] is not run:
            run.out = reply
            self._keep(len(reply))
            if self._moving:  # what is at its turn may have waited for this one
                self._move()
            return
        runs.popleft()
        self.write(reply)
        if runs:
            self._write_done()
        is_waited_for = not (runs or self.is_direct)
        if is_waited_for or self._is_paused or self.backlog or self._moving or self._has_ended:
            self.settle()

    def _write_done(self) -> None:
        runs = self.runs
        while runs and runs[0].is_done:
            out = runs.popleft().out
            self._kept -= len(out)
            self.write(out)
        if runs and runs[0].is_streamed:
            self.streamed(runs[0])

    def streamed(self, run: ClientRun) -> None:
        """Pass on what there is of a long reply, if it is at its turn."""
        run.is_streamed = True
        if not self.is_closed and self.runs and self.runs[0] is run and run.after is None:
            parts, run.parts = run.parts, []
            if not run.is_muted:
                self.write(b"".join(parts))
        elif (
            not self.is_closed
            and self._kept + sum(map(len, run.parts)) > self.hub.settings.reply_hard
        ):
            self.close("reply_buffer", is_abort=True)

    def _keep(self, size: int, more: int = 0) -> None:
        """Count what waits for replies before it; it has a limit as what waits for the client."""
        self._kept += size
        if self._kept + more > self.hub.settings.reply_hard and not self.is_closed:
            self.close("reply_buffer", is_abort=True)

    def write(self, data: bytes) -> None:
        """Write to the client."""
        if data and self.transport is not None:
            self.transport.write(data)
            if self.is_slow:
                self.hub.grew(self, len(data))

    def swelled(self, size: int) -> None:
        """Hear of replies that a small buffer does not hold."""
        now = self.hub.now()
        if size >= self.peak or now - self.peaked_at > self.hub.peak_reset >= 0:
            self.peak, self.peaked_at = size, now

    @property
    def waiting(self) -> int:
        """Return how many bytes of replies wait for their turn, or for the client."""
        waiting = self.transport.get_write_buffer_size() if self.transport is not None else 0
        return waiting + self._kept

    def settle(self) -> None:
        """Go on with what waited for replies."""
        if self._moving:
            self._move()
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

    # --- waiting and ending ------------------------------------------------------------------

    def barrier(self, action: Callable[[], None]) -> None:
        """Do something when all before it is answered; nothing behind it is taken before."""
        if not self.runs:
            action()
        else:
            self._barrier = action
            self.is_direct = False

    def break_off(self) -> None:
        """Tell a mistake against the protocol in its turn, and end."""
        self.barrier(self._break)

    def _break(self) -> None:
        failure = self.requests.failure
        if failure:
            self.write(b"-ERR Protocol error: " + failure.encode("latin-1") + b"\r\n")
        self.close("protocol")

    def _pause(self) -> None:
        if not self._is_paused and self.transport is not None and not self._has_ended:
            self._is_paused = True
            self.transport.pause_reading()

    def _resume_if_less(self) -> None:
        if self._is_paused and not self.is_choked and not self.is_closed:
            if len(self.backlog) > self.listener.max_outstanding:
                return
            self._is_paused = False
            if self.transport is not None:
                self.transport.resume_reading()

    def _end_if_done(self) -> None:
        if self._has_ended and not self.runs and not self.backlog and not self.session.waits:
            self.close("")

    def close(self, reason: str, *, is_abort: bool = False) -> None:
        """End the connection after what was written; ``reason`` is counted."""
        if self.is_closed:
            return
        self.is_closed = True
        if reason:
            self.hub.dropped(reason)
        if self.transport is not None:
            if is_abort:
                self.transport.abort()
            else:
                self.transport.close()
        self._forget()

    def _forget(self) -> None:
        self.hub.leave(self)
        self.session.end()
        self.runs.clear()
        self.backlog.clear()


def _told(address: object) -> bytes:
    """Return an address as Redis tells it; of a Unix socket its path."""
    if isinstance(address, tuple):
        host, port, *_ = address
        return f"[{host}]:{port}".encode() if ":" in host else f"{host}:{port}".encode()
    return f"{address or ''}:0".encode()
