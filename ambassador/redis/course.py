"""What an upstream that one client has alone is in the middle of: MULTI, WATCH, tracking.

The state is followed by the replies, as only they tell what became of a command.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ambassador.redis import errors, identity
from ambassador.redis.replies import elements
from ambassador.redis.run import ClientRun

if TYPE_CHECKING:
    from ambassador.redis.client import Client
    from ambassador.redis.lease import Lease
    from ambassador.redis.session import Session

__all__ = ["Course"]

After = Callable[[bytes], bytes]
_QUEUED: Final = b"+QUEUED\r\n"


class Course:
    """What goes on over several commands."""

    __slots__ = (
        "_client", "_effects", "_end", "_lease", "_queued", "_session", "in_multi", "is_broken",
        "is_tracking", "is_watching", "last", "listens",
    )  # fmt: skip

    def __init__(self, lease: "Lease", session: "Session", client: "Client") -> None:
        """Start in the middle of nothing."""
        self._lease = lease
        self._session = session
        self._client = client
        self.in_multi = False
        self.is_watching = False
        self.is_tracking = False
        self.is_broken = False  # the upstream was lost in the middle of it
        self.listens = False  # from the end of MULTI on
        self.last: ClientRun | None = None  # the EXEC
        self._end: ClientRun | None = None  # of a transaction, under way: EXEC or DISCARD
        self._queued = 0  # commands since MULTI
        self._effects: list[tuple[int, After]] = []
        """What follows the replies to some of those, which come with that to EXEC."""

    @property
    def is_transaction(self) -> bool:
        """Whether commands belong together until EXEC, DISCARD or UNWATCH."""
        return self.in_multi or self.is_watching or self.is_broken

    def begin(self, queued: int) -> None:
        """Take that MULTI goes out before what is taken next, and so many commands behind it."""
        self.in_multi, self._queued = True, queued

    def follower(
        self, run: ClientRun, words: list[bytes], name: str, after: After | None
    ) -> After | None:
        """Return what keeps the state by the reply, and makes that the client's."""
        if name == "multi":
            was_multi, self.in_multi = self.in_multi, True
            return None if was_multi else self._began
        if name == "watch":
            self.is_watching = True
            return None
        if name in {"exec", "discard"} and self.in_multi:
            self._session.waits = True  # what comes behind is not in the transaction
            self._end, self.last = run, run if name == "exec" else None
            return self._executed if name == "exec" else self._discarded
        after = after or self._follower_of_session(words, name)
        return self._in_turn(after) if self.in_multi else after

    def _in_turn(self, after: After | None) -> After:
        """Return a follower that acts when EXEC is answered, if the command is queued."""

        def queued(reply: bytes) -> bytes:
            if reply != _QUEUED:
                return reply if after is None else after(reply)
            if after is not None:
                self._effects.append((self._queued, after))
            self._queued += 1
            return reply

        return queued

    def _follower_of_session(self, words: list[bytes], name: str) -> After | None:
        if name == "select" and len(words) == 2 and words[1].isdigit():
            return self._chosen(int(words[1]))
        if name == "unwatch":
            return self._unwatched
        if name == "client|tracking" and len(words) > 2:
            return self._tracked(is_on=words[2].upper() == b"ON")
        if name in {"hello", "auth", "client|setname", "client|setinfo"}:
            return identity.follower(self._session, self._client, words, name)
        return None

    def _began(self, reply: bytes) -> bytes:
        self.in_multi = reply.startswith(b"+OK")
        if not self.in_multi:
            self._wrote()
        return reply

    def _discarded(self, reply: bytes) -> bytes:
        self._session.waits = False
        if reply.startswith(b"+OK"):
            self._forget()
            self._wrote()
        return reply

    def _wrote(self) -> None:
        self._client.reader.wrote_alone(self._lease.link)

    def _forget(self) -> None:
        self.in_multi = self.is_watching = self.listens = False
        self.last = None
        self._queued = 0
        self._effects = []

    def _executed(self, reply: bytes) -> bytes:
        self._session.waits = False
        effects, listens = self._effects, self.listens
        self._forget()
        self._wrote()
        is_done = reply.startswith((b"*", b">")) and not reply.startswith(b"*-")
        if is_done and effects:
            parts = elements(reply)
            for place, effect in effects:
                parts[place + 1] = effect(parts[place + 1])
            reply = b"".join(parts)
        if is_done and listens:
            # Subscribed within the transaction: messages may follow at once, and stay.
            self._lease.listen_for_good()
        return reply

    def _unwatched(self, reply: bytes) -> bytes:
        if reply.startswith(b"+OK"):
            self.is_watching = False
        return reply

    def _tracked(self, *, is_on: bool) -> After:
        def after(reply: bytes) -> bytes:
            if reply.startswith(b"+OK"):
                self.is_tracking = is_on
            return reply

        return after

    def _chosen(self, db: int) -> After:
        def after(reply: bytes) -> bytes:
            if reply.startswith(b"+OK"):
                self._session.become(self._session.attributes._replace(db=db))
            return reply

        return after

    def refuse(self, name: str) -> None:
        """Answer a command of a transaction of which the upstream was lost."""
        client = self._client
        if name == "multi" and not self.in_multi:
            self.in_multi = True
            client.local(b"+OK\r\n")
        elif name in {"exec", "discard"} and not self.in_multi:
            client.local(b"-ERR %b without MULTI\r\n" % name.upper().encode())
        elif name in {"exec", "discard"} or (name == "unwatch" and not self.in_multi):
            self.is_broken = False
            self._forget()
            client.local(errors.ABORTED if name == "exec" else b"+OK\r\n")
            if not client.runs:
                self._session.release(is_clean=False)
        else:
            client.local(errors.BROKEN)

    def lost(self, run: ClientRun, *, was_sent: bool) -> bytes:
        """Return what to answer for a command that has no reply."""
        if run is self._end:
            self._session.waits = False
        if run is self.last:
            self.in_multi = self.is_watching = self.is_broken = False
            self.last = None
            self._client.hub.unknown_outcomes += was_sent
            reply = errors.UNKNOWN_OUTCOME if was_sent else errors.ABORTED
        elif self.in_multi or self.is_watching:
            self.is_broken = True
            reply = errors.BROKEN
        else:
            self._client.hub.unknown_outcomes += was_sent
            reply = errors.UNKNOWN_OUTCOME
        return reply
