"""A client of a cluster: each command goes to the node of its slot, or on to where that says.

Commands of one client to different slots run side by side; only their replies are put in order. Of
one slot they keep their order: one waits while another is under way on a link that it could
overtake (``Lane``). So a write never passes a read that may have to come back from a replica, nor
a command that the former owner of a slot is about to refuse.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from ambassador.redis.client import Client
from ambassador.redis.cluster.lanes import Lane
from ambassador.redis.cluster.misses import may_be_miss
from ambassador.redis.cluster.reading import Readers
from ambassador.redis.cluster.redirects import Redirect, redirect_of
from ambassador.redis.cluster.run import ASKING, SlotRun
from ambassador.redis.cluster.session import ClusterSession
from ambassador.redis.commands import Route
from ambassador.redis.errors import CURSOR_LOST, NOT_SERVED
from ambassador.redis.run import ClientRun, Unheard

if TYPE_CHECKING:
    from ambassador.redis.cluster.hub import ClusterHub, Shard
    from ambassador.redis.link import Link
    from ambassador.redis.node import Node
    from ambassador.redis.settings import Listener

__all__ = ["ClusterClient"]

_MOST_HOPS: Final = 5
_MOST_RETRIES: Final = 5
_PAUSE: Final = 0.01
_NOT_NOW: Final = (b"-LOADING ", b"-MASTERDOWN ", b"-READONLY ", b"-CLUSTERDOWN ")


class ClusterClient(Client):
    """One client."""

    __slots__ = ("_lanes", "_links")

    hub: "ClusterHub"
    reader: Readers  # type: ignore[assignment]  # the same to those who ask no shard
    session: ClusterSession

    def __init__(self, hub: "ClusterHub", listener: "Listener") -> None:
        """Serve a connection that a listener takes."""
        super().__init__(hub, listener)
        self.reader = Readers(self)
        self.session = ClusterSession(self)
        self._lanes: dict[int, Lane] = {}
        self._links: dict[Node, Link] = {}

    # --- sending -----------------------------------------------------------------------------

    def emit(self, data: bytes, count: int, kind: int, *, is_slow: bool = False) -> ClientRun:  # noqa: ARG002 - always one, and no lane for slow ones
        """Send a command that any node may execute."""
        return self.emit_at(-1, data, kind)

    def emit_at(self, slot: int, data: bytes, kind: int, node: "Node | None" = None) -> SlotRun:
        """Send a command where its slot is."""
        self.heard = self.hub.now()
        run = SlotRun(self, data, kind, self.heard, slot)
        run.is_muted = self.is_muting
        run.node = node
        self.add(run)
        if kind == Route.WRITE:
            self.writing += 1
        self.dispatch(run)
        return run

    def moved(self, run: ClientRun) -> None:
        """Send a read on another connection, as it only waits for others where it is."""
        self.to_primary(run)

    def emit_part(self, slot: int, data: bytes, kind: int, take: Callable[[bytes], None]) -> None:
        """Send a part of a command; its reply is not the client's yet."""
        run = SlotRun(self, data, kind, self.hub.now(), slot)
        run.slot = take
        self.dispatch(run)

    def dispatch(self, run: SlotRun) -> None:
        """Send a command behind those of its slot that are under way or wait."""
        lane = self._lanes.get(run.at)
        if lane is None:
            lane = self._lanes[run.at] = Lane()
        if lane.waiting or not self._sent(run, lane):
            lane.waiting.append(run)

    def _sent(self, run: SlotRun, lane: Lane) -> bool:
        """Send a command unless it would overtake another."""
        shard = self.hub.shard_of(run.at)
        if (
            run.kind == Route.READ
            and not (lane.sent or lane.stuck)
            and shard is not None
            and run.node is None
        ):
            run.is_on_replica = True
            lane.reads += 1
            if self.reader.of(shard).reads(run):
                return True
            run.is_on_replica = False
            lane.reads -= 1
        if lane.stuck or (lane.reads and run.kind != Route.READ):
            return False
        node = run.node or (shard.primary if shard is not None else None)
        link = self._link_to(node) if node is not None else None
        if lane.sent and lane.link is not None and lane.link is not link:
            return False
        lane.sent += 1
        lane.link = link
        self._send(run, shard, link)
        return True

    def _link_to(self, node: "Node") -> "Link":
        link = self._links.get(node)
        if link is None or not link.takes_new:
            if len(self._links) > len(self.hub.nodes):
                self._links = {one: kept for one, kept in self._links.items() if not kept.is_closed}
            link = self._links[node] = node.link(self.session.attributes)
        return link

    def _send(self, run: SlotRun, shard: "Shard | None", link: "Link | None") -> None:
        """Send a command to a primary, or keep it until there is one."""
        if link is None:
            self._hold(run)
            return
        run.link = link
        link.send(run)
        if shard is None or link.node is not shard.primary:
            return
        if shard.readable:
            self.reader.of(shard).wrote(run, link)
        else:
            shard.is_unfollowed = True

    def _hold(self, run: SlotRun) -> None:
        """Keep a command until its slot is served; none of its slot passes it."""
        self._stick(run)
        self.hub.hold(run)

    def _stick(self, run: SlotRun) -> None:
        if not run.is_stuck and run.at in self._lanes:
            run.is_stuck = True
            self._lanes[run.at].stuck += 1

    def _unstick(self, run: SlotRun) -> None:
        if run.is_stuck and run.at in self._lanes:
            self._lanes[run.at].stuck -= 1
        run.is_stuck = False

    def to_primary(self, run: ClientRun) -> None:
        """Send a command again, to the primary of its slot."""
        slot_run = cast("SlotRun", run)
        if slot_run.is_done:
            return
        if slot_run.node is not None and not slot_run.node.is_primary:
            self.answered(slot_run, CURSOR_LOST)
            return
        self._unstick(slot_run)
        lane = self._lanes.get(slot_run.at)
        shard = self.hub.shard_of(slot_run.at)
        node = slot_run.node or (shard.primary if shard is not None else None)
        link = self._link_to(node) if node is not None else None
        self._to_primary_row(slot_run)
        if lane is not None:
            lane.link = link
        self._send(slot_run, shard, link)

    def _to_primary_row(self, run: SlotRun) -> None:
        """Count a command among those on a primary."""
        lane = self._lanes.get(run.at)
        if run.is_on_replica and lane is not None:
            lane.reads -= 1
            lane.sent += 1
        run.is_on_replica = False

    def forget_links(self) -> None:
        """Choose links anew, as what they are set to has changed."""
        self._links.clear()

    def sent_on(self) -> "dict[Node, Link]":
        """Return the links to primaries, by node."""
        return {node: link for node, link in self._links.items() if not link.is_closed}

    # --- replies -----------------------------------------------------------------------------

    def answered(self, run: ClientRun, reply: bytes) -> None:
        """Take a reply; what waited for it goes on."""
        is_new = not run.is_done and not self.is_closed
        super().answered(run, reply)
        if is_new and isinstance(run, SlotRun) and not self.is_closed:
            if run.slot is not None:
                self.hub.counted(run)
            self._ended(run)

    def _ended(self, run: SlotRun) -> None:
        lane = self._lanes.get(run.at)
        if lane is None:
            return
        self._unstick(run)
        if run.is_on_replica:
            lane.reads -= 1
        else:
            lane.sent -= 1
        while lane.waiting and not lane.waiting[0].is_done and self._sent(lane.waiting[0], lane):
            lane.waiting.popleft()
        if not (lane.sent or lane.reads or lane.waiting):
            self._lanes.pop(run.at, None)

    def inspect(self, run: ClientRun, reply: bytes) -> None:
        """Take a reply that another node may have to give instead."""
        if not isinstance(run, SlotRun):
            self.session.inspect(run, reply)
        elif run.is_stale:
            self._elsewhere(run, "stale")
        elif reply.startswith(b"-"):
            self._wrong(run, reply)
        elif run.is_on_replica and may_be_miss(reply):
            self._elsewhere(run, "miss")
        else:
            self.answered(run, reply)

    def _elsewhere(self, run: SlotRun, reason: str) -> None:
        self.hub.reissued(reason)
        run.again()
        self.to_primary(run)

    def _wrong(self, run: SlotRun, reply: bytes) -> None:
        code = reply[1:].split(b" ", 1)[0].decode("latin-1").rstrip()
        self.hub.failed_with(code)
        if run.is_on_replica and not reply.startswith(b"-MOVED "):
            self._elsewhere(run, "error")
        elif reply.startswith(_NOT_NOW):
            run.again()
            run.fallback = reply
            cast("Link", run.link).node.suspect()
            self._to_primary_row(run)
            self._hold(run)
        elif reply.startswith(b"-TRYAGAIN ") and run.retries < _MOST_RETRIES:
            run.retries += 1
            run.again()
            self._stick(run)
            asyncio.get_running_loop().call_later(_PAUSE, self._retry, run)
        elif (found := redirect_of(reply, cast("Link", run.link).node.address.host)) is not None:
            self._redirect(run, found)
        else:
            self.hub.erred(run, 1)
            self.answered(run, reply)

    def _retry(self, run: SlotRun) -> None:
        if not self.is_closed and not run.is_done:
            self.to_primary(run)

    def _redirect(self, run: SlotRun, found: Redirect) -> None:
        run.hops += 1
        run.again()
        if run.hops > _MOST_HOPS:
            self.answered(run, NOT_SERVED)
            return
        if not found.is_ask:
            if self.hub.moved(found.slot, found.address) is None:
                self._to_primary_row(run)
                self._hold(run)  # until it is known as the primary
            else:
                self.to_primary(run)
            return
        node = self.hub.nodes.get(found.address)
        if node is None:
            self.hub.poke()
            self._hold(run)
        else:
            self._ask(run, node)

    def _ask(self, run: SlotRun, node: "Node") -> None:
        """Send a command to where its slot is going, which takes it only behind ASKING."""
        shard, target = self.hub.shard_of(run.at), self.hub.shard_at(node)
        if shard is not None:
            shard.raise_floor()  # its replicas may still show what was taken away
        link = self._link_to(node)
        link.send(Unheard(ASKING, 1))
        self._send(run, target, link)

    def _forget(self) -> None:
        super()._forget()
        self._lanes.clear()
