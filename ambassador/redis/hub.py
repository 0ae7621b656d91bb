"""What all clients share: the servers and their roles, commands that wait for a primary, limits."""

import asyncio
import random
import ssl
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any, Final

from ambassador.frame.address import Address
from ambassador.frame.balance import Chooser
from ambassador.frame.dialing import Dialer
from ambassador.redis import errors
from ambassador.redis.buffers import PEAK_RESET
from ambassador.redis.client import Client
from ambassador.redis.commands import MAY_BE_SLOW, Command, Route, Table
from ambassador.redis.greeting import Attributes
from ambassador.redis.monitoring import Monitors
from ambassador.redis.node import Node
from ambassador.redis.reading import MOVED, Token
from ambassador.redis.resp import arguments
from ambassador.redis.roles import Lag, Verdict, judge
from ambassador.redis.run import ClientRun, Run
from ambassador.redis.settings import Listener, RedisSettings
from ambassador.redis.slowlog import SlowLog
from ambassador.redis.telemetry import ERRORS, SECONDS, Tallies
from sidecar.runtime.clock import SystemClock
from sidecar.runtime.log import get_logger
from sidecar.runtime.signal import Signal

__all__ = ["Hub"]

_log = get_logger("ambassador")
_SAMPLE: Final = 15
_LAST_WORDS: Final = 0.2
LOST: Final = "no primary any more"


class Hub:
    """The shared state of one ambassador; everything happens on its loop's thread."""

    is_cluster = False

    def __init__(
        self,
        settings: RedisSettings,
        group: asyncio.TaskGroup,
        watch: Callable[[Node], Coroutine[Any, Any, None]],
        *,
        context: ssl.SSLContext | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Start without servers; tasks run in ``group``, ``watch`` asks a server who it is."""
        self.settings = settings
        self.now = asyncio.get_running_loop().time
        self.dialer = Dialer(context, settings.connect_timeout)
        self.link_name = b"ambassador"
        self.table = Table()
        self._routes: dict[Listener, dict[bytes, int]] = {}
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
        self.hello: dict[bytes, bytes] = {}  # what the primary answers to HELLO
        self.held: deque[tuple[float, ClientRun]] = deque()
        self.held_bytes = 0
        self.is_releasing = False
        self.clients: set[Client] = set()
        self.slow: set[Client] = set()
        self.buffered = 0
        self.uncertain: dict[Token, int] = {}
        self.lag = Lag()
        self.tallies = Tallies(self)
        self.monitors = Monitors(self)
        self.peak_reset = PEAK_RESET
        self.unknown_outcomes = 0
        self.slowlog = SlowLog(settings.slowlog, settings.slowlog_size)
        self.slow_names: set[str] = set()
        self.is_full = False  # of replies that nobody reads
        self.stopping = False
        self.changed = Signal()
        self._group = group
        self._draw = draw
        self._ids = 0
        self._ticks = 0
        self._lost_at = 0.0
        self._former: Node | None = None  # the primary that is not heard of
        self._watch = watch
        self._watchers: dict[Address, asyncio.Task[None]] = {}
        self._tokens: dict[object, Token] = {}
        self._choosers: dict[str, Chooser] = {}

    # --- tasks and servers -------------------------------------------------------------------

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None] | None:
        """Run something beside the loop's calls; nothing any more while the program stops."""
        if self.stopping:
            work.close()
            return None
        return self._group.create_task(_guarded(work, name), name=name)

    def serve(self, addresses: Collection[Address], draining: Collection[Address] = ()) -> None:
        """Take which servers there are; new ones are watched, others are let go."""
        zones: Mapping[str, str] = dict(self.settings.zones)
        for address in addresses:
            if address not in self.nodes:
                node = self.nodes[address] = Node(self, address, zones.get(str(address), ""))
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

    def take(self, settings: RedisSettings) -> None:
        """Take other limits and times; those connected stay."""
        self.settings = settings
        self.slowlog.limit = settings.slowlog or float("inf")

    def end(self) -> None:
        """End all links and watches."""
        self.stopping = True
        for task in self._watchers.values():
            task.cancel()
        for node in self.nodes.values():
            node.is_gone = True
            node.close("stopping")

    async def finished(self) -> None:
        """Return when no command is under way."""
        clock = SystemClock()
        while any(client.runs or client.backlog for client in self.clients):
            await clock.sleep(0.01)

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
        if self.primary is not None and self.held:
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
            asyncio.get_running_loop().call_later(_LAST_WORDS, former.end_links, LOST)

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

    def refused(self, node: Node, reply: bytes) -> None:
        """Hear that a server refuses a link of ours; what clients asked for they are told."""
        _log.warning("link is refused", server=node.label, reason=reply.decode(errors="replace"))

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
        return None if self.primary is not None else self.verdict.why or "no primary"

    def parts(self) -> dict[str, object]:
        """Return what else there is to say of who serves what."""
        return {}

    def probed(self, node: Node, offset: int) -> None:
        """Take how far a server is."""
        if node is self.primary:
            self.lag.sample(self.now(), offset)
            self.covered_by_probe(offset)

    # --- what waits for a primary ------------------------------------------------------------

    def hold(self, run: ClientRun) -> None:
        """Keep a run that was not sent, or not executed, until there is a primary."""
        if self.held_bytes + len(run.data) > self.settings.failover_bytes:
            run.owner.answered(run, errors.IN_FAILOVER * run.count)
            return
        self.held.append((self.now(), run))
        self.held_bytes += len(run.data)
        if self.primary is None:
            for node in self.nodes.values():
                node.poked.set()

    def release(self) -> None:
        """Send what waits, in order."""
        held, self.held, self.held_bytes = self.held, deque(), 0
        # Refused commands come back late, and go before those that came after them.
        for _, run in sorted(held, key=lambda one: one[1].since):
            client = run.owner
            if isinstance(client, Client) and not client.is_closed:
                client.to_primary(run)

    def expire(self, now: float) -> None:
        """Give up what waits for too long."""
        limit = self.settings.failover_queue
        while self.held and now - self.held[0][0] > limit:
            _, run = self.held.popleft()
            self.held_bytes -= len(run.data)
            known = self.tallies.last_primary
            what = errors.IN_FAILOVER if known else errors.NO_PRIMARY
            run.owner.answered(run, run.fallback or what * run.count)

    # --- clients -----------------------------------------------------------------------------

    def next_id(self) -> int:
        """Return an id that no client had."""
        self._ids += 1
        return self._ids

    def enter(self, client: Client) -> bool:
        """Take a client, if there is room."""
        if len(self.clients) >= self.settings.max_clients or self.buffered > self.settings.memory:
            self.dropped("max_clients")
            return False
        self.clients.add(client)
        return True

    def leave(self, client: Client) -> None:
        """Forget a client."""
        self.clients.discard(client)
        self.slow.discard(client)
        client.reader.leave()

    def routes(self, listener: Listener) -> dict[bytes, int]:
        """Return the words that a listener's clients need no closer look for."""
        return self._routes.setdefault(listener, {})

    def grew(self, client: Client, size: int) -> None:
        """Hear that a client that does not read has more to read; end it beyond its limit."""
        self.buffered += size
        transport = client.transport
        is_push = client.session.is_transparent
        hard = self.settings.push_hard if is_push else self.settings.reply_hard
        if transport is not None and transport.get_write_buffer_size() > hard:
            client.close("reply_buffer", is_abort=True)

    def token(self, client: Client) -> Token:
        """Return what a client's writes are remembered in."""
        scope = client.listener.scope
        if scope == "connection":
            return Token(self.generation)
        key = (client.listener, client.session.attributes.user if scope == "user" else b"")
        return self._tokens.setdefault(key, Token(-1))

    def chooser(self, listener: Listener) -> Chooser:
        """Return what chooses replicas for a listener's clients."""
        found = self._choosers.get(listener.balance)
        if found is None:
            found = Chooser(listener.balance, self._draw, self.settings.zone)
            self._choosers[listener.balance] = found
        return found

    def with_login(self, attributes: Attributes) -> Attributes:
        """Return what a link is set to: our own login where the client brought none."""
        settings = self.settings
        if attributes.password is not None or not settings.password:
            return attributes
        return attributes._replace(user=settings.user.encode(), password=settings.password.encode())

    def command(self, name: bytes, sub: bytes = b"") -> Command:
        """Return what is known of a command."""
        return self.table.command(name, sub)

    async def tried(self, attributes: Attributes) -> None:
        """Return when the primary has taken a shared link that is set so.

        Raises Refused, UpstreamUnavailable and TimeoutError.
        """
        async with asyncio.timeout(self.settings.failover_queue):
            while self.primary is None:
                await self.changed.wait()
            await self.primary.link(attributes).opened()

    def covered_by_probe(self, offset: int) -> None:
        """Take how far the primary is by a probe: past all that was uncertain before it."""
        for token, left in list(self.uncertain.items()):
            if left > 1:
                self.uncertain[token] = left - 1
            else:
                del self.uncertain[token]
                token.offset = offset

    def info(self) -> str:
        """Return the section ``ambassador`` of INFO."""
        primary = self.primary.label if self.primary is not None else ""
        lines = [
            "# Ambassador",
            f"primary:{primary}",
            f"replicas_readable:{len(self.readable)}",
            f"clients:{len(self.clients)}",
            f"held_commands:{len(self.held)}",
            f"unknown_outcomes:{self.unknown_outcomes}",
            f"reads_direct:{self.tallies.direct}",
            f"reads_guarded:{self.tallies.guarded}",
            f"reads_on_primary:{self.tallies.fallback}",
        ]
        return "\r\n".join([*lines, ""])

    def learn(self, table: Table) -> None:
        """Take the commands of the primary; what clients hold of the old table goes on."""
        self.table = table
        for routes in self._routes.values():
            routes.clear()

    def blames(self, run: Run) -> None:
        """Hear what others wait for; a command that is known to be long goes apart from now on."""
        if isinstance(run, ClientRun) and run.count == 1:
            words = arguments(run.data)
            name = self.command(words[0]).name
            if name in MAY_BE_SLOW and name not in self.slow_names:
                self.slow_names.add(name)
                for routes in self._routes.values():
                    routes.clear()

    # --- counting ----------------------------------------------------------------------------

    def counted(self, run: ClientRun) -> None:
        """Count a run that is answered; time one of some."""
        link: Any = run.link
        if link is None:
            return
        node = link.node
        node.counts[run.kind if run.kind < Route.SLOW else 0] += run.count
        took = link.heard - run.since
        if took > self.slowlog.limit:
            self.slowlog.add(run, node.label, took)
        self._ticks += 1
        if not self._ticks & _SAMPLE:
            node.took(took)
            SECONDS[run.kind if run.kind < Route.SLOW else 0].observe(took)

    def failed_with(self, code: str) -> None:
        """Count an error reply by its code."""
        ERRORS.labels(code if code.isupper() and len(code) < 20 else "other").inc()

    def dropped(self, reason: str) -> None:
        """Count a client that was ended."""
        self.tallies.dropped(reason)

    def reissued(self, reason: str) -> None:
        """Count a read that is sent again."""
        self.tallies.reissued(reason)


async def _guarded(work: Coroutine[Any, Any, None], name: str) -> None:
    """Keep what goes wrong with one connection from the others."""
    try:
        await work
    except Exception:  # noqa: BLE001 - a bug with one connection must not end the others
        _log.exception("task failed", task=name)
