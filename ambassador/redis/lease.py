"""An upstream that one client has alone: transactions, blocking and unknown commands, messages.

Counted, every command has one reply, and the state is followed by the replies (MULTI, WATCH).
Transparent, whatever comes passes at once: subscriptions, MONITOR and tracking send what nobody
asked for. It ends by RESET, or when no subscription is left for a second.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ambassador.redis import errors, identity
from ambassador.redis.commands import Command, Route
from ambassador.redis.link import Link, Refused
from ambassador.redis.messages import Confirmations
from ambassador.redis.resp import packed
from ambassador.redis.run import ClientRun
from sidecar.errors import UpstreamUnavailable

if TYPE_CHECKING:
    from ambassador.redis.client import Client
    from ambassador.redis.session import Session

__all__ = ["Lease", "leased"]

_QUIET: Final = 1.0
_RESET: Final = packed(b"RESET")
_RESET_REPLY: Final = b"+RESET\r\n"


async def leased(
    session: "Session", client: "Client", then: Callable[["Lease"], None], found: Command
) -> None:
    """Open an upstream for a client and go on with it; or answer why there is none."""
    failure = errors.NO_PRIMARY
    lease: Lease | None = None
    try:
        async with asyncio.timeout(client.hub.settings.failover_queue):
            lease = await _opened(session, client)
    except Refused as refused:
        failure = b"-" + refused.reply + b"\r\n"
    except (TimeoutError, UpstreamUnavailable):
        pass
    session.waits = False
    if client.is_closed:
        if lease is not None:
            lease.give_back(is_clean=False)
        return
    if lease is None:
        client.local(failure)
    else:
        session.lease = lease
        lease.is_plain = "blocking" in found.flags
        session.settle_directness()
        then(lease)
    client.pump()
    client.settle()


async def _opened(session: "Session", client: "Client") -> "Lease":
    hub = client.hub
    while True:
        node = session.place()
        if node is None:
            await hub.changed.wait()
            continue
        try:
            link = await node.lease(session.attributes)
            if client.listener.client_view == "proxy":
                await link.learn_id()
            if session.name:
                await link.name_as(session.name)
        except UpstreamUnavailable:
            node.suspect()
            await asyncio.sleep(_PAUSE)
            continue
        link.client = client
        return Lease(session, client, link)


_PAUSE: Final = 0.05


class Lease:
    """The use of an upstream by one client."""

    def __init__(self, session: "Session", client: "Client", link: Link) -> None:
        """Begin with an upstream that is as the session's attributes say."""
        self.link = link
        self.is_transparent = False
        self.is_plain = False  # leaves no trace on the connection
        self.is_permanent = False
        self._session = session
        self._client = client
        self._in_multi = False
        self._is_watching = False
        self._is_broken = False
        self._db: int | None = None  # chosen within MULTI
        self._listens = False  # from the end of MULTI on
        self._exec: ClientRun | None = None
        self._messages = Confirmations()
        self._is_tracking = self._is_monitor = self._is_leaving = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_free(self) -> bool:
        """Whether nothing keeps the upstream."""
        return not (
            self.is_transparent
            or self._in_multi
            or self._is_watching
            or self._is_broken
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
        return self._messages.count

    @property
    def is_endless(self) -> bool:
        """Whether it carries what never ends: MONITOR, tracking."""
        return self._is_monitor or self._is_tracking

    def leave(self) -> None:
        """Give the upstream back as soon as it is as new."""
        self._cancel()
        self._leave()

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
        old.node.give_back(old, is_clean=False)

    # --- commands ----------------------------------------------------------------------------

    def take(self, raw: bytes, words: list[bytes], found: Command) -> None:
        """Take a command of the client."""
        name = found.name
        if self.is_permanent:
            self.link.write_raw(raw)
        elif name in {"reset", "quit"} or (name == "client|reply" and not self._in_multi):
            identity.take(self._session, self._client, raw, words, found)
        elif self._is_broken:
            self._refuse(name)
        elif self.is_transparent:
            self._pass(raw, found, words)
        elif found.route in {Route.SUBSCRIBE, Route.TRACKING} and not self._in_multi:
            self._client.barrier(lambda: self._become_transparent(raw, found, words))
        else:
            self.is_plain = self.is_plain and "blocking" in found.flags
            self._listens |= found.route in {Route.SUBSCRIBE, Route.TRACKING}
            self._forward(raw, words, name)

    def take_plainly(self, raw: bytes, words: list[bytes], name: str) -> None:
        """Take a command that the upstream answers as it stands."""
        self._forward(raw, words, name)

    def _forward(self, raw: bytes, words: list[bytes], name: str) -> None:
        client = self._client
        run = ClientRun(client, raw, 1, 0, client.hub.now())
        run.link = self.link
        run.is_muted = client.is_muting
        if name == "multi":
            self._in_multi = True
            run.after = self._began
        elif name in {"exec", "discard"}:
            self._exec = run if name == "exec" else None
            run.after = self._executed
        elif name == "watch":
            self._is_watching = True
        elif name == "unwatch" and not self._in_multi:
            run.after = self._unwatched
        elif name == "select" and len(words) == 2 and words[1].isdigit():
            run.after = self._chosen(int(words[1]))
        elif name in {"hello", "auth", "client|setname"} and not self._in_multi:
            run.after = identity.follower(self._session, words, name)
        client.add(run)
        self.link.send(run)

    def _began(self, reply: bytes) -> bytes:
        if not reply.startswith(b"+OK"):
            self._in_multi = reply.startswith(b"-ERR MULTI calls can not be nested")
        return reply

    def _executed(self, reply: bytes) -> bytes:
        self._in_multi = self._is_watching = False
        self._exec = None
        if self._db is not None and not reply.startswith((b"-", b"*-1", b"_")):
            self._session.become(self._session.attributes._replace(db=self._db))
        self._db = None
        if self._listens and reply.startswith((b"*", b">")):
            # Subscribed within the transaction: messages may follow at once, and stay.
            self.is_transparent = self._is_monitor = True
            self.link.tap = self._arrived
        self._listens = False
        return reply

    def _unwatched(self, reply: bytes) -> bytes:
        self._is_watching = False
        return reply

    def _chosen(self, db: int) -> Callable[[bytes], bytes]:
        is_queued = self._in_multi

        def after(reply: bytes) -> bytes:
            if is_queued and reply.startswith(b"+QUEUED"):
                self._db = db
            elif reply.startswith(b"+OK"):
                self._session.become(self._session.attributes._replace(db=db))
            return reply

        return after

    # --- the upstream is lost ----------------------------------------------------------------

    def lost(self, run: ClientRun, *, was_sent: bool) -> None:
        """Answer for a command that has no reply; a transaction goes on to its end, refused."""
        if run is self._exec:
            self._in_multi = self._is_watching = self._is_broken = False
            self._exec = None
            run.after = None
            self._client.hub.unknown_outcomes += was_sent
            reply = errors.UNKNOWN_OUTCOME if was_sent else errors.ABORTED
        elif self._in_multi or self._is_watching:
            self._is_broken = self._in_multi or self._is_watching
            run.after = None
            reply = errors.BROKEN
        else:
            run.after = None
            self._client.hub.unknown_outcomes += was_sent
            reply = errors.UNKNOWN_OUTCOME
        self._client.answered(run, reply)

    def gone(self) -> None:
        """Hear that the upstream is closed, with or without commands under way."""
        if self.is_transparent:
            self._cancel()
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

    def keep(self) -> None:
        """Pass everything, for the client's life."""
        self.is_transparent = self.is_permanent = self._is_monitor = True
        self.link.tap = self._client.write

    # --- transparent -------------------------------------------------------------------------

    def _become_transparent(self, raw: bytes, found: Command, words: list[bytes]) -> None:
        self.is_transparent = True
        self.is_plain = False
        self.link.tap = self._arrived
        self._pass(raw, found, words)

    def _pass(self, raw: bytes, found: Command, words: list[bytes]) -> None:
        self._cancel()
        name = found.name
        self._is_monitor = self._is_monitor or name in {"monitor", "sync", "psync"}
        if name == "client|tracking" and len(words) > 2:
            self._is_tracking = words[2].upper() == b"ON"
        elif name == "hello" and len(words) > 1 and words[1] in {b"2", b"3"}:
            self._session.attributes = self._session.attributes._replace(protocol=int(words[1]))
        elif name == "select" and len(words) == 2 and words[1].isdigit():
            self._session.attributes = self._session.attributes._replace(db=int(words[1]))
        self.link.write_raw(raw)
        self._arm()

    def _arrived(self, data: bytes) -> None:
        """Pass on what the upstream sends."""
        if self._is_leaving:
            if not data.endswith(_RESET_REPLY):
                self._client.write(data)
                return
            data = data[: -len(_RESET_REPLY)]
        self._messages.feed(data)
        if data and not self._client.is_muting:
            self._client.write(data)
        if self._is_leaving:
            self._left()
        else:
            self._cancel()
            self._arm()

    def _arm(self) -> None:
        """Leave when nothing is subscribed and nothing happens for a while."""
        if not (self._messages.count or self._is_tracking or self._is_monitor):
            self._timer = asyncio.get_running_loop().call_later(_QUIET, self._leave)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _leave(self) -> None:
        """Ask for RESET; whatever comes before its reply is still the client's."""
        self._timer = None
        if self._session.lease is self and not self._client.is_closed:
            self._is_leaving = self._session.waits = True
            self.link.write_raw(_RESET)

    def _left(self) -> None:
        self._session.waits = False
        self._session.become(self._session.attributes)
        self._session.release(is_clean=False)
        self._client.pump()

    def give_back(self, *, is_clean: bool) -> None:
        """End the use."""
        self._cancel()
        self.link.resume()
        node = self.link.node
        self.link.tap = None
        node.give_back(
            self.link, is_clean=is_clean and not self.is_transparent, is_plain=self.is_plain
        )
