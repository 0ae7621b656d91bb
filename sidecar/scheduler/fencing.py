"""How sure it must be that a copy on a lost node has ended, before another takes its place. Pure.

    none     not at all
    catalog  it gets no work: its registration and its place in the load balancer are ours
    self     its node stops it by itself: an agent there holds a lease, and stops what is so
             labelled when it could not renew for ``ttl - margin``; once the lease is *denied* in
             the store no renewal can succeed, so ``ttl + margin`` later nothing of it runs
    exec     a command of the user (IPMI, a cloud's API) has ended with 0

A lease is a key that the agent writes again and again, each time only if nobody else wrote since.
Denying is one such write. So the store needs no leases or clocks of its own, and an agent that can
reach the store while we cannot reach its engine is stopped all the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import msgspec

__all__ = ["FOLDER", "Fences", "Fencing", "Tenure", "agent_key", "record_of"]

FOLDER: Final = "pinnace/scheduler/agents/"
"""Where the leases of nodes are; what follows is the node's name."""


class Fencing(StrEnum):
    """How a service's copies on lost nodes are dealt with."""

    NONE = "none"
    CATALOG = "catalog"
    SELF = "self"
    EXEC = "exec"


@dataclass(frozen=True, slots=True)
class Fences:
    """What is known of nodes that were shut out, in the time of ``plan``."""

    leased: frozenset[str] = frozenset()
    """Nodes whose agent renews its lease."""
    denied: Mapping[str, float] = field(default_factory=dict)
    """Since when a node's lease cannot be renewed."""
    cleared: frozenset[str] = frozenset()
    """Nodes for which the command has ended with 0 since they went down."""
    wait: float = 0.0
    """How long after a denial something may still run."""

    def is_over(self, node: str, fencing: Fencing, now: float) -> bool:
        """Return whether nothing of a service runs on a lost node any more, or that is borne."""
        if fencing is Fencing.SELF:
            return self.over_at(node) <= now
        return fencing is not Fencing.EXEC or node in self.cleared

    def over_at(self, node: str) -> float:
        """Return when a denied node will have stopped all; endless when it is not denied."""
        since = self.denied.get(node)
        return float("inf") if since is None else since + self.wait


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """What stands under a node's key: who holds its lease, or under which epoch it is denied."""

    holder: str = ""
    count: int = 0
    ttl: float = 0.0
    denied: int = 0
    node: Mapping[str, Any] = {}
    """How the node is reached, as in a file of nodes; empty: it is in such a file."""

    def packed(self) -> bytes:
        """Return it as bytes."""
        return msgspec.json.encode(self)


def record_of(value: bytes) -> Record:
    """Return what a key holds; what cannot be read is no lease of anybody."""
    try:
        return msgspec.json.decode(value, type=Record)
    except msgspec.DecodeError:
        return Record()


def agent_key(node: str) -> str:
    """Return the key of a node's lease."""
    return f"{FOLDER}{node}"


@dataclass(frozen=True, slots=True)
class Tenure:
    """How long a node may go on by itself. Counted from before the request that renewed it."""

    ttl: float
    margin: float
    renewed: float | None = None

    def until(self) -> float:
        """Return when what is labelled must begin to be stopped; at once before any renewal."""
        if self.renewed is None:
            return float("-inf")
        return self.renewed + self.ttl - self.margin
