"""What a client of a cluster asks: where the keys of each command are, and who is to do it."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from ambassador.redis import errors
from ambassador.redis.cluster.fanout import asked_of_all, nodes_for
from ambassador.redis.cluster.moving import Moving
from ambassador.redis.cluster.scanning import (
    cursor_in,
    joined,
    marks,
    next_mark,
    parted,
    with_cursor,
)
from ambassador.redis.cluster.slots import slot_of
from ambassador.redis.cluster.splitting import SPLITTABLE, Part, merged, parts_of
from ambassador.redis.cluster.transactions import Transaction
from ambassador.redis.commands import Command, Route
from ambassador.redis.resp import packed
from ambassador.redis.run import ClientRun
from ambassador.redis.session import Session
from ambassador.redis.waiting import wait_for_replicas
from sidecar.errors import ProtocolError

if TYPE_CHECKING:
    from ambassador.redis.cluster.client import ClusterClient
    from ambassador.redis.node import Node

__all__ = ["ClusterSession"]

_HARMLESS: Final = frozenset(
    b"INFO NODES SLOTS SHARDS KEYSLOT COUNTKEYSINSLOT GETKEYSINSLOT MYID LINKS REPLICAS SLAVES"
    b" COUNT-FAILURE-REPORTS HELP".split()
)
_EVERYWHERE: Final = frozenset({"all_shards", "all_nodes"})
_ONE_WILL_DO: Final = frozenset({"ping", "wait"})  # which say something of one node or client
_MODES: Final = {"readonly": "eventual", "readwrite": "primary", "asking": ""}
_OK: Final = b"+OK\r\n"


class ClusterSession(Session):
    """The slow side of one client of a cluster."""

    __slots__ = ("_cluster_client", "_shapes", "moving", "transaction")

    def __init__(self, client: "ClusterClient") -> None:
        """Start with everything as a new connection has it."""
        self._cluster_client = client
        self.transaction: Transaction | None = None  # begun, without a node yet
        self.moving = Moving(self, client)
        self._shapes: dict[object, list[int]] = {}
        super().__init__(client)

    @property
    def is_shared(self) -> bool:
        """Whether nothing has begun that needs an upstream alone."""
        return self.lease is None and self.transaction is None

    def is_harmless(self, words: list[bytes]) -> bool:
        """Say whether a command may be used though its name is refused."""
        return words[0].upper() == b"CLUSTER" and len(words) > 1 and words[1].upper() in _HARMLESS

    def place(self) -> "Node | None":
        """Return where to get an upstream alone; None: nowhere yet."""
        return self.moving.place()

    # --- who does what -----------------------------------------------------------------------

    def dispatch(self, raw: bytes, words: list[bytes], found: Command) -> None:
        """Let whoever is responsible do it."""
        lease = self.lease
        if lease is not None and lease.is_free:
            self.release(is_clean=True)
        if self.transaction is not None:
            self.transaction.take(raw, words, found)
        elif self.lease is None:
            self._route(raw, words, found)
        elif self.lease.is_held:
            self.moving.follow(raw, words, found)
        else:  # it is for one command alone, and others may have to go elsewhere
            self._cluster_client.barrier(lambda: self.dispatch(raw, words, found))

    def _route(self, raw: bytes, words: list[bytes], found: Command) -> None:
        name, route, client = found.name, found.route, self._cluster_client
        if name in _MODES:
            self._set_mode(_MODES[name])
        elif name == "multi" and len(words) == 1:
            self.transaction = Transaction(self, client)
            client.local(_OK)
        elif name == "scan":
            self._scan(raw, words)
        elif route is Route.TRACKING and name == "client|tracking":
            client.local(errors.NO_TRACKING)
        elif self.is_for_all(found):
            self._everywhere(raw, found)
        elif route in {Route.SESSION, Route.WAIT}:
            super().dispatch(raw, words, found)
        else:
            places = found.keys(words)
            if places is None:
                self._ask_for_keys(raw, words, found)
            else:
                self.keyed(raw, words, found, places)

    def is_for_all(self, found: Command) -> bool:
        """Say whether a command goes to several nodes."""
        is_merged = found.response != "special" and found.name not in _ONE_WILL_DO
        return found.name == "scan" or (found.request in _EVERYWHERE and is_merged)

    def keyed(self, raw: bytes, words: list[bytes], found: Command, places: list[int]) -> None:
        """Send a command where its keys are."""
        client, route = self._cluster_client, found.route
        route = Route.WRITE if route is Route.SCRIPT else route
        slot = slot_of(words[places[0]]) if places else -1
        if found.name in SPLITTABLE and client.listener.is_cross_slot:
            parts = parts_of(found.name, words)
            if not parts and len(words) > 2:
                client.local(errors.arity(found.name))
                return
            if len(parts) > 1:
                self._split(found, parts)
                return
        if route in {Route.READ, Route.WRITE, Route.LOOK}:
            client.emit_at(slot, raw, self._kind(route, len(places)))
        elif route is Route.CURSOR:
            client.emit_at(slot, raw, Route.LOOK)
        elif route is Route.SCRIPT_READ or (route is Route.XREAD and not _blocks(words)):
            client.emit_at(slot, raw, self._kind(Route.READ, len(places)))
        elif route is Route.TRANSACTION and found.name != "watch":
            client.emit_at(-1, raw, Route.WRITE)  # without MULTI: Redis has the right words
        else:
            self.moving.begin(raw, words, found, slot)

    def _kind(self, route: Route, keys: int) -> Route:
        """Return how a command is sent: of a replica only one key's reply can be judged.

        See ``misses``: what a replica says of several keys, or a script, may leave some out.
        """
        if route is Route.READ and keys != 1 and self._cluster_client.reader.mode != "eventual":
            return Route.LOOK
        return route

    def _set_mode(self, mode: str) -> None:
        if mode:
            self._cluster_client.reader.take_mode(mode)
        self._cluster_client.local(_OK)

    # --- several nodes -----------------------------------------------------------------------

    def _everywhere(self, raw: bytes, found: Command) -> None:
        """Ask all nodes that a command concerns, when all before it is answered."""
        client = self._cluster_client

        async def ask() -> None:
            nodes = nodes_for(client, found.request)
            self.resume_with(await asked_of_all(client, raw, found, nodes))

        self.wait_for(ask, "fan-out")

    def _split(self, found: Command, parts: Sequence[Part]) -> None:
        """Send a command in parts, one for each slot; it is not one step any more."""
        client = self._cluster_client
        whole = ClientRun(client, b"", 1, Route.LOOK, client.hub.now())
        whole.is_muted = client.is_muting
        client.add(whole)
        replies = [b""] * len(parts)
        left = len(parts)

        def taking(number: int) -> Callable[[bytes], None]:
            def take(reply: bytes) -> None:
                nonlocal left
                replies[number] = reply
                left -= 1
                if not left:
                    try:
                        client.answered(whole, merged(found.name, parts, replies))
                    except (ProtocolError, ValueError):
                        client.answered(whole, errors.READ_LOST)

            return take

        for number, part in enumerate(parts):
            client.emit_part(part.slot, part.data, self._kind(found.route, len(part.places)),
                             taking(number))  # fmt: skip

    async def replicas_with(self, count: int, limit: float) -> bytes:
        """Return the reply to WAIT: of the shard where it is true of the fewest replicas."""
        client = self._cluster_client
        fewest: int | None = None
        for node, link in client.sent_on().items():
            reply = await wait_for_replicas(client, node, link, count, limit)
            if not reply.startswith(b":"):
                return reply
            number = int(reply[1:-2])
            fewest = number if fewest is None else min(fewest, number)
        if fewest is None:  # nothing was written: all replicas have it
            readable = [len(shard.readable) for shard in client.hub.shards if shard.ranges]
            fewest = min(readable, default=0)
        return b":%d\r\n" % fewest

    # --- keys that only the server knows -----------------------------------------------------

    def _ask_for_keys(self, raw: bytes, words: list[bytes], found: Command) -> None:
        """Ask once for each shape; a wrong guess from one that looks alike is sent on (MOVED)."""
        shape = (found.name, len(words), *(word for word in words if word.isdigit()))
        known = self._shapes.get(shape)
        if known is not None:
            self.keyed(raw, words, found, known)
            return

        async def ask() -> None:
            places = await self.moving.keys_told(words)
            if len(self._shapes) < 256:
                self._shapes[shape] = places
            self.waits = False
            if not self._cluster_client.is_closed:
                self.keyed(raw, words, found, places)
                self._cluster_client.pump()
                self._cluster_client.settle()

        self.wait_for(ask, "keys")

    # --- SCAN --------------------------------------------------------------------------------

    def _scan(self, raw: bytes, words: list[bytes]) -> None:
        """Scan one node after the other; the cursor says which."""
        client = self._cluster_client
        if len(words) < 2 or not words[1].isdigit():
            client.emit_at(-1, raw, Route.LOOK)  # Redis has the right words
            return
        known = marks(node.address for node in client.hub.primaries)
        cursor, mark = parted(int(words[1]))
        mark = mark or next_mark(known, 0)
        if not known or client.hub.trouble() is not None:
            client.local(errors.NOT_SERVED)
            return
        if mark not in known:
            client.local(errors.CURSOR_LOST)
            return
        data = packed(words[0], b"%d" % cursor, *words[2:])
        run = client.emit_at(-1, data, Route.LOOK, client.hub.nodes[known[mark]])

        def after(reply: bytes) -> bytes:
            there = cursor_in(reply)
            if there is None:
                return reply
            following = next_mark(known, mark)
            onward = joined(there, mark) if there else joined(0, following) if following else 0
            return with_cursor(reply, onward)

        run.after = after

    # --- an upstream alone -------------------------------------------------------------------

    def inspect(self, run: ClientRun, reply: bytes) -> None:
        """Take an error on an upstream that the client has alone."""
        self.moving.inspect(run, reply)

    def lost(self, run: ClientRun, *, was_sent: bool) -> None:
        """Hear that the upstream that the client has alone was lost."""
        self.moving.forget()
        super().lost(run, was_sent=was_sent)

    def reset(self) -> None:
        """Become as new."""
        self.transaction = None
        super().reset()


def _blocks(words: Sequence[bytes]) -> bool:
    for word in words[1:]:
        if word.upper() == b"STREAMS":
            return False
        if word.upper() == b"BLOCK":
            return True
    return False
