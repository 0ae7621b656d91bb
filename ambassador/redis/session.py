"""What one client's connection is set to, and every command that needs a closer look.

States: shared (no lease), in a transaction or another use of an upstream alone (``lease``), and
transparent (the lease carries messages, which are no replies). Whatever changes the state first
waits until all before it is answered, so that replies keep their order.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final

from ambassador.redis import errors, identity
from ambassador.redis.adapting import adapted
from ambassador.redis.commands import Command, Route
from ambassador.redis.cursors import Cursors
from ambassador.redis.framing import word_of
from ambassador.redis.greeting import DEFAULT, Attributes, Refused
from ambassador.redis.lease import Lease, opened
from ambassador.redis.resp import arguments
from ambassador.redis.run import ClientRun
from ambassador.redis.waiting import wait_for_replicas
from sidecar.errors import UpstreamUnavailable

if TYPE_CHECKING:
    from ambassador.redis.client import Client
    from ambassador.redis.link import Link
    from ambassador.redis.node import Node

__all__ = ["Session"]

_NO_FACTS: Final[Mapping[bytes, bytes]] = {}
_MOST_WORDS: Final = 4096
_LONGEST: Final = 64
_UNTIL_LOGIN: Final = frozenset({"auth", "hello", "quit", "reset"})


class Session:
    """The slow side of one client."""

    __slots__ = (
        "_client",
        "_cursors",
        "_is_skipping",
        "_skips",
        "_waits",
        "attributes",
        "facts",
        "is_known",
        "lease",
        "name",
        "reply_mode",
    )

    def __init__(self, client: "Client") -> None:
        """Start with everything as a new connection has it."""
        self._client = client
        self.attributes = DEFAULT
        self.name = b""
        self.facts: Mapping[bytes, bytes] = _NO_FACTS  # CLIENT SETINFO
        self.lease: Lease | None = None
        self._waits = False  # for something other than replies
        self.reply_mode = b"ON"
        self._skips = False  # the next command
        self._is_skipping = False  # the present one
        self.is_known = not client.listener.users
        self._cursors: Cursors | None = None
        client.requests.is_stranger = not self.is_known
        self.settle_directness()

    def begin(self) -> None:
        """Get an upstream for life, where clients do not share them."""
        if not self._client.hub.settings.is_multiplexed:
            self.with_lease(lambda lease: lease.keep())
            self.settle_directness()

    @property
    def waits(self) -> bool:
        """Whether something other than replies is waited for: commands queue until then."""
        return self._waits

    @waits.setter
    def waits(self, does: bool) -> None:
        self._waits = does
        self.settle_directness()

    @property
    def may_be_lent(self) -> bool:
        """Whether nothing is waited for, so that an upstream can be given to it unasked."""
        return self.lease is None and not self.waits and not self._client.is_barred

    @property
    def is_transparent(self) -> bool:
        """Whether messages pass that are no replies."""
        return self.lease is not None and self.lease.is_transparent

    @property
    def is_endless(self) -> bool:
        """Whether the client waits for an element or messages."""
        return self.lease is not None and (self.lease.is_blocking or self.lease.is_transparent)

    def settle_directness(self) -> None:
        """Say whether plain commands may take the short way."""
        client = self._client
        client.is_muting = self._is_skipping or self.reply_mode != b"ON"
        client.is_direct = (
            self.lease is None
            and not self._waits
            and not client.is_barred
            and self.is_known
            and not (client.is_muting or self._skips)
            and not client.hub.is_cluster
        )

    # --- commands ----------------------------------------------------------------------------

    def command(self, raw: bytes) -> None:
        """Take one command at its turn."""
        client = self._client
        words = arguments(raw)
        found = client.hub.command(words[0], words[1] if len(words) > 1 else b"")
        if not self._is_permitted(found, words):
            return
        if found.name in client.listener.adapted:
            changed = adapted(client, raw, words, found) if self.is_shared else None
            if changed is None and self.is_shared:
                return
            raw, words, found = changed or (raw, words, found)
        else:
            self._remember(words[0], found)
        if self._skips or self._is_skipping:
            self._skips, self._is_skipping = False, self._skips
            self.settle_directness()
        self.dispatch(raw, words, found)

    @property
    def is_shared(self) -> bool:
        """Whether nothing has begun that needs an upstream alone."""
        return self.lease is None

    def dispatch(self, raw: bytes, words: list[bytes], found: Command) -> None:
        """Let whoever is responsible do it."""
        if self.lease is not None:
            self.lease.take(raw, words, found)
        else:
            _BY_ROUTE[found.route](self, raw, words, found)

    def place(self) -> "Node | None":
        """Return where to get an upstream alone; None: nowhere yet."""
        return self._client.hub.primary

    def _is_permitted(self, found: Command, words: list[bytes]) -> bool:
        """Answer what may not be used; say whether this may."""
        client, listener = self._client, self._client.listener
        name = found.name
        if not self.is_known and name not in _UNTIL_LOGIN:
            client.local(errors.NO_AUTH)
            return False
        allowed = listener.allow_admin
        refused = found.is_admin and not ("all" in allowed or name in allowed)
        container = name.partition("|")[0]
        if refused and container in allowed:
            refused = False
        refused = refused and not self.is_harmless(words)
        if refused or name in listener.deny or container in listener.deny:
            client.local(errors.denied(name))
            return False
        return True

    def is_harmless(self, _: list[bytes]) -> bool:
        """Say whether a command may be used though its name is refused."""
        return False

    def _remember(self, name: bytes, found: Command) -> None:
        routes = self._client.routes
        is_plain = found.route < Route.SLOW and "|" not in found.name and not found.is_container
        is_plain = is_plain and found.name not in self._client.hub.slow_names
        if is_plain and len(routes) < _MOST_WORDS and len(name) < _LONGEST:
            routes[word_of(name)] = found.route

    def begin_reply_mode(self, mode: bytes) -> None:
        """Take CLIENT REPLY OFF or SKIP: the latter is for the next command alone."""
        if mode == b"SKIP":
            self._skips = True
            self.settle_directness()
        else:
            self.set_reply_mode(mode)

    def set_reply_mode(self, mode: bytes) -> None:
        """Take CLIENT REPLY; ON also ends a SKIP."""
        self.reply_mode = mode
        if mode == b"ON":
            self._skips = self._is_skipping = False
        self.settle_directness()

    def on_plain(self, raw: bytes, _words: list[bytes], found: Command) -> None:
        """Send what needs no closer look."""
        if found.name in self._client.hub.slow_names:
            self._client.emit_slow(raw, found.route)
        else:
            self._client.emit(raw, 1, found.route)

    def on_script(self, raw: bytes, _words: list[bytes], _found: Command) -> None:
        """Send a script: nobody knows how long it takes."""
        self._client.emit_slow(raw, Route.WRITE)

    def on_script_read(self, raw: bytes, _words: list[bytes], _found: Command) -> None:
        """Send a script that writes nothing; one that a replica does not know comes back."""
        self._client.emit_slow(raw, Route.READ)

    def on_cursor(self, raw: bytes, words: list[bytes], _found: Command) -> None:
        """Send a scan."""
        if self._client.listener.cursor == "sticky":
            if self._cursors is None:
                self._cursors = Cursors(self._client)
            self._cursors.take(raw, words)
        else:
            self._client.emit(raw, 1, Route.LOOK)

    def on_xread(self, raw: bytes, words: list[bytes], found: Command) -> None:
        """Send XREAD: a read, unless it blocks."""
        for word in words[1:]:
            if word.upper() == b"STREAMS":
                break
            if word.upper() == b"BLOCK":
                self.on_once(raw, words, found)
                return
        self._client.emit(raw, 1, Route.READ)

    def on_once(self, raw: bytes, words: list[bytes], found: Command) -> None:
        """Send a command on an upstream of its own."""
        attributes = self.attributes
        if found.route is Route.KILL:
            attributes = attributes._replace(db=0)  # while a script runs no database can be chosen
        self.with_lease(lambda lease: lease.take(raw, words, found), attributes)

    def on_transaction(self, raw: bytes, words: list[bytes], found: Command) -> None:
        """Begin a transaction, or let Redis say that there is none."""
        if found.name in {"multi", "watch"}:
            self.on_once(raw, words, found)
        else:
            self._client.emit(raw, 1, Route.WRITE)  # without MULTI: Redis has the right words

    def on_session(self, raw: bytes, words: list[bytes], found: Command) -> None:
        """Answer what is about the connection."""
        client = self._client
        identity.if_permitted(
            self, client, words, found, lambda: identity.take(self, client, raw, words, found)
        )

    def wait_for(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        """Run something when all before it is answered; it ends by ``resume_with``."""
        client = self._client

        def begin() -> None:
            self.waits = True
            client.hub.spawn(work(), name)

        client.barrier(begin)

    def resume_with(self, reply: bytes) -> None:
        """Answer, and go on with what came behind."""
        self.waits = False
        client = self._client
        if not client.is_closed:
            client.local(reply)
            client.pump()
            client.settle()

    def on_wait(self, raw: bytes, words: list[bytes], found: Command) -> None:
        """Count replicas, beside the shared upstream."""
        if len(words) != 3 or not all(word.isdigit() for word in words[1:]):
            self.on_once(raw, words, found)
            return
        count, limit = int(words[1]), int(words[2]) / 1000
        self._client.hub.monitors.show(self._client, words, found)

        async def ask() -> None:
            self.resume_with(await self.replicas_with(count, limit))

        client = self._client
        identity.if_permitted(self, client, words, found, lambda: self.wait_for(ask, "wait"))

    async def replicas_with(self, count: int, limit: float) -> bytes:
        """Return the reply to WAIT."""
        client = self._client
        return await wait_for_replicas(client, client.hub.primary, client.link, count, limit)

    def may_pass(self, word: bytes) -> bool:
        """Say whether a long command may go on as it comes: a write that is allowed."""
        client = self._client
        found = client.hub.command(word[word.index(b"\n") + 1 :])
        container = found.name.partition("|")[0]
        return (
            found.route in {Route.WRITE, Route.SCRIPT}
            and not found.is_container
            and not ({found.name, container} & client.listener.deny)
            and self.is_known
            and not client.hub.is_cluster
        )

    # --- an upstream alone -------------------------------------------------------------------

    def with_lease(
        self,
        then: Callable[[Lease], None],
        attributes: Attributes | None = None,
        failed: Callable[[bytes], None] | None = None,
    ) -> None:
        """Get an upstream alone when all before is answered, then go on.

        If there is none the client is told so, or ``failed`` is.
        """
        wanted = self.attributes if attributes is None else attributes
        tell = failed or self._client.local

        def begin() -> None:
            node, link = self.place(), None
            if node is not None:
                link = node.spare(wanted, self.name)
            if link is not None:
                link.client = self._client
                self._lend(link, then)
            else:
                self.waits = True
                if self._client.hub.spawn(self._leased(then, wanted, tell), "lease") is None:
                    self._client.close("stopping")

        self._client.barrier(begin)

    def _lend(self, link: "Link", then: Callable[[Lease], None]) -> None:
        lease = self.lease = Lease(self, self._client, link)
        self.settle_directness()
        then(lease)

    async def _leased(
        self, then: Callable[[Lease], None], wanted: Attributes, tell: Callable[[bytes], None]
    ) -> None:
        """Open an upstream and go on with it; or answer why there is none."""
        client = self._client
        failure, link = errors.NO_PRIMARY, None
        try:
            async with asyncio.timeout(client.hub.settings.failover_queue):
                link = await opened(self, client, wanted)
        except Refused as refused:
            failure = b"-" + refused.reply + b"\r\n"
        except (TimeoutError, UpstreamUnavailable):
            pass
        self.waits = False
        if client.is_closed:
            if link is not None:
                link.node.give_back(link, is_clean=True, is_plain=True)
            return
        if link is None:
            tell(failure)
        else:
            self._lend(link, then)
        client.pump()
        client.settle()

    def lost(self, run: ClientRun, *, was_sent: bool) -> None:
        """Hear that the upstream that the client has alone was lost."""
        if self.lease is not None:
            self.lease.lost(run, was_sent=was_sent)
        else:
            self._client.answered(run, errors.UNKNOWN_OUTCOME if was_sent else errors.READ_LOST)

    def settle(self) -> None:
        """Give the upstream back when nothing keeps it."""
        lease = self.lease
        if lease is not None and lease.is_free:
            self.release(is_clean=True)

    def release(self, *, is_clean: bool) -> None:
        """Give the upstream back."""
        lease, self.lease = self.lease, None
        if lease is not None:
            lease.give_back(is_clean=is_clean)
        self.settle_directness()

    def end(self) -> None:
        """End with the client: an upstream in the middle of something is closed."""
        self.release(is_clean=False)

    def reset(self) -> None:
        """Become as new."""
        self.release(is_clean=False)
        self.name, self.facts = b"", _NO_FACTS
        self.is_known = not self._client.listener.users
        self._client.requests.is_stranger = not self.is_known
        self._skips = self._is_skipping = False
        self._client.reader.take_mode(self._client.listener.mode)
        self.become(DEFAULT)
        self.set_reply_mode(b"ON")

    def become(self, attributes: Attributes) -> None:
        """Take other attributes; links are chosen anew."""
        self.attributes = attributes
        self._client.link = None
        self._client.reader.forget_link()

    def pause(self) -> None:
        """Take no more from the upstream, as the client takes nothing."""
        if self.lease is not None:
            self.lease.link.pause()

    def resume(self) -> None:
        """Take from the upstream again."""
        if self.lease is not None:
            self.lease.link.resume()


_BY_ROUTE: Final[dict[Route, Callable[[Session, bytes, list[bytes], Command], None]]] = {
    Route.READ: Session.on_plain,
    Route.WRITE: Session.on_plain,
    Route.LOOK: Session.on_plain,
    Route.SCRIPT: Session.on_script,
    Route.SCRIPT_READ: Session.on_script_read,
    Route.CURSOR: Session.on_cursor,
    Route.XREAD: Session.on_xread,
    Route.ONCE: Session.on_once,
    Route.TRANSACTION: Session.on_transaction,
    Route.SUBSCRIBE: Session.on_once,
    Route.TRACKING: Session.on_once,
    Route.SESSION: Session.on_session,
    Route.WAIT: Session.on_wait,
    Route.KILL: Session.on_once,
    Route.FORBIDDEN: Session.on_once,
}
