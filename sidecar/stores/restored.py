"""What a state file holds, as the snapshot and the state that a start begins with."""

from dataclasses import replace

from sidecar.catalog.changes import Change, Put, PutNode, apply
from sidecar.catalog.draft import State
from sidecar.catalog.kv import KeyValues
from sidecar.catalog.model import EMPTY, Snapshot
from sidecar.catalog.sessions import Sessions
from sidecar.stores.statefile import Content

__all__ = ["snapshot_of", "state_of"]


def snapshot_of(content: Content, index: int) -> Snapshot:
    """Return what was written; no table has an index that a reader may have seen above.

    After an unclean end a reader may have seen an extinction that was not written.
    """
    puts: list[Change] = [*map(PutNode, content.nodes), *map(Put, content.instances)]
    progress = content.progress
    return replace(
        apply(EMPTY, puts, max(1, index)),
        index=index,
        services_index=index,
        nodes_index=index,
        checks_index=index,
        extinct_index=progress.extinct if progress.clean or not progress.extinct else index,
    )


def state_of(content: Content) -> State:
    """Return keys and sessions."""
    return State(
        KeyValues(content.entries, index=content.progress.kv),
        Sessions(content.sessions, index=content.progress.session),
    )
