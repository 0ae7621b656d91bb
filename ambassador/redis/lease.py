"""An upstream that one client has alone: transactions, blocking and unknown commands, messages.

Counted, every command has one reply, and the state is followed by the replies (MULTI, WATCH).
Messages of tracking may come between replies. What is all messages is a ``Feed``.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from ambassador.redis import errors, identity, roster
from ambassador.redis.commands import Command, Route
from ambassador.redis.feed import Feed
from ambassador.redis.greeting import Attributes
from ambassador.redis.link import Link
from ambassador.redis.node import Crowded
from ambassador.redis.run import ClientRun
from sidecar.errors import UpstreamUnavailable

if TYPE_CHECKING:
    from ambassador.redis.client import Client
    from ambassador.redis.session import Session

__all__ = ["Lease", "opened"]

_PAUSE = 0.05


async def opened(session: "Session", client: "Client", attributes: Attributes) -> Link:
    """Return an upstream that is set as asked, once there is a primary. Raises Refused."""
    hub = client.hub
    while True:
        node = session.place()
        if node is None:
            await hub.changed.wait()
            continue
        try:
            link = await node.lease(attributes)
            await link.name_as(session.name)
        except UpstreamUnavailable as error:
            if not isinstance(error, Crowded):
                node.suspect()
            await asyncio.sleep(_PAUSE)
            continue
        link.client = client
        return link


class Lease:
    """The use of an upstream by one client."""

    def __init__(self, session: "Session", client: "Client", link: Link) -> None:
        """Begin with an upstream that is as the session's attributes say."""
        self.link = link
        self.feed: Feed | None = None
        self.is_plain = True  # the connection is as it was
        self.is_blocking = False  # the client waits for something to come
        self.is_permanent = False
        self.is_target = False  # of another client's tracking
        self.redirects_to = 0  # whom messages of tracking go to, by our id
        self._session = session
        self._client = client
        self._in_multi = False
        self._is_watching = False
        self._is_tracking = False
        self._is_broken = False
        self._db: int | None = None  # chosen within MULTI
        self._listens = False  # from the end of MULTI on
        self._exec: ClientRun | None = None
        link.pushed = self._pushed

    @property
    def is_transparent(self) -> bool:
        """Whether everything passes, uncounted."""
        return self.feed is not None or self.is_permanent

    @property
    def is_free(self) -> bool:
        """Whether nothing keeps the upstream."""
        return not (
            self.is_transparent
            or self._in_multi
            or self._is_watching
            or self._is_tracking
            or self._is_broken
            or self.is_target
            or self._session.waits
            or self._client.runs
        )

    @property
    def is_held(self) -> bool:
        """Whether what it is used for goes on over several commands."""
        return (
            self.is_transparent or self._in_multi or self._is_watching or self._is_broken
        )  # fmt: skip

    @property
    def is_broken(self) -> bool:
        """Whether the upstream of a transaction was lost."""
        return self._is_broken

    @property
    def subscriptions(self) -> int:
        """Return how many there are after all that has come."""
        return self.feed.count if self.feed is not None else 0

    @property
    def is_endless(self) -> bool:
        """Whether it carries what never ends: MONITOR, tracking."""
        return self._is_tracking or (self.feed is not None and self.feed.is_for_good)

    def in_transaction(self) -> None:
        """Take that MULTI goes out before what is taken next."""
        self._in_multi = True

    def is_last(self, run: ClientRun) -> bool:
        """Say whether this is the EXEC of the transaction."""
        return run is self._exec

    def move_to(self, link: Link) -> None:
        """Use another upstream; nothing is under way on the one before."""
        old, self.link = self.link, link
        link.client = self._client
        old.pushed, link.pushed = None, self._pushed
        old.node.give_back(old, is_clean=False)

    # --- commands ----------------------------------------------------------------------------

    def take(self, raw: bytes, words: list[bytes], found: Command) -> None:
        """Take a command of the client."""
        name = found.name
        if self.is_permanent:
            self.link.write_raw(raw)
        elif (not self._in_multi and name in identity.OURS) or name in {"reset", "quit"}:
            identity.take(self._session, self._client, raw, words, found)
        elif self._is_broken:
            self._refuse(name)
        elif self.feed is not None:
            self.feed.take(raw, found, words)
        elif found.route is Route.SUBSCRIBE and not self._in_multi:
            self._client.barrier(lambda: self._listen(raw, found, words))
        else:
            self.is_blocking = "blocking" in found.flags and not self._in_multi
            if self.is_blocking:
                self.link.node.warm(self.link.attributes)
            if self._in_multi:
                self._listens |= found.route is Route.SUBSCRIBE or name == "client|tracking"
            self.forward(raw, words, found)

    def _listen(self, raw: bytes, found: Command, words: list[bytes]) -> None:
        self.is_plain = False
        self.feed = Feed(self, self._session, self._client)
        self.feed.is_for_good = self._is_tracking
        self.feed.take(raw, found, words)

    def forward(self, raw: bytes, words: list[bytes], found: Command) -> None:
        """Send a command that has one reply."""
        target = roster.target_of(self._client, words) if found.name == "client|tracking" else None
        if target is None or self._in_multi or not target.session.may_be_lent:
            self._forward(raw, words, found)
            return

        def go(lease: Lease | None) -> None:
            if lease is not None:
                lease.is_target = True
            self._session.waits = False
            if self._session.lease is self and not self._client.is_closed:
                self._forward(raw, words, found)
                self._client.pump()

        self._session.waits = True
        target.session.with_lease(go, failed=lambda _: go(None))

    def begin(self, begun: bytes) -> ClientRun:
        """Send the beginning of a long command; its client passes on the rest."""
        client = self._client
        run = ClientRun(client, begun, 1, 0, client.hub.now())
        run.link = self.link
        run.is_muted = client.is_muting
        run.after = self._covered(None)
        client.add(run)
        self.link.send(run)
        self.link.flush()
        return run

    def _forward(self, raw: bytes, words: list[bytes], found: Command) -> None:
        client, name = self._client, found.name
        self.is_plain = self.is_plain and found.leaves_no_trace
        after = None
        if not self._in_multi:
            raw, after = roster.translated(client, self, raw, words, name)
        run = ClientRun(client, raw, 1, 0, client.hub.now())
        run.link = self.link
        run.is_muted = client.is_muting
        run.after = after or self._follower(run, words, name)
        if not self._in_multi and "readonly" not in found.flags:
            run.after = self._covered(run.after)
        client.add(run)
        self.link.send(run)

    def _follower(
        self, run: ClientRun, words: list[bytes], name: str
    ) -> Callable[[bytes], bytes] | None:
        """Return what keeps the state by the reply."""
        if name == "multi":
            self._in_multi = True
            return self._began
        if name in {"exec", "discard"}:
            self._exec = run if name == "exec" else None
            return self._executed
        if name == "select" and len(words) == 2 and words[1].isdigit():
            return self._chosen(int(words[1]))
        if name == "watch":
            self._is_watching = True
            return None
        return None if self._in_multi else self._follower_of_session(words, name)

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

    def _covered(self, after: Callable[[bytes], bytes] | None) -> Callable[[bytes], bytes]:
        """Return a follower that also lets reads elsewhere see what was written."""

        def both(reply: bytes) -> bytes:
            self._client.reader.wrote_alone(self.link)
            return reply if after is None else after(reply)

        return both

    def _began(self, reply: bytes) -> bytes:
        if not reply.startswith(b"+OK"):
            self._in_multi = reply.startswith(b"-ERR MULTI calls can not be nested")
        return reply

    def _executed(self, reply: bytes) -> bytes:
        self._in_multi = self._is_watching = False
        self._exec = None
        self._client.reader.wrote_alone(self.link)
        if self._db is not None and not reply.startswith((b"-", b"*-1", b"_")):
            self._session.become(self._session.attributes._replace(db=self._db))
        self._db = None
        if self._listens and reply.startswith((b"*", b">")):
            # Subscribed within the transaction: messages may follow at once, and stay.
            self.feed = Feed(self, self._session, self._client)
            self.feed.is_for_good = True
        self._listens = False
        return reply

    def _unwatched(self, reply: bytes) -> bytes:
        self._is_watching = False
        return reply

    def _tracked(self, *, is_on: bool) -> Callable[[bytes], bytes]:
        def after(reply: bytes) -> bytes:
            if reply.startswith(b"+OK"):
                self._is_tracking = is_on
            return reply

        return after

    def _chosen(self, db: int) -> Callable[[bytes], bytes]:
        is_queued = self._in_multi

        def after(reply: bytes) -> bytes:
            if is_queued and reply.startswith(b"+QUEUED"):
                self._db = db
            elif reply.startswith(b"+OK"):
                self._session.become(self._session.attributes._replace(db=db))
            return reply

        return after

    def _pushed(self, data: bytes) -> None:
        """Pass on what tracking tells, between replies; CLIENT REPLY OFF does not stop it."""
        self._client.write(data)

    # --- the upstream is lost ----------------------------------------------------------------

    def lost(self, run: ClientRun, *, was_sent: bool) -> None:
        """Answer for a command that has no reply; a transaction goes on to its end, refused."""
        run.after = None
        if run is self._exec:
            self._in_multi = self._is_watching = self._is_broken = False
            self._exec = None
            self._client.hub.unknown_outcomes += was_sent
            reply = errors.UNKNOWN_OUTCOME if was_sent else errors.ABORTED
        elif self._in_multi or self._is_watching:
            self._is_broken = True
            reply = errors.BROKEN
        else:
            self._client.hub.unknown_outcomes += was_sent
            reply = errors.UNKNOWN_OUTCOME
        self._client.reader.moved()
        self._client.answered(run, reply)

    def gone(self) -> None:
        """Hear that the upstream is closed, with or without commands under way."""
        if self.feed is not None:
            self.feed.gone()
        elif self.is_permanent or self._is_tracking:
            self._client.close("upstream_lost", is_abort=False)
        elif self._in_multi or self._is_watching:
            self._is_broken = True
        elif self._session.lease is self and not self._client.runs:
            self._session.release(is_clean=False)

    def _refuse(self, name: str) -> None:
        client = self._client
        if name == "multi" and not self._in_multi:
            self._in_multi = True
            client.local(b"+OK\r\n")
        elif name in {"exec", "discard", "unwatch"}:
            was_multi, self._in_multi = self._in_multi, False
            self._is_watching = self._is_broken = False
            client.local(
                errors.ABORTED if name == "exec" and was_multi
                else b"+OK\r\n" if name != "exec" else b"-ERR EXEC without MULTI\r\n"
            )  # fmt: skip
            if not client.runs:
                self._session.release(is_clean=False)
        else:
            client.local(errors.BROKEN)

    # --- other ways --------------------------------------------------------------------------

    def keep(self) -> None:
        """Pass everything, for the client's life."""
        self.is_permanent = True
        self.link.tap = self._client.write

    async def replace(self) -> None:
        """Take another upstream. Raises UpstreamUnavailable, Refused and TimeoutError."""
        self.link.node.give_back(self.link, is_clean=False)
        client = self._client
        async with asyncio.timeout(client.hub.settings.failover_queue):
            self.link = await opened(self._session, client, self._session.attributes)
        self.link.pushed = self._pushed

    def give_back(self, *, is_clean: bool) -> None:
        """End the use."""
        if self.feed is not None:
            self.feed.cancel()
        if self.is_transparent:
            self._client.reader.shows()
        self.link.resume()
        self.link.tap = self.link.pushed = None
        self.link.node.give_back(
            self.link, is_clean=is_clean and not self.is_transparent, is_plain=self.is_plain
        )
