"""An upstream that a client of a cluster has alone: at the node of the first key, wherever that is.

The command that asks for it may find that its slot is elsewhere. Until that is answered nothing
follows it, so that it can be sent again on an upstream at the right node.
"""

import asyncio
from collections.abc import Sequence
from secrets import token_hex
from typing import TYPE_CHECKING, Final

from ambassador.redis import errors
from ambassador.redis.cluster.redirects import AWAY, redirect_of
from ambassador.redis.cluster.run import ASKING
from ambassador.redis.cluster.slots import slot_of
from ambassador.redis.commands import Command
from ambassador.redis.framing import word_of
from ambassador.redis.greeting import DEFAULT, Refused
from ambassador.redis.link import Link
from ambassador.redis.resp import Failure, bulk, packed
from ambassador.redis.run import ClientRun, Unheard
from sidecar.errors import UpstreamUnavailable

if TYPE_CHECKING:
    from ambassador.redis.cluster.client import ClusterClient
    from ambassador.redis.cluster.session import ClusterSession
    from ambassador.redis.lease import Lease
    from ambassador.redis.node import Node

__all__ = ["Moving"]

_PAUSE: Final = 0.02
_MULTI: Final = packed(b"MULTI")
_LISTENING: Final = {
    "subscribe", "psubscribe", "ssubscribe", "unsubscribe", "punsubscribe", "sunsubscribe", "ping",
    "quit", "reset",
}  # fmt: skip
_DIRTY: Final = packed(b"GET")  # too few words: a transaction that has it is not executed


class Moving:
    """Where one client's upstream is, and how it gets elsewhere."""

    def __init__(self, session: "ClusterSession", client: "ClusterClient") -> None:
        """Start without one."""
        self._session = session
        self._client = client
        self._slot = -1
        self._prefix: Sequence[bytes] | None = None  # of a transaction, before the first key
        self._run: ClientRun | None = None  # what asked for the upstream
        self._is_finding = False  # and that asks only where it should be

    def place(self) -> "Node | None":
        """Return the node to go to; None: nobody has the slot now."""
        shard = self._client.hub.shard_of(self._slot)
        if shard is None or shard.primary is None:
            self._client.hub.poke()
            return None
        return shard.primary

    def begin(
        self, raw: bytes, words: list[bytes], found: Command, slot: int,
        prefix: Sequence[bytes] | None = None,
    ) -> None:  # fmt: skip
        """Get an upstream for a command; ``prefix``: it is in a transaction, after these."""
        self._slot, self._prefix = slot, prefix

        def then(lease: "Lease") -> None:
            before = len(self._client.runs)
            if prefix is not None:
                lease.in_transaction(len(prefix))
                self._send_prefix(lease.link)
            if found.name == "ssubscribe" and len(words) > 1:
                self._find(lease, raw, words, found)
                return
            lease.take(raw, words, found)
            if len(self._client.runs) > before:
                self._follow(self._client.runs[-1])

        self._session.with_lease(then)

    def _find(self, lease: "Lease", raw: bytes, words: list[bytes], found: Command) -> None:
        """Ask first whether the channel is here: what a subscriber is told cannot be asked again.

        A key of its name is in its slot, whether or not there is one.
        """
        client = self._client
        run = ClientRun(client, packed(b"EXISTS", words[1]), 1, 0, client.hub.now())
        run.link = lease.link

        def after(_: bytes) -> bytes:
            lease.take(raw, words, found)
            return b""

        run.after = after
        client.add(run)
        lease.link.send(run)
        self._follow(run)
        self._is_finding = True

    def _send_prefix(self, link: Link) -> None:
        if self._prefix is not None:
            data = b"".join((_MULTI, *self._prefix))
            link.send(Unheard(data, 1 + len(self._prefix)))

    def _follow(self, run: ClientRun) -> None:
        """Take nothing else until it is answered."""
        inner = run.after
        self._run = run
        self._session.waits = True

        def after(reply: bytes) -> bytes:
            self.forget()
            return inner(reply) if inner is not None else reply

        run.after = after

    def forget(self) -> None:
        """Hear that the command is answered, or nobody will answer it."""
        self._is_finding = False
        if self._run is not None:
            self._run = None
            self._session.waits = False

    def follow(self, raw: bytes, words: list[bytes], found: Command) -> None:
        """Take a command on an upstream that is in the middle of something."""
        lease, client = self._session.lease, self._client
        if lease is None:
            return
        if lease.is_transparent:
            if found.name not in _LISTENING or self._is_elsewhere(lease, found, words[1:2]):
                self._ask_where(lease, raw, words, found)
                return
        elif self._session.is_for_all(found) and not lease.is_broken:
            lease.forward(_DIRTY, [b"GET"], client.hub.command(b"GET"))
            client.runs[-1].after = lambda _: errors.NOT_IN_TRANSACTION
            return
        lease.take(raw, words, found)

    def _is_elsewhere(self, lease: "Lease", found: Command, channels: list[bytes]) -> bool:
        if found.name != "ssubscribe" or not channels:
            return False
        shard = self._client.hub.shard_of(slot_of(channels[0]))
        return shard is not None and shard.primary is not lease.link.node

    def _ask_where(self, lease: "Lease", raw: bytes, words: list[bytes], found: Command) -> None:
        """Find out whether anything is subscribed when it is this command's turn.

        What is sent to a subscriber is no sequence of replies; a word that only we can have asked
        to be sent back tells where in it we are. Then the command is refused, as Redis does
        (RESP2), or as one that may be another node's; or the upstream is not needed any more.
        """
        client, link, feed = self._client, lease.link, lease.feed
        if feed is None:
            return
        passing, mark = link.tap, token_hex(8).encode()
        ends = (b"*2\r\n$4\r\npong\r\n" + bulk(mark), bulk(mark))
        kept = bytearray()

        def listen(data: bytes) -> None:
            kept.extend(data)
            end = next((one for one in ends if one in kept), None)
            if end is None or passing is None:
                return
            before, _, behind = bytes(kept).partition(end)
            link.tap = passing
            self._session.waits = False
            passing(before)
            if lease.subscriptions or lease.is_endless:
                client.write(self._not_here(lease, found.name))
            else:
                client.backlog.appendleft((raw, word_of(words[0]), 0, len(raw)))
                feed.leave()
            if behind:
                passing(behind)
            client.pump()

        self._session.waits = True
        link.tap = listen
        link.write_raw(packed(b"PING", mark))

    def _not_here(self, lease: "Lease", name: str) -> bytes:
        if lease.is_endless:
            return errors.MONITORS
        is_old = self._session.attributes.protocol < 3
        return errors.only_listening(name) if is_old and name != "ssubscribe" else errors.OTHER_NODE

    # --- errors ------------------------------------------------------------------------------

    def inspect(self, run: ClientRun, reply: bytes) -> None:
        """Answer an error, unless the command can be sent to who will not give it."""
        client = self._client
        if run.slot is None and reply.startswith(b"-"):
            client.hub.failed_with(reply[1:].split(b" ", 1)[0].decode("latin-1").rstrip())
        is_here = self._is_finding and reply.startswith((b"-ASK ", b"-TRYAGAIN "))
        if is_here or not reply.startswith(AWAY):
            client.answered(run, reply)
        elif run is not self._run:
            client.answered(run, self._refusal(run, reply))
        elif client.hub.spawn(self._again(run, reply), "relocate") is None:
            client.close("stopping")

    def _refusal(self, run: ClientRun, reply: bytes) -> bytes:
        """Return what a client of one Redis can understand."""
        lease = self._session.lease
        if lease is not None and lease.is_last(run):
            return errors.MOVED_AWAY
        return errors.OTHER_NODE if reply.startswith((b"-MOVED ", b"-ASK ")) else reply

    async def _again(self, run: ClientRun, reply: bytes) -> None:
        """Send a command again at the node that has its slot now."""
        client, lease = self._client, self._session.lease
        link = await self._relocated(run, reply)
        if client.is_closed or lease is None or self._session.lease is not lease:
            if link is not None:
                link.node.give_back(link, is_clean=False)
        elif link is None:
            client.answered(run, errors.MOVING)
        else:
            lease.move_to(link)
            run.left, run.has_error, run.link = 1, False, link
            run.parts.clear()
            self._send_prefix(link)
            if reply.startswith(b"-ASK ") and self._prefix is None:
                link.send(Unheard(ASKING, 1))
            link.send(run)

    async def _relocated(self, run: ClientRun, reply: bytes) -> Link | None:
        """Return an upstream at the right node; None: there is none in time."""
        client, hub = self._client, self._client.hub
        deadline = run.since + hub.settings.failover_queue
        link: Link = run.link  # type: ignore[assignment]  # it has been sent
        found = redirect_of(reply, link.node.address.host)
        node: Node | None = None
        if found is not None and found.is_ask and self._prefix is None:
            node = hub.nodes.get(found.address)
        elif found is None or found.is_ask or hub.moved(found.slot, found.address) is None:
            hub.poke()
            await asyncio.sleep(_PAUSE)
        while hub.now() < deadline and not client.is_closed:
            node = node or self.place()
            if node is not None:
                try:
                    return await node.lease(self._session.attributes)
                except (UpstreamUnavailable, Refused):
                    node.suspect()
            node = None
            await asyncio.sleep(_PAUSE)
        return None

    # --- keys --------------------------------------------------------------------------------

    async def keys_told(self, words: Sequence[bytes]) -> list[int]:
        """Return where a server finds keys among the words; none when it cannot say."""
        primaries = self._client.hub.primaries
        if not primaries:
            return []
        question = packed(b"COMMAND", b"GETKEYS", *words)
        try:
            [keys] = await primaries[0].link(DEFAULT).ask(question, 1)
        except UpstreamUnavailable:
            return []
        if isinstance(keys, Failure) or not isinstance(keys, list):
            return []
        places, at = [], 1
        for key in keys:
            if key in words[at:]:
                at = words.index(key, at)
                places.append(at)
                at += 1
        return places
