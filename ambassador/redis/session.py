"""What one client's connection is set to, and every command that needs a closer look.

States: shared (no lease), in a transaction or another use of an upstream alone (``lease``), and
transparent (the lease carries messages, which are no replies). Whatever changes the state first
waits until all before it is answered, so that replies keep their order.
"""

from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final

from ambassador.redis import errors
from ambassador.redis.adapting import adapted
from ambassador.redis.commands import Command
from ambassador.redis.greeting import DEFAULT, Attributes, Refused
from ambassador.redis.handling import BY_ROUTE
from ambassador.redis.lease import Lease, opened
from ambassador.redis.patience import patiently
from ambassador.redis.permission import is_permitted
from ambassador.redis.resp import arguments
from ambassador.redis.run import ClientRun
from ambassador.redis.waiting import wait_for_replicas
from sidecar.errors import UpstreamUnavailable

if TYPE_CHECKING:
    from ambassador.redis.client import Client
    from ambassador.redis.cursors import Cursors
    from ambassador.redis.link import Link
    from ambassador.redis.node import Node

__all__ = ["Session"]

_NO_FACTS: Final[Mapping[bytes, bytes]] = {}


class Session:
    """The slow side of one client."""

    __slots__ = (
        "_is_skipping",
        "_skips",
        "_waits",
        "attributes",
        "client",
        "cursors",
        "facts",
        "is_known",
        "lease",
        "name",
        "reply_mode",
    )

    def __init__(self, client: "Client") -> None:
        """Start with everything as a new connection has it."""
        self.client = client
        self.attributes = DEFAULT
        self.name = b""
        self.facts: Mapping[bytes, bytes] = _NO_FACTS  # CLIENT SETINFO
        self.lease: Lease | None = None
        self._waits = False  # for something other than replies
        self.reply_mode = b"ON"
        self._skips = False  # the next command
        self._is_skipping = False  # the present one
        self.is_known = not client.listener.checks_logins
        self.cursors: Cursors | None = None
        client.requests.is_stranger = not self.is_known
        self.settle_directness()

    def begin(self) -> None:
        """Get an upstream for life, where clients do not share them."""
        if not self.client.hub.settings.is_multiplexed:
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
        return self.lease is None and not self.waits and not self.client.is_barred

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
        client = self.client
        client.has_waiting = client.has_waiting or self.lease is not None
        client.is_muting = self._is_skipping or self.reply_mode != b"ON"
        client.is_direct = (
            self.lease is None
            and not self._waits
            and not client.is_barred
            and self.is_known
            and not (client.is_muting or self._skips)
            and not client.hub.is_cluster
        )

    def command(self, raw: bytes) -> None:
        """Take one command at its turn."""
        client = self.client
        words = arguments(raw)
        found = client.hub.command(words[0], words[1] if len(words) > 1 else b"")
        if not is_permitted(self, found, words):
            return
        if found.name in client.listener.adapted:
            changed = adapted(client, raw, words, found) if self.is_shared else None
            if changed is None and self.is_shared:
                return
            raw, words, found = changed or (raw, words, found)
        else:
            client.hub.remember(client.routes, words[0], found)
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
            BY_ROUTE[found.route](self, raw, words, found)

    def place(self) -> "Node | None":
        """Return where to get an upstream alone; None: nowhere yet."""
        return self.client.hub.primary

    def is_harmless(self, _: list[bytes]) -> bool:
        """Say whether a command may be used though its name is refused."""
        return False

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

    def wait_for(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        """Run something when all before it is answered; it ends by ``resume_with``."""
        client = self.client

        def begin() -> None:
            self.waits = True
            client.hub.spawn(work(), name)

        client.barrier(begin)

    def resume_with(self, reply: bytes) -> None:
        """Answer, and go on with what came behind."""
        self.waits = False
        client = self.client
        if not client.is_closed:
            client.local(reply)
            client.pump()
            client.settle()

    async def replicas_with(self, count: int, limit: float) -> bytes:
        """Return the reply to WAIT."""
        client = self.client
        return await wait_for_replicas(client, client.hub.primary, client.writer.link, count, limit)

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
        tell = failed or self.client.local

        def begin() -> None:
            node, link = self.place(), None
            if node is not None:
                link = node.spare(wanted, self.name)
            if link is not None:
                link.client = self.client
                self._lend(link, then)
            else:
                self.waits = True
                if self.client.hub.spawn(self._leased(then, wanted, tell), "lease") is None:
                    self.client.close("stopping")

        self.client.barrier(begin)

    def _lend(self, link: "Link", then: Callable[[Lease], None]) -> None:
        lease = self.lease = Lease(self, self.client, link)
        self.settle_directness()
        then(lease)

    async def _leased(
        self, then: Callable[[Lease], None], wanted: Attributes, tell: Callable[[bytes], None]
    ) -> None:
        """Open an upstream and go on with it; or answer why there is none."""
        client = self.client
        failure, link = errors.NO_PRIMARY, None
        try:
            link = await patiently(client, lambda: opened(self, client, wanted))
        except Refused as refused:
            failure = b"-" + refused.reply + b"\r\n"
        except (TimeoutError, UpstreamUnavailable):
            node = self.place()
            failure = errors.CROWDED if node is not None and node.is_crowded else failure
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
            self.client.answered(run, errors.UNKNOWN_OUTCOME if was_sent else errors.READ_LOST)

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
        self.is_known = not self.client.listener.checks_logins
        self.client.requests.is_stranger = not self.is_known
        self._skips = self._is_skipping = False
        self.client.reader.take_mode(self.client.listener.mode)
        self.become(DEFAULT)
        self.set_reply_mode(b"ON")

    def become(self, attributes: Attributes) -> None:
        """Take other attributes; links are chosen anew."""
        self.attributes = attributes
        self.client.writer.forget_link()
        self.client.reader.forget_link()

    def pause(self) -> None:
        """Take no more from the upstream, as the client takes nothing."""
        if self.lease is not None:
            self.lease.link.pause()

    def resume(self) -> None:
        """Take from the upstream again."""
        if self.lease is not None:
            self.lease.link.resume()
