"""The servers behind an ambassador: who they are, who is the primary, who may be read."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Coroutine
from typing import TYPE_CHECKING, Any, Final

from ambassador.frame.address import Address
from ambassador.frame.health import State
from ambassador.redis.node import Node
from ambassador.redis.roles import Lag, Verdict, judge
from ambassador.redis.tokens import MOVED, Token, cover
from sidecar.runtime.log import get_logger
from sidecar.runtime.signal import Signal

if TYPE_CHECKING:
    from ambassador.redis.settings import RedisSettings
    from ambassador.redis.telemetry import Tallies

__all__ = ["LOST", "Servers"]

_log = get_logger("ambassador")
LOST: Final = "no primary any more"


class Servers(ABC):
    """Who serves what; everything happens on the loop's thread."""

    tallies: "Tallies"

    def __init__(
        self,
        settings: "RedisSettings",
        group: asyncio.TaskGroup,
        watch: Callable[[Node], Coroutine[Any, Any, None]],
    ) -> None:
        """Start without servers; tasks run in ``group``, ``watch`` asks a server who it is."""
        self.settings = settings
        self.now = asyncio.get_running_loop().time
        self.nodes: dict[Address, Node] = {}
        self.named: Address | None = None  # whom Sentinel calls the primary
        self.is_named = False
        self.primary: Node | None = None
        self.readable: tuple[Node, ...] = ()
        self.has_replicas = False
        self.generation = 0
        self.switch_offset = 0
        self.floor = 0  # what no client may miss, in a cluster
        self.verdict = Verdict(None, "no server has answered yet")
        self.uncertain: dict[Token, int] = {}
        self.lag = Lag()
        self.link_name = b"ambassador"
        self.stopping = False
        self.changed = Signal()
        self._group = group
        self._lost_at = 0.0
        self._former: Node | None = None  # the primary that is not heard of
        self._watch = watch
        self._watchers: dict[Address, asyncio.Task[None]] = {}

    @abstractmethod
    def release(self) -> None:
        """Send what waits for a primary."""

    @abstractmethod
    def new_node(self, address: Address) -> Node:
        """Return a server that nobody has asked yet."""

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None] | None:
        """Run something beside the loop's calls; nothing any more while the program stops."""
        if self.stopping:
            work.close()
            return None
        return self._group.create_task(_guarded(work, name), name=name)

    def serve(self, addresses: Collection[Address], draining: Collection[Address] = ()) -> None:
        """Take which servers there are; new ones are watched, others are let go."""
        for address in addresses:
            if address not in self.nodes:
                node = self.nodes[address] = self.new_node(address)
                task = self.spawn(self._watch(node), f"watch {address}")
                if task is not None:
                    self._watchers[address] = task
        for address in [known for known in self.nodes if known not in addresses]:
            node = self.nodes.pop(address)
            node.is_gone = True
            if task := self._watchers.pop(address, None):
                task.cancel()
            node.close("no member any more")
        for address, node in self.nodes.items():
            node.is_draining = address in draining
        self.rejudge()

    def name_primary(self, address: Address | None) -> None:
        """Take whom Sentinel calls the primary."""
        self.is_named = True
        if address != self.named:
            self.named = address
            self.rejudge()

    def end(self) -> None:
        """End all links and watches."""
        self.stopping = True
        for task in self._watchers.values():
            task.cancel()
        for node in self.nodes.values():
            node.is_gone = True
            node.close("stopping")

    # --- who is what -------------------------------------------------------------------------

    def rejudge(self) -> None:
        """Decide anew who is what."""
        seen = {
            address: node.observation
            for address, node in self.nodes.items()
            if node.observation is not None
        }
        by_evidence = self.settings.split_brain == "evidence"
        if self.is_named and self.named is None:
            verdict = Verdict(None, "no Sentinel names a primary")
        else:
            verdict = judge(seen, named=self.named, by_evidence=by_evidence)
        if verdict != self.verdict:
            self.verdict = verdict
        primary = self.nodes.get(verdict.primary) if verdict.primary is not None else None
        if primary is not self.primary:
            self._switch(primary)
        self._judge_readers()
        self.changed.fire()
        if self.primary is not None:
            self.release()

    def _switch(self, primary: Node | None) -> None:
        old, self.primary = self.primary, primary
        if old is not None:
            _log.warning("primary is lost", server=old.label, reason=self.verdict.why or "replaced")
            self._lost_at = self.now()
            self._former = old
        if primary is not None:
            former, self._former = self._former, None
            if former is not None and former is not primary:
                self._let_go(former)
            _log.info("primary is known", server=primary.label)
            if self._lost_at:
                self.tallies.failover(self.now() - self._lost_at)
                self._lost_at = 0.0
            observation = primary.observation
            if self.tallies.last_primary not in {"", primary.label}:
                self.generation += 1
                self.switch_offset = observation.offset if observation is not None else 0
                for node in self.nodes.values():
                    node.offset = -1
            self.tallies.last_primary = primary.label
            self.lag = Lag()

    def _let_go(self, former: Node) -> None:
        """End links to a former primary; as long as there is no other it may only be slow."""
        if former.observation is None:
            # Commands under way there may have been executed; nobody will say so any more.
            former.close(LOST)
        else:  # it answers: each command is told whether it was refused
            later = asyncio.get_running_loop().call_later
            later(self.settings.drain, former.end_links, LOST)

    def _judge_readers(self) -> None:
        readable = tuple(node for node in self.nodes.values() if self._may_be_read(node))
        for node in self.nodes.values():
            if node.is_readable != (node in readable):
                node.is_readable = node in readable
                node.readable_since = self.now()
        if readable and not self.has_replicas:
            # What was written while nothing could be read elsewhere was not followed.
            self.generation += 1
            self.switch_offset = MOVED
        self.readable = readable
        self.has_replicas = bool(readable)

    def _may_be_read(self, node: Node) -> bool:
        seen = node.observation
        if seen is None or seen.role != "slave" or not node.health.is_up:
            return False
        if not seen.is_linked or seen.is_loading:
            return False
        if node.is_draining or node.is_drained:
            return False
        followed = self.primary_of(node)
        primary = followed.observation if followed is not None else None
        return primary is None or not primary.replid or primary.replid == seen.replid

    def primary_of(self, _: Node) -> Node | None:
        """Return whom a replica should follow."""
        return self.primary

    def is_primary(self, node: Node) -> bool:
        """Say whether writes go there."""
        return self.primary is node

    def lag_of(self, _: Node) -> Lag:
        """Return what tells how far a replica is behind."""
        return self.lag

    def trouble(self) -> str | None:
        """Say why clients cannot be served."""
        primary = self.primary
        if primary is None:
            return self.verdict.why or "no primary"
        return f"{primary.label} is silent" if primary.health.state is State.DOWN else None

    def unreadable(self) -> str | None:
        """Say why no replica can be read."""
        return None if self.readable else "no replica can be read"

    def parts(self) -> dict[str, object]:
        """Return what else there is to say of who serves what."""
        return {}

    def probed(self, node: Node, offset: int) -> None:
        """Take how far a server is."""
        if node is self.primary:
            self.lag.sample(self.now(), offset)
            cover(self.uncertain, offset)

    def refused(self, node: Node, reply: bytes) -> None:
        """Hear that a server refuses a link of ours; what clients asked for they are told."""
        _log.warning("link is refused", server=node.label, reason=reply.decode(errors="replace"))


async def _guarded(work: Coroutine[Any, Any, None], name: str) -> None:
    """Keep what goes wrong with one connection from the others."""
    try:
        await work
    except Exception:  # noqa: BLE001 - a bug with one connection must not end the others
        _log.exception("task failed", task=name)
