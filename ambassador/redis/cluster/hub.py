"""What clients of a cluster share: its shards, who has which slot, commands that wait for one.

Every shard is to its slots what the one primary and its replicas are elsewhere: it has tokens of
its own (``reading``), as offsets of different primaries say nothing of each other. Two things can
make an offset of a client say too little: a failover, and a slot that came from another shard with
keys of which this shard's tokens know nothing. Then the shard's ``floor`` is raised: no replica is
read without asking it until it is past where the primary was seen after that.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ambassador.frame.address import Address
from ambassador.redis import errors
from ambassador.redis.client import Client
from ambassador.redis.cluster.slots import SLOTS, ShardView, View
from ambassador.redis.hub import Hub
from ambassador.redis.node import Node
from ambassador.redis.roles import Lag
from ambassador.redis.run import ClientRun
from ambassador.redis.servers import LOST
from ambassador.redis.tokens import NEVER, Token, cover
from sidecar.runtime.log import get_logger

__all__ = ["ClusterHub", "Shard"]

_log = get_logger("ambassador")
_PROBES: Final = 2  # the first may have been asked before what it has to be past
_RETRY: Final = 0.05


class Shard:
    """Some slots, their primary and its replicas."""

    def __init__(self) -> None:
        """Start without a primary."""
        self.at: Address | None = None  # where the cluster says that the primary is
        self.members: frozenset[Address] = frozenset()
        self.ranges: tuple[tuple[int, int], ...] = ()
        self.primary: Node | None = None
        self.readable: tuple[Node, ...] = ()
        self.generation = 0
        self.switch_offset = 0
        self.floor = 0
        self.lag = Lag()
        self.uncertain: dict[Token, int] = {}
        self.last_label = ""
        self.lost_at = 0.0
        self.is_unfollowed = False  # something was written while no replica could be read
        self._probes = 0
        self._tokens: dict[object, Token] = {}

    def take(self, told: ShardView) -> None:
        """Take who belongs to it."""
        self.at, self.ranges = told.primary, told.ranges
        self.members = frozenset((told.primary, *told.replicas))

    def token(self, client: Client) -> Token:
        """Return what a client's writes are remembered in."""
        scope = client.listener.scope
        if scope == "connection":
            return Token(self.generation)
        key = (client.listener, client.session.attributes.user if scope == "user" else b"")
        return self._tokens.setdefault(key, Token(-1))

    def raise_floor(self) -> None:
        """Let nobody miss what the primary has now."""
        self.floor, self._probes = NEVER, _PROBES
        self._ask_soon()

    def _ask_soon(self) -> None:
        """Have the primary asked where it is, after what is being done."""
        if self.primary is not None:
            asyncio.get_running_loop().call_soon(self.primary.poked.set)

    def probed(self, now: float, offset: int) -> None:
        """Take how far the primary is."""
        self.lag.sample(now, offset)
        if self._probes:
            self._probes -= 1
            if self._probes:
                self._ask_soon()
            else:
                self.floor = offset
        cover(self.uncertain, offset)


class ClusterHub(Hub):
    """The shared state of an ambassador for a cluster."""

    is_cluster = True

    def __init__(self, *args: Any, **named: Any) -> None:
        """Start without shards."""
        super().__init__(*args, **named)
        self.shards: list[Shard] = []
        self.owners: list[Shard | None] = [None] * SLOTS
        self.wanted = asyncio.Event()  # somebody needs to know the cluster better
        self._view: tuple[ShardView, ...] = ()
        self._by_address: Mapping[Address, Shard] = {}
        self._is_retrying = False

    def take_view(self, view: View) -> None:
        """Take what the cluster says of itself; servers that are known stay as they are."""
        if view.shards == self._view:
            return
        self._view = view.shards
        left, self.shards = dict(self._by_address), []
        for told in view.shards:
            places = [address for address in (told.primary, *told.replicas) if address in left]
            shard = left[places[0]] if places else Shard()
            left = {address: one for address, one in left.items() if one is not shard}
            shard.take(told)
            self.shards.append(shard)
        self._by_address = {address: one for one in self.shards for address in one.members}
        self._share_out()
        self.serve(self._by_address.keys())

    def _share_out(self) -> None:
        """Give the slots to their shards."""
        before, self.owners = self.owners, [None] * SLOTS
        for shard in self.shards:
            for begin, end in shard.ranges:
                self.owners[begin : end + 1] = [shard] * (end - begin + 1)
        for old, new in {*zip(before, self.owners, strict=True)}:
            if new is not None and old is not None and old is not new:
                new.raise_floor()

    def moved(self, slot: int, address: Address) -> Shard | None:
        """Take that a slot is elsewhere; None: its server is not known as a primary yet."""
        self.poke()
        shard = self._by_address.get(address)
        if shard is None or shard.primary is None or shard.primary.address != address:
            if address in self.nodes:
                self.nodes[address].poked.set()
            return None
        if self.owners[slot] is not shard:
            self.owners[slot] = shard
            shard.raise_floor()
        return shard

    def poke(self) -> None:
        """Have the cluster asked soon."""
        self.wanted.set()

    def shard_of(self, slot: int) -> Shard | None:
        """Return who has a slot; any that has a primary where none is asked for (-1)."""
        if slot >= 0:
            return self.owners[slot]
        return next((one for one in self.shards if one.primary is not None), None)

    def shard_at(self, node: Node) -> Shard | None:
        """Return the shard that a server belongs to."""
        return self._by_address.get(node.address)

    @property
    def primaries(self) -> list[Node]:
        """Return the primaries that answer."""
        return [shard.primary for shard in self.shards if shard.primary is not None]

    def is_primary(self, node: Node) -> bool:
        """Say whether writes go there."""
        shard = self.shard_at(node)
        return shard is not None and shard.primary is node

    def primary_of(self, node: Node) -> Node | None:
        """Return whom a replica should follow."""
        shard = self.shard_at(node)
        return shard.primary if shard is not None else None

    def lag_of(self, node: Node) -> Lag:
        """Return what tells how far a replica is behind."""
        shard = self.shard_at(node)
        return shard.lag if shard is not None else self.lag

    def probed(self, node: Node, offset: int) -> None:
        """Take how far a server is."""
        shard = self.shard_at(node)
        if shard is not None and shard.primary is node:
            shard.probed(self.now(), offset)

    def trouble(self) -> str | None:
        """Say so while slots are without a primary."""
        served = sum(
            end - begin + 1
            for shard in self.shards
            if shard.primary is not None
            for begin, end in shard.ranges
        )
        return f"{SLOTS - served} of {SLOTS} slots have no primary" if served < SLOTS else None

    def unreadable(self) -> str | None:
        """Say so while a shard that has slots has no replica that can be read."""
        bare = sum(1 for shard in self.shards if shard.ranges and not shard.readable)
        return (
            f"{bare} of {len(self.shards)} shards have no replica that can be read"
            if bare
            else None
        )

    def parts(self) -> dict[str, object]:
        """Return which shard has which slots."""
        return {
            "shards": [
                {
                    "primary": shard.primary.label if shard.primary is not None else None,
                    "replicas": [node.label for node in shard.readable],
                    "slots": shard.ranges,
                }
                for shard in self.shards
            ]
        }

    def rejudge(self) -> None:
        """Decide anew who is what: a primary is who the cluster says, and ROLE."""
        for shard in self.shards:
            node = self.nodes.get(shard.at) if shard.at is not None else None
            seen = node.observation if node is not None else None
            is_well = seen is not None and seen.role == "master" and not seen.is_loading
            if not is_well:
                self.poke()
            self._settle(shard, node if is_well else None)
        self._judge_readers()
        for shard in self.shards:
            readable = tuple(one for one in self.readable if one.address in shard.members)
            if readable and shard.is_unfollowed:
                shard.is_unfollowed = False
                shard.raise_floor()
            shard.readable = readable
        primaries = self.primaries
        self.primary = primaries[0] if primaries else None
        self.changed.fire()
        if primaries:
            self.release()

    def _settle(self, shard: Shard, primary: Node | None) -> None:
        """Take who is the primary of a shard now."""
        old, shard.primary = shard.primary, primary
        if primary is old:
            return
        if old is not None:
            _log.warning("primary is lost", server=old.label)
            shard.lost_at = self.now()
            if old.observation is None:
                # Commands under way there may have been executed; nobody will say so any more.
                old.close(LOST)
            else:
                asyncio.get_running_loop().call_later(self.settings.drain, old.end_links, LOST)
        if primary is None:
            return
        _log.info("primary is known", server=primary.label)
        if shard.lost_at:
            self.tallies.failover(self.now() - shard.lost_at)
            shard.lost_at = 0.0
        if shard.last_label not in {"", primary.label}:
            shard.generation += 1
            shard.raise_floor()
            self._forget_offsets(shard.members)
        shard.last_label = primary.label
        self.tallies.last_primary = primary.label
        shard.lag = Lag()

    def _forget_offsets(self, addresses: Iterable[Address]) -> None:
        for address in addresses:
            if address in self.nodes:
                self.nodes[address].offset = -1

    def hold(self, run: ClientRun) -> None:
        """Keep a run that was not executed until its slot is served."""
        if self.held_bytes + len(run.data) > self.settings.failover_bytes:
            run.owner.answered(run, errors.IN_FAILOVER * run.count)
            return
        self.held.append((run.since, run))
        self.held_bytes += len(run.data)
        self.poke()
        if not self._is_retrying:
            self._is_retrying = True
            asyncio.get_running_loop().call_later(_RETRY, self._retry)

    def _retry(self) -> None:
        self._is_retrying = False
        if self.held and not self.stopping:
            self.expire(self.now())
            self.release()

    def expire(self, now: float) -> None:
        """Give up what waits for too long since it came."""
        limit = self.settings.failover_queue
        late = [run for at, run in self.held if now - at > limit]
        if not late:
            return
        kept = [(at, run) for at, run in self.held if now - at <= limit]
        self.held.clear()
        self.held.extend(kept)
        self.held_bytes = sum(len(run.data) for _, run in kept)
        for run in late:
            run.owner.answered(run, (run.fallback or errors.NOT_SERVED) * run.count)
