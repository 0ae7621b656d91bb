"""The read model every consumer shares: one immutable Snapshot per index."""

from sidecar.catalog.changes import Change, Drop, DropNode, Put, PutNode, apply, diff
from sidecar.catalog.model import EMPTY, Check, Instance, InstanceId, Node, Snapshot, Status

__all__ = [
    "EMPTY",
    "Change",
    "Check",
    "Drop",
    "DropNode",
    "Instance",
    "InstanceId",
    "Node",
    "Put",
    "PutNode",
    "Snapshot",
    "Status",
    "apply",
    "diff",
]
