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
from ambassador.redis.monitoring import Monitor
from ambassador.redis.replies import elements
from ambassador.redis.run import ClientRun
from sidecar.errors import UpstreamUnavailable

if TYPE_CHECKING:
    from ambassador.redis.client import Client
    from ambassador.redis.session import Session

__all__ = ["Lease", "opened"]

_PAUSE = 0.05
_QUEUED = b"+QUEUED\r\n"


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
        except UpstreamUnavailable:
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
        self._queued = 0  # commands since MULTI
        self._effects: list[tuple[int, Callable[[bytes], bytes]]] = []
        """What follows the replies to some of those, which come with that to EXEC."""
        self._listens = False  # from the end of MULTI on
        self._exec: ClientRun | None = None
        self._last: ClientRun | None = None  # the end of a transaction, under way
        self._monitor: Monitor | None = None  # where everything passes
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

    def in_transaction(self, queued: int) -> None:
        """Take that MULTI goes out before what is taken next, and so many commands behind it."""
        self._in_multi, self._queued = True, queued

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
            if name == "monitor" and self._monitor is None:
                monitor = self._monitor = Monitor(self._client.hub, self.link.node)
                self.link.tap = lambda data: self._client.write(monitor.take(data))
            self.link.write_raw(raw, self._client)
        elif (not self._in_multi and name in identity.OURS) or name in {"reset", "quit"}:
            session, client = self._session, self._client
            identity.if_permitted(
                session,
                client,
                words,
                found,
                lambda: identity.take(session, client, raw, words, found),
            )
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

    def pass_on(self, raw: bytes, words: list[bytes], found: Command) -> None:
        """Send what the server has to answer."""
        if self.feed is not None:
            self.feed.take(raw, found, words)
        else:
            self.forward(raw, words, found)

    def send(self, raw: bytes) -> ClientRun:
        """Send a command that has one reply and changes nothing."""
        client = self._client
        run = ClientRun(client, raw, 1, 0, client.hub.now())
        run.link = self.link
        run.is_muted = client.is_muting
        client.add(run)
        self.link.send(run)
        return run

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
        raw, after = roster.translated(client, self, raw, words, name)
        run = self.send(raw)
        run.after = self._follower(run, words, name, after)
        if not self._in_multi and "readonly" not in found.flags:
            run.after = self._covered(run.after)

    def _follower(
        self, run: ClientRun, words: list[bytes], name: str, after: Callable[[bytes], bytes] | None
    ) -> Callable[[bytes], bytes] | None:
        """Return what keeps the state by the reply, and makes that the client's."""
        if name == "multi":
            was_multi, self._in_multi = self._in_multi, True
            return None if was_multi else self._began
        if name == "watch":
            self._is_watching = True
            return None
        if name in {"exec", "discard"} and self._in_multi:
            self._session.waits = True  # what comes behind is not in the transaction
            self._last, self._exec = run, run if name == "exec" else None
            return self._executed if name == "exec" else self._discarded
        after = after or self._follower_of_session(words, name)
        return self._in_turn(after) if self._in_multi else after

    def _in_turn(self, after: Callable[[bytes], bytes] | None) -> Callable[[bytes], bytes]:
        """Return a follower that acts when EXEC is answered, if the command is queued."""

        def queued(reply: bytes) -> bytes:
            if reply != _QUEUED:
                return reply if after is None else after(reply)
            if after is not None:
                self._effects.append((self._queued, after))
            self._queued += 1
            return reply

        return queued

    def _follower_of_session(
        self, words: list[bytes], name: str
    ) -> Callable[[bytes], bytes] | None:
        if name == "select" and len(words) == 2 and words[1].isdigit():
            return self._chosen(int(words[1]))
        if name == "unwatch":
            return self._unwatched
        if name == "client|tracking" and len(words) > 2:
            return self._tracked(is_on=words[2].upper() == b"ON")
        if name in {"hello", "auth", "client|setname", "client|setinfo"}:
            return identity.follower(self._session, self._client, words, name)
        return None

    def _covered(self, after: Callable[[bytes], bytes] | None) -> Callable[[bytes], bytes]:
        """Return a follower that also lets reads elsewhere see what was written."""

        def both(reply: bytes) -> bytes:
            if not self._in_multi:  # else at its end, as whatever goes out now is in it
                self._client.reader.wrote_alone(self.link)
            return reply if after is None else after(reply)

        return both

    def _began(self, reply: bytes) -> bytes:
        self._in_multi = reply.startswith(b"+OK")
        if not self._in_multi:
            self._client.reader.wrote_alone(self.link)
        return reply

    def _discarded(self, reply: bytes) -> bytes:
        self._session.waits = False
        if reply.startswith(b"+OK"):
            self._forget_transaction()
            self._client.reader.wrote_alone(self.link)
        return reply

    def _forget_transaction(self) -> None:
        self._in_multi = self._is_watching = self._listens = False
        self._exec = None
        self._queued = 0
        self._effects = []

    def _executed(self, reply: bytes) -> bytes:
        self._session.waits = False
        effects, listens = self._effects, self._listens
        self._forget_transaction()
        self._client.reader.wrote_alone(self.link)
        is_done = reply.startswith((b"*", b">")) and not reply.startswith(b"*-")
        if is_done and effects:
            parts = elements(reply)
            for place, effect in effects:
                parts[place + 1] = effect(parts[place + 1])
            reply = b"".join(parts)
        if is_done and listens:
            # Subscribed within the transaction: messages may follow at once, and stay.
            self.feed = Feed(self, self._session, self._client)
            self.feed.is_for_good = True
        return reply

    def _unwatched(self, reply: bytes) -> bytes:
        if reply.startswith(b"+OK"):
            self._is_watching = False
        return reply

    def _tracked(self, *, is_on: bool) -> Callable[[bytes], bytes]:
        def after(reply: bytes) -> bytes:
            if reply.startswith(b"+OK"):
                self._is_tracking = is_on
            return reply

        return after

    def _chosen(self, db: int) -> Callable[[bytes], bytes]:
        def after(reply: bytes) -> bytes:
            if reply.startswith(b"+OK"):
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
        if run is self._last:
            self._session.waits = False
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
        elif name in {"exec", "discard"} and not self._in_multi:
            client.local(b"-ERR %b without MULTI\r\n" % name.upper().encode())
        elif name in {"exec", "discard"} or (name == "unwatch" and not self._in_multi):
            self._is_broken = False
            self._forget_transaction()
            client.local(errors.ABORTED if name == "exec" else b"+OK\r\n")
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
            self.feed.end()
        if self._monitor is not None:
            self._monitor.end()
            self._monitor = None
        if self.is_transparent:
            self._client.reader.shows()
        self.link.resume()
        self.link.tap = self.link.pushed = None
        self.link.node.give_back(
            self.link, is_clean=is_clean and not self.is_transparent, is_plain=self.is_plain
        )
