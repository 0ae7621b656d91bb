"""Which server a client's reads go to, so that it sees what it wrote.

The theory. A primary numbers the bytes of its replication stream; a replica says up to which it
has applied them. A client's token is an offset at or past its last write, and past all that it has
read: a replica that has reached it shows the client nothing older. The token comes from a ROLE
that follows the client's commands on the primary's link, one for all that is sent in a turn of the
loop. A read goes straight to a replica that is known to have reached the token, as offsets only
grow. Of another the offset is asked in the same write as the read, before it; if it is too low the
reply is dropped and the read asked of the primary.
"""

from typing import TYPE_CHECKING

from ambassador.redis import errors
from ambassador.redis.commands import Route
from ambassador.redis.run import ClientRun, RoleRun
from ambassador.redis.tokens import FREE, MOVED, NEVER, Shard, Token

if TYPE_CHECKING:
    from ambassador.redis.client import Client
    from ambassador.redis.hub import Hub
    from ambassador.redis.link import Link
    from ambassador.redis.node import Node

__all__ = ["Reader"]


class Reader:
    """Chooses the server of one client's reads."""

    __slots__ = (
        "_chooser",
        "_client",
        "_hides",
        "_hub",
        "_keeps_primary",
        "_link",
        "_node",
        "_shard",
        "_weight",
        "_window",
        "mode",
        "token",
    )

    def __init__(self, client: "Client", shard: Shard | None = None) -> None:
        """Read as the listener says, from all servers or those of a shard."""
        self._client = client
        self._hub: Hub = client.hub
        self._shard: Shard = shard or client.hub
        self.mode = client.listener.mode
        is_own = client.listener.scope == "connection"
        self.token = Token(self._shard.generation) if is_own else None
        self._hides = False
        self._node: Node | None = None
        self._link: Link | None = None
        self._chooser = client.hub.chooser(client.listener)
        self._weight = client.listener.primary_read_weight
        self._window = client.listener.window
        self._keeps_primary: bool | None = None

    @property
    def _token(self) -> Token:
        if self.token is None:
            self.token = self._shard.token(self._client)
        return self.token

    def leave(self) -> None:
        """Keep to no replica any more."""
        if self._node is not None:
            self._node.clients -= 1
            self._node = self._link = None

    def reads(self, run: ClientRun) -> bool:  # noqa: PLR0911 - one case after the other
        """Send a read to a replica; False if it goes to the primary."""
        hub, mode = self._shard, self.mode
        if mode == "primary":
            return False
        if not hub.readable:
            return self._without_replica(run)
        if self._weight and self._is_for_primary(hub):
            return False
        node = self._node
        if node is None or not node.is_readable or not self._keeps:
            node = self._keep_to(self._chooser.choose(hub.readable))
        if mode == "session":
            wanted = self._wanted(run, node)
            if wanted is None:
                return self._falls_back()
            if wanted != FREE:
                return self._guarded(run, node, wanted)
            self._hub.tallies.direct += 1
        elif mode == "bounded" and not self._is_near(node):
            near = [one for one in hub.readable if self._is_near(one)]
            if not near:
                return self._without_replica(run)
            node = self._keep_to(self._chooser.choose(near))
        link = self._link_to(node, run)
        if not run.token:
            self._client.guards += 1
            run.token = FREE
        run.link = link
        link.send(run)
        return True

    def _wanted(self, run: ClientRun, node: "Node") -> int | None:
        """Return what offset a replica has to be asked for; None: it is not to be read."""
        shard, token = self._shard, self._token
        if token.uncovered:
            return None
        if token.generation != shard.generation:
            token.generation, token.offset = shard.generation, shard.switch_offset
            token.wrote_at = max(token.wrote_at, run.since if self._window else -1.0)
        if self._window:
            return None if run.since - token.wrote_at < self._window else FREE
        wanted = max(token.offset, shard.floor)
        if wanted <= node.offset:
            return FREE
        listener = self._client.listener
        may_be_asked = (
            wanted < MOVED
            and run.since - token.wrote_at >= listener.young
            and listener.session_fallback == "guarded"
            and node.tells_role
        )
        return wanted if may_be_asked else None

    def elsewhere(self, run: ClientRun) -> bool:
        """Send a read to another replica than where it failed; False: to the primary."""
        failed = getattr(run.link, "node", None)
        if self._node is failed and failed is not None:
            failed.suspect()
            self._miss()
            self.leave()
        if self.mode == "primary" or run.tries > 1:
            return False
        return any(node is not failed for node in self._shard.readable) and self.reads(run)

    def wrote(self, run: ClientRun, link: "Link") -> None:
        """Hear that a run goes to the primary: what it writes or shows must be seen from now on."""
        if self.mode != "session":
            return
        token = self._token
        if run.kind == Route.WRITE:
            token.wrote_at = run.since
        if self._window:
            if run.kind == Route.WRITE and run.after is None:
                run.after = self._answered
            return
        token.uncovered += 1
        link.covers.append(self._covered)

    def wrote_alone(self, link: "Link") -> None:
        """Hear that a client's own upstream has executed something: ask how far the primary is."""
        if self.mode != "session" or not self._shard.readable:
            return
        if link.is_closed or self._window:
            self.moved()
            return
        self._token.uncovered += 1
        link.send(RoleRun(b"master", self._covered))

    def moved(self) -> None:
        """Read from the primary until it is known how far that is."""
        if self.mode == "session":
            self._miss()

    def _miss(self) -> None:
        token = self._token
        token.offset = max(token.offset, MOVED)
        if self._window:
            token.wrote_at = self._hub.now()

    def _answered(self, reply: bytes) -> bytes:
        """Count the time without replicas from a write's reply on."""
        self._token.wrote_at = self._hub.now()
        return reply

    def hides(self) -> None:
        """Hear that a client may write where nobody counts, until ``shows``."""
        if self.mode == "session" and not self._hides:
            self._hides = True
            self._token.uncovered += 1

    def shows(self) -> None:
        """Hear the end of that."""
        if self._hides:
            self._hides = False
            self._token.uncovered -= 1
            self.moved()

    def take_mode(self, mode: str) -> None:
        """Read in another way from now on; what was written before is not known."""
        if mode != self.mode:
            self.shows()
            self.mode = mode
            self.moved()

    def _covered(self, offset: int | None) -> None:
        token = self._token
        token.uncovered -= 1
        if offset is None:
            token.offset = NEVER
            self._shard.uncertain[token] = 2  # probes of the primary until it is known again
        elif token.generation != self._shard.generation:
            token.generation = self._shard.generation
            token.offset = max(offset, self._shard.switch_offset)
        elif offset > token.offset or token.offset == MOVED:
            token.offset = offset

    def _is_for_primary(self, shard: Shard) -> bool:
        """Say whether the primary takes this read; who keeps a server decides only once."""
        if self._keeps_primary is not None and self._keeps:
            return self._keeps_primary
        self._keeps_primary = self._chooser.favours(self._weight, shard.readable)
        return self._keeps_primary

    def _guarded(self, run: ClientRun, node: "Node", offset: int) -> bool:
        link = self._link_to(node, run)
        if not run.token:
            self._client.guards += 1
        run.token, run.link = max(offset, 1), link

        def tell(reached: int | None) -> None:
            if reached is None:
                run.is_stale = True
                node.suspect()
                return
            node.offset = max(node.offset, reached)
            run.is_stale = reached < offset

        link.send(RoleRun(b"slave", tell))
        link.send(run)
        self._hub.tallies.guarded += 1
        return True

    def _falls_back(self) -> bool:
        self._hub.tallies.fallback += 1
        return False

    def _without_replica(self, run: ClientRun) -> bool:
        if self._client.listener.fallback == "primary":
            return False
        self._client.answered(run, errors.NO_REPLICA * run.count)
        return True

    def _is_near(self, node: "Node") -> bool:
        lag, listener = self._shard.lag, self._client.listener
        return (
            lag.bytes_behind(node.offset) <= listener.max_lag_bytes
            and lag.seconds_behind(node.offset, self._hub.now()) <= listener.max_lag
        )

    @property
    def _keeps(self) -> bool:
        """Whether to stay with a replica; reads that never go back have to."""
        return self._chooser.is_sticky or self.mode == "session"

    def _keep_to(self, node: "Node") -> "Node":
        if node is not self._node:
            if self._node is not None and self.mode == "session":
                # What was seen there may be newer than what the other has.
                self._miss()
            self.leave()
            self._node, self._link = node, None
            node.clients += 1
        return node

    def _link_to(self, node: "Node", run: ClientRun) -> "Link":
        link = self._link
        if link is None or not link.takes_new or link.node is not node or run.is_slow:
            is_same = link is not None and not link.is_closed and link.node is node
            if link is not None and is_same and self._client.writer.is_under_way(link):
                return link  # though it is slow: reads are answered from newer and newer states
            choose = node.lane if run.is_slow else node.link
            attributes = self._client.session.attributes
            if self._shard is not self._hub:
                attributes = attributes._replace(is_reading=True)
            link = self._link = choose(attributes)
        return link

    def forget_link(self) -> None:
        """Choose a link anew, as what it is set to has changed."""
        self._link = None
