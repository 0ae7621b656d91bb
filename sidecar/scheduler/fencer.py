"""Shut lost nodes out: deny the lease of a node's agent, or run the user's command.

What is denied stands in the store, so that the next leader knows; it counts the wait anew, from
when it sees it. A node whose agent has gone in good order is not denied: nobody would stop
anything there, and that is told instead of waited for.
"""

import asyncio
from collections.abc import Mapping
from typing import Final, NamedTuple

from msgspec.structs import replace

from sidecar.catalog.kv import Listing
from sidecar.errors import StoreConflict, StoreDenied, StoreUnavailable
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.clock import Clock
from sidecar.runtime.command import Command, run, without_secrets
from sidecar.runtime.log import get_logger
from sidecar.scheduler.fencing import FOLDER, Fences, Fencing, Record, agent_key, record_of
from sidecar.stores.base import KeyValue

__all__ = ["Fencer"]

_log = get_logger("scheduler")
_HOOK_TIME: Final = 60.0


class _Seen(NamedTuple):
    record: Record
    version: int
    at: float
    """When it was seen for the first time, by our clock."""


class Fencer:
    """The leader's side of fencing; ``keys`` None: there is no store, and no node has an agent."""

    def __init__(
        self,
        keys: KeyValue | None,
        *,
        margin: float,
        clock: Clock,
        hook: tuple[str, ...] = (),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """``hook`` is the command for ``fencing: exec``; the node's name is its last word."""
        self.changed = asyncio.Event()
        self._keys = keys
        self._margin = margin
        self._clock = clock
        self._hook = hook
        self._environ = without_secrets(environ or {})
        self._seen: dict[str, _Seen] = {}
        self._cleared: set[str] = set()
        self._told: set[tuple[str, str]] = set()

    def fences(self, now: float) -> Fences:
        """Return what is known; ``now`` is this moment in the time of ``plan``."""
        here = self._clock.monotonic()
        held = {name: each for name, each in self._seen.items() if each.record.holder}
        denied = {
            name: now - (here - each.at) for name, each in self._seen.items() if each.record.denied
        }
        longest = max((each.record.ttl for each in self._seen.values()), default=0.0)
        fresh = (name for name, each in held.items() if here - each.at <= each.record.ttl)
        return Fences(
            leased=frozenset(fresh),
            denied=denied,
            cleared=frozenset(self._cleared),
            wait=longest + self._margin,
        )

    async def run(self) -> None:
        """Follow the leases of all nodes until cancelled."""
        if self._keys is None:
            await asyncio.Event().wait()
            return
        backoff = Backoff(0.1, 2.0)
        while True:
            try:
                async for listing in self._keys.watch(FOLDER):
                    self._take(listing)
                    backoff.reset()
            except (StoreUnavailable, StoreDenied) as error:
                _log.warning("leases of nodes cannot be read", reason=error)
            await self._clock.sleep(backoff.next())

    def _take(self, listing: Listing) -> None:
        here = self._clock.monotonic()
        found: dict[str, _Seen] = {}
        for entry in listing.entries:
            name = entry.key.removeprefix(FOLDER)
            known = self._seen.get(name)
            if known is not None and known.version == entry.modify_index:
                found[name] = known
            else:
                found[name] = _Seen(record_of(entry.value), entry.modify_index, here)
        before = self._stand()
        self._seen = found
        if self._stand() != before:
            self.changed.set()

    def _stand(self) -> dict[str, tuple[bool, int]]:
        return {
            name: (bool(each.record.holder), each.record.denied)
            for name, each in self._seen.items()
        }

    async def fence(self, node: str, fencing: Fencing, epoch: int) -> None:
        """Begin to shut a node out; ``fences`` tells when it is. Raises StoreUnavailable."""
        if fencing is Fencing.SELF:
            await self._deny(node, epoch)
        elif fencing is Fencing.EXEC:
            await self._run_hook(node)

    async def _deny(self, node: str, epoch: int) -> None:
        if self._keys is None:
            self._complain(node, "there is no store in which its lease could be denied")
            return
        entry = await self._keys.get(agent_key(node))
        found = Record() if entry is None else record_of(entry.value)
        if entry is None or not (found.holder or found.denied):
            self._complain(node, "no agent holds its lease: nobody there would stop anything")
            return
        if found.denied >= epoch:
            return
        record = replace(found, holder="", denied=epoch)
        try:
            await self._keys.put(agent_key(node), record.packed(), cas=entry.modify_index)
        except StoreConflict:
            return  # renewed meanwhile; the next look tries again
        # From here on no renewal can succeed. The wait begins now, not when the watch tells.
        entry = await self._keys.get(agent_key(node))
        if entry is not None and record_of(entry.value).denied == epoch:
            was = self._seen.get(node)
            at = was.at if was is not None and was.record.denied else self._clock.monotonic()
            self._seen[node] = _Seen(record, entry.modify_index, at)
            _log.warning("the lease of a node is denied", node=node, epoch=epoch)
            self.changed.set()

    async def _run_hook(self, node: str) -> None:
        if not self._hook:
            self._complain(node, "no command is given for fencing: exec")
            return
        outcome = await run(Command((*self._hook, node), _HOOK_TIME), self._environ)
        if not outcome.is_good:
            self._complain(node, f"{outcome}: {outcome.output[-300:]}")
            return
        _log.warning("a node is fenced", node=node)
        self._cleared.add(node)
        self.changed.set()

    def _complain(self, node: str, reason: str) -> None:
        """Say why a node cannot be fenced, once: it is tried again at every look."""
        if (node, reason) not in self._told:
            self._told.add((node, reason))
            _log.error("a node cannot be fenced", node=node, reason=reason)

    async def unfence(self, node: str, fencing: Fencing, epoch: int) -> None:
        """Let a node that is back hold its lease again. Raises StoreUnavailable."""
        self._told = {each for each in self._told if each[0] != node}
        if fencing is Fencing.EXEC:
            self._cleared.discard(node)
            self.changed.set()
            return
        if self._keys is None:
            return
        entry = await self._keys.get(agent_key(node))
        found = Record() if entry is None else record_of(entry.value)
        if entry is None or not 0 < found.denied <= epoch:
            return
        record = replace(found, holder="", denied=0)
        try:
            await self._keys.put(agent_key(node), record.packed(), cas=entry.modify_index)
        except StoreConflict:
            return
        _log.info("a node may hold its lease again", node=node)
