"""What all clients share: the servers, commands that wait for a primary, limits, counts."""

import asyncio
import random
import ssl
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from ambassador.frame.address import Address
from ambassador.frame.balance import Chooser
from ambassador.frame.dialing import Dialer
from ambassador.redis import errors
from ambassador.redis.buffers import PEAK_RESET
from ambassador.redis.client import Client
from ambassador.redis.commands import MAY_BE_SLOW, Command, Route, Table
from ambassador.redis.framing import word_of
from ambassador.redis.greeting import Attributes
from ambassador.redis.monitoring import Monitors
from ambassador.redis.node import Node
from ambassador.redis.pressure import Pressure
from ambassador.redis.resp import arguments
from ambassador.redis.run import ClientRun, Run, class_of
from ambassador.redis.scripts import Scripts
from ambassador.redis.servers import Servers
from ambassador.redis.settings import Listener, RedisSettings
from ambassador.redis.slowlog import SlowLog
from ambassador.redis.telemetry import ERRORS, SECONDS, Tallies
from ambassador.redis.tokens import Token
from sidecar.runtime.clock import SystemClock
from sidecar.runtime.log import get_logger

if TYPE_CHECKING:
    from ambassador.redis.link import Link

__all__ = ["Hub"]

_log = get_logger("ambassador")
_SAMPLE: Final = 15
_QUIET: Final = 1.0  # seconds between two lines of the log about slow commands
_MOST_WORDS: Final = 4096
_LONGEST: Final = 64


class Hub(Servers):
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
        super().__init__(settings, group, watch)
        self.dialer = Dialer(context, settings.connect_timeout)
        self.table = Table()
        self._routes: dict[Listener, dict[bytes, int]] = {}
        self.hello: dict[bytes, bytes] = {}  # what the primary answers to HELLO
        self.held: deque[tuple[float, ClientRun]] = deque()
        self.held_bytes = 0
        self.clients: set[Client] = set()
        self.slow: set[Client] = set()
        self.buffered = 0
        self.pressure = Pressure(self)
        self.tallies = Tallies(self)
        self.monitors = Monitors(self)
        self.peak_reset = PEAK_RESET
        self.unknown_outcomes = 0
        self.slowlog = SlowLog(settings.slowlog, settings.slowlog_size)
        self.scripts = Scripts()
        self.slow_names: set[str] = set()
        self._draw = draw
        self._ids = 0
        self._ticks = 0
        self._said_slow = -_QUIET
        self._unsaid = 0
        self.taken = self.given = 0  # bytes from and to clients
        self._tokens: dict[object, Token] = {}
        self._choosers: dict[str, Chooser] = {}

    def take(self, settings: RedisSettings) -> None:
        """Take other limits and times; those connected stay."""
        self.settings = settings
        self.slowlog.resize(settings.slowlog, settings.slowlog_size)
        self.dialer.limit = settings.connect_timeout
        self._choosers.clear()
        zones = dict(settings.zones)
        for node in self.nodes.values():
            node.zone = zones.get(node.label, "")

    def new_node(self, address: Address) -> Node:
        """Return a server that nobody has asked yet."""
        zones: Mapping[str, str] = dict(self.settings.zones)
        return Node(self, address, zones.get(str(address), ""))

    async def finished(self) -> None:
        """Return when no command is under way."""
        clock = SystemClock()
        while any(client.runs or client.backlog for client in self.clients):
            await clock.sleep(0.01)

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
        if not self.held:
            return
        held, self.held, self.held_bytes = self.held, deque(), 0
        # Refused commands come back late, and go before those that came after them.
        now = self.now()
        for _, run in sorted(held, key=lambda one: one[1].since):
            client, run.sent = run.owner, now
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
        if len(self.clients) >= self.settings.max_clients or self.pressure.is_full:
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

    def remember(self, routes: dict[bytes, int], name: bytes, found: Command) -> None:
        """Let a command pass without a closer look from now on, if it needs none."""
        is_plain = found.route < Route.SLOW and "|" not in found.name and not found.is_container
        is_plain = is_plain and found.name not in self.slow_names
        if is_plain and len(routes) < _MOST_WORDS and len(name) < _LONGEST:
            routes[word_of(name)] = found.route

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

        Raises Refused and UpstreamUnavailable.
        """
        while self.primary is None:
            await self.changed.wait()
        await self.primary.link(attributes).opened()

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
        if run.link is None:
            return
        link = cast("Link", run.link)
        node, kind = link.node, class_of(run)
        node.counts[kind] += run.count
        took = link.heard - run.since
        if took > self.slowlog.limit:
            self._slow(run, node.label, link.heard)
        self._ticks += 1
        if not self._ticks & _SAMPLE:
            node.took(took)
            SECONDS[kind].observe(took)

    def _slow(self, run: ClientRun, node: str, heard: float) -> None:
        """Keep a run that took long; say so, but not of each when there are many."""
        lease = getattr(getattr(run.owner, "session", None), "lease", None)
        if lease is not None and lease.is_blocking:
            return  # it waited for something to come
        slow = self.slowlog.add(run, node, heard, self.command)
        now = self.now()
        if now - self._said_slow < _QUIET:
            self._unsaid += 1
            return
        self._said_slow, unsaid, self._unsaid = now, self._unsaid, 0
        _log.warning("slow command", **slow._asdict(), others=unsaid)

    def erred(self, run: ClientRun, count: int) -> None:
        """Count so many error replies as the answer to a run."""
        node = getattr(run.link, "node", None)
        if node is not None:
            node.errors[class_of(run)] += count

    def lost_sight(self, run: ClientRun) -> None:
        """Count writes whose outcome nobody knows."""
        self.unknown_outcomes += run.left
        node = getattr(run.link, "node", None)
        if node is not None:
            node.unknown[run.kind] += run.left

    def failed_with(self, code: str) -> None:
        """Count an error reply by its code."""
        ERRORS.labels(code if code.isupper() and len(code) < 20 else "other").inc()

    def dropped(self, reason: str) -> None:
        """Count a client that was ended."""
        self.tallies.dropped(reason)

    def reissued(self, reason: str) -> None:
        """Count a read that is sent again."""
        self.tallies.reissued(reason)
