"""An upstream that one client has alone: transactions, blocking and unknown commands, messages.

Counted, every command has one reply, and the state is followed by the replies (MULTI, WATCH).
Messages of tracking may come between replies. What is all messages is a ``Feed``.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from ambassador.redis import identity, roster
from ambassador.redis.commands import Command, Route
from ambassador.redis.course import Course
from ambassador.redis.feed import Feed
from ambassador.redis.greeting import Attributes
from ambassador.redis.link import Link
from ambassador.redis.monitoring import Monitor
from ambassador.redis.patience import patiently
from ambassador.redis.run import ClientRun
from ambassador.redis.spares import Crowded
from ambassador.redis.tracking import target_of
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
        self._is_caching = False  # CLIENT CACHING went out last
        self._session = session
        self._client = client
        self._course = Course(self, session, client)
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
            or self._course.in_multi
            or self._course.is_watching
            or self._course.is_tracking
            or self._course.is_broken
            or self.is_target
            or self._session.waits
            or self._client.runs
        )

    @property
    def is_held(self) -> bool:
        """Whether what it is used for goes on over several commands."""
        return (
            self.is_transparent or self._course.is_transaction
        )  # fmt: skip

    @property
    def is_broken(self) -> bool:
        """Whether the upstream of a transaction was lost."""
        return self._course.is_broken

    @property
    def subscriptions(self) -> int:
        """Return how many there are after all that has come."""
        return self.feed.count if self.feed is not None else 0

    @property
    def is_endless(self) -> bool:
        """Whether it carries what never ends: MONITOR, tracking."""
        return self._course.is_tracking or (self.feed is not None and self.feed.is_for_good)

    def in_transaction(self, queued: int) -> None:
        """Take that MULTI goes out before what is taken next, and so many commands behind it."""
        self._course.begin(queued)

    def is_last(self, run: ClientRun) -> bool:
        """Say whether this is the EXEC of the transaction."""
        return run is self._course.last

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
                client = self._client
                monitor = self._monitor = Monitor(client.hub, self.link.node, client.write)
                self.link.tap = lambda data: self._client.write(monitor.take(data))
            self.link.write_raw(raw, self._client)
        elif (not self._course.in_multi and name in identity.OURS) or name in {"reset", "quit"}:
            session, client = self._session, self._client
            identity.if_permitted(
                session,
                client,
                words,
                found,
                lambda: identity.take(session, client, raw, words, found),
            )
        elif self._course.is_broken:
            self._course.refuse(name)
        elif self.feed is not None:
            self.feed.take(raw, found, words)
        elif found.route is Route.SUBSCRIBE and not self._course.in_multi:
            self._client.barrier(lambda: self._listen(raw, found, words))
        else:
            self.is_blocking = "blocking" in found.flags and not self._course.in_multi
            if self.is_blocking:
                self.link.node.warm(self.link.attributes)
            if self._course.in_multi:
                self._course.listens |= found.route is Route.SUBSCRIBE or name == "client|tracking"
            self.forward(raw, words, found)

    def _listen(self, raw: bytes, found: Command, words: list[bytes]) -> None:
        self.is_plain = False
        self.feed = Feed(self, self._session, self._client)
        self.feed.is_for_good = self._course.is_tracking
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
        target = target_of(self._client, words) if found.name == "client|tracking" else None
        if target is None or self._course.in_multi or not target.session.may_be_lent:
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
        self._is_caching = name == "client|caching"
        run = self.send(raw)
        run.after = self._course.follower(run, words, name, after)
        if not self._course.in_multi and "readonly" not in found.flags:
            run.after = self._covered(run.after)

    def _covered(self, after: Callable[[bytes], bytes] | None) -> Callable[[bytes], bytes]:
        """Return a follower that also lets reads elsewhere see what was written."""

        def both(reply: bytes) -> bytes:
            if self._is_caching or self._course.is_tracking:
                # CACHING is for the next command, and NOLOOP counts what this connection asks.
                self._client.reader.moved()
            elif not self._course.in_multi:  # else at its end: what goes out now is in it
                self._client.reader.wrote_alone(self.link)
            return reply if after is None else after(reply)

        return both

    def _pushed(self, data: bytes) -> None:
        """Pass on what tracking tells, between replies; CLIENT REPLY OFF does not stop it."""
        self._client.write(data)

    # --- the upstream is lost ----------------------------------------------------------------

    def lost(self, run: ClientRun, *, was_sent: bool) -> None:
        """Answer for a command that has no reply; a transaction goes on to its end, refused."""
        run.after = None
        reply = self._course.lost(run, was_sent=was_sent)
        self._client.reader.moved()
        self._client.answered(run, reply)

    def gone(self) -> None:
        """Hear that the upstream is closed, with or without commands under way."""
        if self.feed is not None:
            self.feed.gone()
        elif self.is_permanent or self._course.is_tracking:
            self._client.close("upstream_lost", is_abort=False)
        elif self._course.in_multi or self._course.is_watching:
            self._course.is_broken = True
        elif self._session.lease is self and not self._client.runs:
            self._session.release(is_clean=False)

    # --- other ways --------------------------------------------------------------------------

    def listen_for_good(self) -> None:
        """Take messages from now on, and to the end."""
        self.feed = Feed(self, self._session, self._client)
        self.feed.is_for_good = True

    def keep(self) -> None:
        """Pass everything, for the client's life."""
        self.is_permanent = True
        self.link.tap = self._client.write

    async def replace(self) -> None:
        """Take another upstream. Raises UpstreamUnavailable, Refused and TimeoutError."""
        self.link.node.give_back(self.link, is_clean=False)
        client = self._client
        attributes = self._session.attributes
        self.link = await patiently(client, lambda: opened(self._session, client, attributes))
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
