"""MONITOR as one Redis would tell it: the commands of clients, by their addresses, and not ours.

While somebody uses it, what goes out on each connection to that server is logged; a line is told
as the client's whose command it is. A command that is answered here is told as well: a PING in its
place among the others of its client, whose line is replaced. What a replica has answered is told
when it is, as the primary knows nothing of it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from ambassador.redis.commands import Route
from ambassador.redis.framing import Requests
from ambassador.redis.monitored import LINE, Log, line_of, redacted
from ambassador.redis.replies import Replies
from ambassador.redis.resp import arguments, packed
from ambassador.redis.run import ClientRun, Run
from sidecar.runtime.clock import SystemClock

if TYPE_CHECKING:
    from ambassador.redis.client import Client
    from ambassador.redis.commands import Command
    from ambassador.redis.hub import Hub
    from ambassador.redis.link import Link
    from ambassador.redis.node import Node

__all__ = ["Monitor", "Monitors"]

_PING: Final = packed(b"PING")
_PLUS: Final = 0x2B
_ON: Final = b"+OK\r\n"
_MANY: Final = 4096
_UNTOLD: Final = frozenset({"quit", "client|id", "info", "ambassador"})
"""What is not told, or told by the server itself."""


class Monitors:
    """All uses of MONITOR."""

    def __init__(self, hub: "Hub") -> None:
        """Start with none."""
        self._hub = hub
        self._clock = SystemClock()
        self._uses: list[Monitor] = []
        self._followed: list[Link] = []
        self._by_port: dict[bytes, Link] = {}

    def begin(self, monitor: "Monitor") -> None:
        """Log what goes out from now on."""
        self._uses.append(monitor)
        if len(self._uses) == 1:
            for node in self._hub.nodes.values():
                for link in node.every_link():
                    self._follow(link)

    def end(self, monitor: "Monitor") -> None:
        """Log no more, unless somebody else wants it."""
        self._uses.remove(monitor)
        if not self._uses:
            for link in self._followed:
                link.log = None
            self._followed.clear()
            self._by_port.clear()

    def take(self, link: "Link") -> None:
        """Take a connection that is new."""
        if self._uses:
            self._follow(link)

    def _follow(self, link: "Link") -> None:
        if len(self._followed) > _MANY:
            self._followed = [one for one in self._followed if not one.is_closed]
            self._by_port.clear()
        if link.is_closed:
            return
        log = link.log = Log()
        for run in link.queue:  # what is under way may still be told
            note(log, run)
        self._followed.append(link)

    def link_at(self, place: bytes, node: "Node") -> "Link | None":
        """Return our connection that a server sees at this place.

        By its port alone, as the address may be translated between here and there.
        """
        port = b"unix" if place.startswith(b"unix:") else place.rpartition(b":")[2]
        if port not in self._by_port:
            self._by_port.update({link.port: link for link in self._followed})
        link = self._by_port.get(port)
        return link if link is not None and link.node is node else None

    def show(self, client: "Client", words: list[bytes], found: "Command") -> None:
        """Tell a command that is answered here."""
        hub, hides = self._hub, {"admin", "skip_monitor"} & found.flags
        if not self._uses or hides or found.name in _UNTOLD or hub.is_cluster:
            return
        link, primary = client.writer.link, hub.primary
        if (link is None or link.is_closed) and primary is not None:
            link = primary.link(client.session.attributes)
        if link is not None:
            link.send(Shown(client, line_of(redacted(found.name, words))))

    def tell(self, run: ClientRun) -> None:
        """Tell commands that a replica has answered."""
        owner: Any = run.owner
        begin = b"+%.6f [%d %b] " % (
            self._clock.wall(),
            owner.session.attributes.db,
            place_of(owner) or b"",
        )
        for buffer, found in Requests().split(run.data):
            for _, start, end in found:
                line = begin + line_of(arguments(buffer[start:end])) + b"\r\n"
                for monitor in self._uses:
                    monitor.tell(line)


class Shown(Run):
    """A PING in place of a command that is answered here."""

    __slots__ = ("line", "owner")

    def __init__(self, owner: "Client", line: bytes) -> None:
        """Take whose command is to be told, and how."""
        super().__init__(_PING, 1)
        self.owner, self.line = owner, line

    def finish(self, piece: bytes) -> None:
        """Drop it."""

    def lost(self, why: str, *, was_sent: bool) -> None:
        """Drop it."""


def note(log: Log, run: Run) -> None:
    """Log a run."""
    if isinstance(run, Shown):
        log.add(run.data, place_of(run.owner), run.line)
    else:
        log.add(run.data, place_of(run.owner) if isinstance(run, ClientRun) else None)
        if isinstance(run, ClientRun) and run.kind == Route.READ:
            _tell_at_end(run)


def _tell_at_end(run: ClientRun) -> None:
    """Have a read told when a replica has answered it, unless the primary is asked instead."""
    link: Any = run.link
    if link is None or link.node.is_primary or link.node.hub.is_cluster:
        return
    before, hub = run.after, link.node.hub

    def after(reply: bytes) -> bytes:
        if run.link is link:
            hub.monitors.tell(run)
        return reply if before is None else before(reply)

    run.after = after


def place_of(owner: object) -> bytes | None:
    """Return where a client is, as MONITOR tells it; None: what has no connection is ours."""
    peer: bytes | None = getattr(owner, "peer", None)
    if peer is not None and peer.endswith(b":0"):
        place: bytes = getattr(owner, "place", b"")
        return b"unix:" + place[:-2]
    return peer


class Monitor:
    """One use of MONITOR: turns what a server tells into what the client is told."""

    def __init__(self, hub: "Hub", node: "Node", write: Callable[[bytes], None]) -> None:
        """Begin, before MONITOR goes out; ``write`` takes lines that the server does not tell."""
        self._monitors = hub.monitors
        self._node = node
        self._replies = Replies(takes_pushes=True)
        self._begun: list[bytes] = []  # of a line
        self._write = write
        self._is_on = False
        self._waiting: list[bytes] = []  # lines, for the end of what passes
        self._monitors.begin(self)

    def end(self) -> None:
        """End."""
        self._monitors.end(self)

    def tell(self, line: bytes) -> None:
        """Take a line that the server does not tell."""
        if self._begun or self._replies.is_inside:
            self._waiting.append(line)
        elif self._is_on:
            self._write(line)

    def take(self, data: bytes) -> bytes:
        """Take what comes, in pieces of any size; return what of it the client sees."""
        seen: list[bytes] = []
        at = 0
        while at < len(data):
            is_line = bool(self._begun) or (data[at] == _PLUS and not self._replies.is_inside)
            end, _ = self._replies.take_one(data, at)
            piece = data[at:end]
            at = end
            if not is_line:  # it passes as it comes
                seen.append(piece)
                continue
            self._begun.append(piece)
            if not self._replies.is_inside:
                frame = b"".join(self._begun)
                self._begun.clear()
                seen.append(self._told(frame))
        if self._waiting and not self._begun and not self._replies.is_inside:
            seen += self._waiting
            self._waiting.clear()
        return b"".join(seen)

    def _told(self, frame: bytes) -> bytes:
        match = LINE.fullmatch(frame)
        if match is None:
            self._is_on = self._is_on or frame == _ON
            return frame
        begin, place, told = match.groups()
        link = self._monitors.link_at(place, self._node) if b":" in place else None
        if link is None:
            return frame
        sent = link.log.find(told) if link.log is not None else None
        if sent is not None:
            if sent.place is None:
                return b""
            return b"%b%b] %b\r\n" % (begin, sent.place, sent.shown or told)
        owner = place_of(link.client)  # of one that somebody has alone it is clear
        return frame if owner is None else b"%b%b] %b\r\n" % (begin, owner, told)
