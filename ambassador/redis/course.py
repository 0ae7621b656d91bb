"""What an upstream that one client has alone is in the middle of: MULTI, WATCH, tracking.

The state is followed by the replies, as only they tell what became of a command.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ambassador.redis import errors, identity
from ambassador.redis.run import ClientRun

if TYPE_CHECKING:
    from ambassador.redis.client import Client
    from ambassador.redis.lease import Lease
    from ambassador.redis.session import Session

__all__ = ["Course"]


class Course:
    """What goes on over several commands."""

    __slots__ = (
        "_client", "_db", "_lease", "_session", "in_multi", "is_broken", "is_tracking",
        "is_watching", "last", "listens",
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
        self._db: int | None = None  # chosen within MULTI

    @property
    def is_transaction(self) -> bool:
        """Whether commands belong together until EXEC, DISCARD or UNWATCH."""
        return self.in_multi or self.is_watching or self.is_broken

    def follower(
        self, run: ClientRun, words: list[bytes], name: str
    ) -> Callable[[bytes], bytes] | None:
        """Return what keeps the state by the reply."""
        if name == "multi":
            self.in_multi = True
            return self._began
        if name in {"exec", "discard"}:
            self.last = run if name == "exec" else None
            return self._executed
        if name == "select" and len(words) == 2 and words[1].isdigit():
            return self._chosen(int(words[1]))
        if name == "watch":
            self.is_watching = True
            return None
        return None if self.in_multi else self._follower_of_session(words, name)

    def _follower_of_session(
        self, words: list[bytes], name: str
    ) -> Callable[[bytes], bytes] | None:
        if name == "unwatch":
            return self._unwatched
        if name == "client|tracking" and len(words) > 2:
            return self._tracked(is_on=words[2].upper() == b"ON")
        if name in {"hello", "auth"}:
            return identity.follower(self._session, self._client, words, name)
        return None

    def _began(self, reply: bytes) -> bytes:
        if not reply.startswith(b"+OK"):
            self.in_multi = reply.startswith(b"-ERR MULTI calls can not be nested")
        return reply

    def _executed(self, reply: bytes) -> bytes:
        self.in_multi = self.is_watching = False
        self.last = None
        self._client.reader.wrote_alone(self._lease.link)
        if self._db is not None and not reply.startswith((b"-", b"*-1", b"_")):
            self._session.become(self._session.attributes._replace(db=self._db))
        self._db = None
        if self.listens and reply.startswith((b"*", b">")):
            # Subscribed within the transaction: messages may follow at once, and stay.
            self._lease.listen_for_good()
        self.listens = False
        return reply

    def _unwatched(self, reply: bytes) -> bytes:
        self.is_watching = False
        return reply

    def _tracked(self, *, is_on: bool) -> Callable[[bytes], bytes]:
        def after(reply: bytes) -> bytes:
            if reply.startswith(b"+OK"):
                self.is_tracking = is_on
            return reply

        return after

    def _chosen(self, db: int) -> Callable[[bytes], bytes]:
        is_queued = self.in_multi

        def after(reply: bytes) -> bytes:
            if is_queued and reply.startswith(b"+QUEUED"):
                self._db = db
            elif reply.startswith(b"+OK"):
                self._session.become(self._session.attributes._replace(db=db))
            return reply

        return after

    def refuse(self, name: str) -> None:
        """Answer a command of a transaction of which the upstream was lost."""
        client = self._client
        if name == "multi" and not self.in_multi:
            self.in_multi = True
            client.local(b"+OK\r\n")
        elif name in {"exec", "discard", "unwatch"}:
            was_multi, self.in_multi = self.in_multi, False
            self.is_watching = self.is_broken = False
            client.local(
                errors.ABORTED if name == "exec" and was_multi
                else b"+OK\r\n" if name != "exec" else b"-ERR EXEC without MULTI\r\n"
            )  # fmt: skip
            if not client.runs:
                self._session.release(is_clean=False)
        else:
            client.local(errors.BROKEN)

    def lost(self, run: ClientRun, *, was_sent: bool) -> bytes:
        """Return what to answer for a command that has no reply."""
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
