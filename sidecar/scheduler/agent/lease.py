"""A node's lease as its agent holds it: one key, written again and again (see ``fencing``)."""

from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

from sidecar.errors import PermanentError, StoreConflict
from sidecar.runtime.clock import Clock
from sidecar.scheduler.fencing import Record, Tenure, agent_key, record_of
from sidecar.stores.base import KeyValue

__all__ = ["NodeLease", "Superseded", "boot_id"]

_NOTHING: Final[Mapping[str, Any]] = {}
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class Superseded(PermanentError):
    """Another agent of the same host holds the lease now: this one has nothing more to do."""


def boot_id() -> str:
    """Return what tells this start of this machine from all others, inside containers too."""
    return _BOOT_ID.read_text("ascii").strip()


class NodeLease:
    """One node's lease; ``tenure`` is how long it may go on."""

    def __init__(
        self,
        keys: KeyValue,
        node: str,
        boot: str,
        *,
        ttl: float,
        margin: float,
        clock: Clock,
        about: Mapping[str, Any] = _NOTHING,
    ) -> None:
        """``boot`` is the same for all agents of one host and no other's.

        ``about`` is how schedulers reach the node, for those whose list it is not in.
        """
        self._about = about
        self.tenure = Tenure(ttl, margin)
        self.trouble: str | None = None
        self._keys = keys
        self._key = agent_key(node)
        self._clock = clock
        self._boot = boot
        self._holder = f"{boot}/{token_hex(4)}"
        self._count = 0

    async def renew(self) -> None:
        """Write the key, unless it is denied or another host's.

        Raises StoreUnavailable, StoreDenied, and Superseded.
        """
        begun = self._clock.monotonic()
        entry = await self._keys.get(self._key)
        found = Record() if entry is None else record_of(entry.value)
        self.trouble = self._objection(found, is_seen=entry is not None)
        if self.trouble is not None:
            return
        self._count = max(self._count, found.count) + 1
        record = Record(self._holder, self._count, self.tenure.ttl, node=self._about)
        cas = 0 if entry is None else entry.modify_index
        try:
            await self._keys.put(self._key, record.packed(), cas=cas)
        except StoreConflict:
            self.trouble = "the lease was written by another"
            return
        self.tenure = Tenure(self.tenure.ttl, self.tenure.margin, begun)

    async def give_up(self) -> None:
        """Say that nobody holds it any more: what runs here cannot be fenced by its node."""
        entry = await self._keys.get(self._key)
        if entry is not None and record_of(entry.value).holder == self._holder:
            record = Record("", self._count, self.tenure.ttl, node=self._about)
            await self._keys.put(self._key, record.packed(), cas=entry.modify_index)

    def _objection(self, found: Record, *, is_seen: bool) -> str | None:
        """Return why the lease cannot be ours. Raises Superseded."""
        if found.denied:
            return f"the lease is denied by the scheduler of epoch {found.denied}"
        host = found.holder.partition("/")[0]
        is_own = found.holder == self._holder
        if not is_seen or not found.holder or is_own:
            return None
        if host != self._boot:
            # After a restart of the machine the old lease is nobody's: nothing runs under it.
            return None if not self._count else "another host has taken the name of this node"
        if self._count:
            raise Superseded("another agent of this host holds the lease")
        return None
