"""The embedded store as an Edge: the catalogue of this very process.

It is shared with the API, so entries are compared and written by the rules of ``merging``: what
others added to ours stays, and what others registered is not touched. Nothing waits between the
plan of a commit and the commit: it was made of the present.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping

from registrar.merging import merged_node
from registrar.plan import Refusal, changes_for, differing
from sidecar.catalog.changes import Change, PutNode
from sidecar.catalog.entries import Locals
from sidecar.catalog.model import Instance, Key, Node
from sidecar.metrics import counter
from sidecar.runtime.component import Component
from sidecar.runtime.log import get_logger
from sidecar.stores.base import Holder, Registry

__all__ = ["EmbeddedEdge"]

_conflicts = counter(
    "pinnace_registrar_conflicts_total", "Entries not written because another registered their id"
)
_log = get_logger("registrar")


class EmbeddedEdge:
    """Writes to a Registry whose snapshot is always the present."""

    url = "embedded:"
    components: tuple[Component, ...] = ()

    def __init__(self, registry: Registry, node: Node) -> None:
        """``node`` is written with the first entries; its checks and meta stay as they are."""
        self._registry = registry
        self._node = node
        self._locals = Locals(node.name)
        self._refusals: set[Refusal] = set()
        self._owes = False

    async def ping(self) -> None:
        """Return: it is this process."""

    async def write(self, wanted: Mapping[Key, Instance | None]) -> Mapping[Key, str]:
        """Commit; what another has registered is left out, told once and found by ``audit``."""
        changes = self._changes(wanted)
        if not changes and not self._owes:
            return {}
        self._owes = True
        await self._registry.commit(changes)
        self._owes = False
        return {}

    async def audit(self, desired: Mapping[Key, Instance], holder: Holder) -> frozenset[Key]:
        """Compare with the snapshot."""
        actual = await self._registry.owned(holder.owner)
        keys = differing(desired, actual, self._registry.snapshot.nodes.get(self._node.name))
        there = self._locals.of(self._registry.snapshot)
        _, refused = changes_for({key: desired.get(key) for key in keys}, there)
        return keys - {refusal.key for refusal in refused}

    def complete(self) -> None:
        """Hear that all that runs is written: what is absent now is absent."""
        self._registry.mark_synced()

    def let_go(self, keys: Iterable[Key]) -> None:
        """Leave these as they are: nothing is refreshed here."""

    async def disturbed(self) -> None:
        """Never return: the API cannot take what is ours."""
        await asyncio.get_running_loop().create_future()

    def trouble(self) -> str | None:
        """Return None: it is this process."""
        return None

    async def close(self) -> None:
        """Do nothing: the store is closed by who opened it."""

    def _changes(self, wanted: Mapping[Key, Instance | None]) -> tuple[Change, ...]:
        """Return what makes these entries, and the node, what they should be now."""
        snapshot = self._registry.snapshot
        held = snapshot.nodes.get(self._node.name)
        node = merged_node(self._node, held)
        changes, refused = changes_for(wanted, self._locals.of(snapshot), node)
        self._tell(refused, wanted)
        return changes if node == held else (PutNode(node), *changes)

    def _tell(self, refused: Iterable[Refusal], keys: Collection[Key]) -> None:
        """Say once which entries somebody else has."""
        new = frozenset(refused)
        for key, owner in sorted(new - self._refusals):
            _conflicts.inc()
            _log.warning("id is held by another", service=key.service, id=key.id, owner=owner)
        self._refusals = {each for each in self._refusals if each.key not in keys} | new
