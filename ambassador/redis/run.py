"""Runs: consecutive commands of one origin that go to one upstream together.

A run is the unit of everything here: one slice of bytes is forwarded, so many replies are counted,
and what happens when the upstream is lost is decided for it. There is no object per command.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from ambassador.redis.resp import Failure, decode
from sidecar.errors import ProtocolError

__all__ = ["STREAM", "Ask", "ClientRun", "Owner", "RoleRun", "Run", "Unheard", "class_of"]

STREAM: Final = 65536
"""Bytes of replies that are kept together; what is longer goes on as it comes."""
_LOOK: Final = 3  # Route, as a plain number for the hot path
_NO_PARTS: Final[list[bytes]] = []
"""What has come of most runs before the last of it; never added to."""


class Run(ABC):
    """What every link can carry."""

    __slots__ = ("count", "data", "has_error", "kind", "left", "parts")

    def __init__(self, data: bytes, count: int) -> None:
        """Take the bytes of so many commands."""
        self.data = data
        self.count = count
        self.left = count
        self.kind = 0  # ``Route`` of what is a client's
        self.has_error = False
        self.parts = _NO_PARTS

    def partial(self, piece: bytes) -> None:
        """Take replies that are not all."""
        if self.parts:
            self.parts.append(piece)
        else:
            self.parts = [piece]

    @abstractmethod
    def finish(self, piece: bytes) -> None:
        """Take the last of the replies."""

    @abstractmethod
    def lost(self, why: str, *, was_sent: bool) -> None:
        """Hear that the rest of the replies will not come."""

    def whole(self, piece: bytes) -> bytes:
        """Return all replies, of which this is the last piece."""
        if not self.parts:
            return piece
        self.parts.append(piece)
        found = b"".join(self.parts)
        self.parts.clear()
        return found


class Owner(ABC):
    """Whose run it is, as a run sees it."""

    __slots__ = ()

    @abstractmethod
    def answered(self, run: "ClientRun", reply: bytes) -> None:
        """Take all replies of a run (the rest of them when it was streamed)."""

    @abstractmethod
    def streamed(self, run: "ClientRun") -> None:
        """Take what there is of a long reply."""

    @abstractmethod
    def swelled(self, size: int) -> None:
        """Hear of replies that a small buffer does not hold."""

    @abstractmethod
    def failed(self, run: "ClientRun", why: str, *, was_sent: bool) -> None:
        """Hear that a run's upstream was lost."""

    @abstractmethod
    def moved(self, run: "ClientRun") -> None:
        """Send a read on another connection, as it only waits for others where it is."""

    @abstractmethod
    def inspect(self, run: "ClientRun", reply: bytes) -> None:
        """Take replies of which one is an error."""


class ClientRun(Run):
    """Commands of a client."""

    __slots__ = (
        "after",
        "fallback",
        "is_done",
        "is_muted",
        "is_slow",
        "is_stale",
        "is_streamed",
        "link",
        "out",
        "owner",
        "sent",
        "since",
        "slot",
        "token",
        "tries",
    )

    def __init__(self, owner: Owner, data: bytes, count: int, kind: int, since: float) -> None:
        """Take commands of one kind (``Route``) that came at some time."""
        # Not by super(): this is the one object that is made per turn and client.
        self.data = data
        self.count = self.left = count
        self.has_error = False
        self.parts = _NO_PARTS
        self.owner = owner
        self.kind = kind
        self.since = self.sent = since  # when it came, and went on if that was later
        self.token = 0  # not 0: on a replica, that must have reached this offset
        self.tries = 0
        self.is_stale = False
        self.is_streamed = False
        self.is_muted = False
        self.is_slow = False  # those of others should not wait behind it
        self.is_done = False
        self.out = b""
        self.fallback = b""  # the error of who did not execute it
        self.link: object = None
        self.after: Callable[[bytes], bytes] | None = None
        self.slot: Callable[[bytes], None] | None = None

    def partial(self, piece: bytes) -> None:
        """Keep it, or pass it on when it becomes long."""
        super().partial(piece)
        if self.is_streamed or (
            not self.is_stale
            and not self.has_error
            and self.slot is None
            and sum(map(len, self.parts)) > STREAM
        ):
            self.owner.streamed(self)

    def finish(self, piece: bytes) -> None:
        """Answer the client."""
        reply = self.whole(piece) if self.parts else piece
        if self.has_error or self.is_stale or self.slot is not None:
            self.owner.inspect(self, reply)
        else:
            self.owner.answered(self, reply)

    def lost(self, why: str, *, was_sent: bool) -> None:
        """Let the client's side decide what becomes of it."""
        self.owner.failed(self, why, was_sent=was_sent)


def class_of(run: ClientRun) -> int:
    """Return as which of the classes a run is counted: its route if it needs no closer look."""
    return run.kind if run.kind <= _LOOK else 0


class Unheard(Run):
    """Commands that somebody else answers meanwhile."""

    __slots__ = ()

    def partial(self, piece: bytes) -> None:
        """Drop it."""

    def finish(self, piece: bytes) -> None:
        """Drop it."""

    def lost(self, why: str, *, was_sent: bool) -> None:
        """Drop it."""


class Ask(Run):
    """A question of our own; the answers are decoded."""

    __slots__ = ("_fail", "_tell")

    def __init__(
        self,
        data: bytes,
        count: int,
        tell: Callable[[list[object]], None],
        fail: Callable[[str], None],
    ) -> None:
        """Call ``tell`` with the answers, or ``fail`` with why there are none."""
        super().__init__(data, count)
        self._tell = tell
        self._fail = fail

    def finish(self, piece: bytes) -> None:
        """Tell."""
        data, at, found = self.whole(piece), 0, []
        try:
            for _ in range(self.count):
                value, at = decode(data, at)
                found.append(value)
        except (ProtocolError, ValueError) as wrong:
            self._fail(str(wrong))
            return
        self._tell(found)

    def lost(self, why: str, *, was_sent: bool) -> None:  # noqa: ARG002
        """Tell why not."""
        self._fail(why)


class RoleRun(Run):
    """A ROLE among the commands of clients: how far the node is, exactly at this place.

    ``tell`` is called with the offset, or None when the answer is not what was expected.
    """

    __slots__ = ("_tell", "_wanted")
    DATA: Final = b"*1\r\n$4\r\nROLE\r\n"

    def __init__(self, wanted: bytes, tell: Callable[[int | None], None]) -> None:
        """Expect the role ``master`` or ``slave``."""
        super().__init__(self.DATA, 1)
        self._wanted = wanted
        self._tell = tell

    def finish(self, piece: bytes) -> None:
        """Tell the offset."""
        self._tell(offset_of(self.whole(piece), self._wanted))

    def lost(self, why: str, *, was_sent: bool) -> None:  # noqa: ARG002
        """Tell that nothing is known."""
        self._tell(None)


def offset_of(reply: bytes, wanted: bytes) -> int | None:
    """Return the offset in a reply to ROLE, None if the role is another or it tells none."""
    try:
        value, _ = decode(reply)
    except (ProtocolError, ValueError):
        return None
    match value:
        case Failure():
            return None
        case [b"master", int(offset), *_] if wanted == b"master":
            return offset
        case [b"slave", _, _, b"connected", int(offset)] if wanted == b"slave":
            return offset
    return None
