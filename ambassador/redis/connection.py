"""A client's connection: replies go out on it in the order of the commands, until it ends.

A reply waits for nothing but those before it (``runs``). Who has more to do when a reply is out,
as something waits for it, says so (``has_waiting``).
"""

from abc import abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Final, cast

from ambassador.frame.dialing import tune
from ambassador.redis.run import ClientRun, Owner

if TYPE_CHECKING:
    import asyncio

    from ambassador.redis.hub import Hub
    from ambassador.redis.link import Link
    from ambassador.redis.settings import Listener

__all__ = ["NOTHING", "UPSTREAM", "Connection"]

UPSTREAM: Final = 1
"""Why a client is held: the upstream that it has alone takes no more."""
_HIGH: Final = 1 << 20
_LOW: Final = 1 << 18
_WRITE: Final = 2  # Route, as a plain number for the hot path
NOTHING: Final[deque[tuple[bytes, bytes, int, int]]] = deque(maxlen=0)
"""The backlog of most clients, for ever."""


class Connection(Owner):
    """The side towards a client; an asyncio protocol by its methods (see ``Carrier``)."""

    __slots__ = (
        "_has_ended",
        "_held",
        "_is_paused",
        "_kept",
        "_most",
        "_most_bytes",
        "backlog",
        "bytes",
        "guards",
        "has_waiting",
        "heard",
        "hub",
        "id",
        "is_closed",
        "is_muting",
        "is_slow",
        "listener",
        "outstanding",
        "peak",
        "peaked_at",
        "runs",
        "since",
        "slow_since",
        "transport",
        "writing",
    )

    def __init__(self, hub: "Hub", listener: "Listener") -> None:
        """Start without a connection, and nothing under way."""
        self.hub = hub
        self.listener = listener
        self.id = hub.next_id()
        self.transport: asyncio.Transport | None = None
        self.since = self.peaked_at = hub.now()
        self.peak = 0  # bytes of the largest replies of late
        self.heard = self.since
        self.is_closed = False
        self.is_slow = False  # does not read what we send
        self.slow_since = 0.0
        self.runs: deque[ClientRun] = deque()
        self.guards = 0  # reads on replicas: nothing that comes later may be executed before
        self.writing = 0  # runs with writes that are not answered
        self.outstanding = 0
        self.bytes = 0
        self.is_muting = False
        self.has_waiting = False
        self.backlog = NOTHING
        self._most = listener.max_outstanding
        self._most_bytes = listener.max_bytes
        self._kept = 0  # bytes of replies that are not at their turn
        self._is_paused = False
        self._held = 0  # reasons to read no more
        self._has_ended = False  # sends no more

    @abstractmethod
    def settle(self) -> None:
        """Go on with what waited for replies."""

    @abstractmethod
    def _grew(self, size: int) -> None:
        """Hear that more waits for a client that does not read."""

    @abstractmethod
    def _forget(self) -> None:
        """Let go of everything, as the connection ends."""

    @property
    def peer(self) -> bytes:
        """Return where the client is, as CLIENT LIST tells it."""
        return _told(self.transport.get_extra_info("peername") if self.transport else None)

    @property
    def place(self) -> bytes:
        """Return where it came in."""
        return _told(self.transport.get_extra_info("sockname") if self.transport else None)

    def _connected(self, transport: "asyncio.BaseTransport") -> "asyncio.Transport":
        """Keep the transport; hear when so much waits that a client does not seem to read."""
        self.transport = taken = cast("asyncio.Transport", transport)
        tune(transport)
        taken.set_write_buffer_limits(_HIGH, _LOW)
        return taken

    # --- replies -----------------------------------------------------------------------------

    def add(self, run: ClientRun) -> None:
        """Put a run that somebody else sends in its place among the others."""
        self.runs.append(run)
        self.outstanding += run.count
        self.bytes += len(run.data)

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
            if self.has_waiting:  # what is at its turn may have waited for this one
                self.settle()
            return
        runs.popleft()
        if runs and runs[0].is_done:
            self._write_done(reply)
        else:
            self.write(reply)
        if runs and runs[0].is_streamed:
            self.streamed(runs[0])
        if self.has_waiting:
            self.settle()

    def _write_done(self, reply: bytes) -> None:
        """Write a reply and those that waited for it, together."""
        runs, replies, size = self.runs, [reply], 0
        while runs and runs[0].is_done:
            out = runs.popleft().out
            size += len(out)
            replies.append(out)
        self._kept -= size
        if self.transport is not None:
            self.hub.given += len(reply) + size
            self.transport.writelines(replies)
            if self.is_slow:
                self._grew(len(reply) + size)

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
            self.hub.given += len(data)
            self.transport.write(data)
            if self.is_slow:
                self._grew(len(data))

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

    # --- how much may be under way and wait --

    @property
    def is_choked(self) -> bool:
        """Whether as much is under way as may be."""
        return self._held != 0 or self.outstanding > self._most or self.bytes > self._most_bytes

    def hold(self, *, is_held: bool, why: int = UPSTREAM) -> None:
        """Read no more for a reason, or no more for that one."""
        if is_held:
            self._held |= why
            self._pause()
        else:
            self._held &= ~why
            self._resume_if_less()

    def sources(self) -> "set[Link]":
        """Return the servers' connections where replies for it come from."""
        return {cast("Link", run.link) for run in self.runs if run.link is not None}

    def _pause(self) -> None:
        if not self._is_paused and self.transport is not None and not self._has_ended:
            self._is_paused = self.has_waiting = True
            self.transport.pause_reading()

    def _resume_if_less(self) -> None:
        if self._is_paused and not self.is_choked and not self.is_closed:
            if len(self.backlog) > self._most:
                return
            self._is_paused = False
            if self.transport is not None:
                self.transport.resume_reading()

    # --- the end -----------------------------------------------------------------------------

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


def _told(address: object) -> bytes:
    """Return an address as Redis tells it; of a Unix socket its path."""
    if isinstance(address, tuple):
        host, port, *_ = address
        return f"[{host}]:{port}".encode() if ":" in host else f"{host}:{port}".encode()
    return f"{address or ''}:0".encode()
