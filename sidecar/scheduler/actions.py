"""The closed set of what the scheduler can do. Pure.

Each action has a key: doing it twice is doing it once. Before it is done, what it assumes is looked
at again: that the container is absent still, or still the same.
"""

from dataclasses import dataclass

from sidecar.catalog.matching import Lot
from sidecar.scheduler.cluster import Copy
from sidecar.scheduler.fencing import Fencing
from sidecar.scheduler.model import Placement, Refusal

__all__ = [
    "Action", "Alarm", "Create", "Deregister", "Drain", "Fence", "Pending", "Remove", "Start",
    "Stop", "Unfence", "Weigh",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Create:
    """Make a container for a slot on a node, then start it."""

    service: str
    slot: str
    spec: str
    incarnation: int
    placement: Placement

    @property
    def key(self) -> str:
        """What tells one creation from another."""
        return f"create/{self.service}/{self.slot}/{self.incarnation}"


@dataclass(frozen=True, slots=True)
class _OnCopy:
    service: str
    copy: Copy

    @property
    def key(self) -> str:
        """What tells this from the same act on another copy or in another stage of it."""
        kind = type(self).__name__.lower()
        return f"{kind}/{self.service}/{self.copy.slot}/{self.copy.incarnation}/{self.copy.since:g}"


class Start(_OnCopy):
    """Start what was created, or start again what ended."""


class Drain(_OnCopy):
    """Take it out of DNS and load balancing and let it finish what it has."""


class Stop(_OnCopy):
    """Stop it by its signal and grace."""


class Remove(_OnCopy):
    """Remove what has ended; never its volumes."""


class Deregister(_OnCopy):
    """Take the instances of a copy that cannot be reached out of the catalogue."""


@dataclass(frozen=True, slots=True)
class Weigh(_OnCopy):
    """Let the canaries of a service have a part of its traffic."""

    share: Lot

    @property
    def key(self) -> str:
        """What tells it from another share."""
        copy, share = self.copy, f"{self.share.percent:g}"
        return f"weigh/{self.service}/{copy.slot}/{copy.incarnation}/{share}"


@dataclass(frozen=True, slots=True, order=True)
class Fence:
    """Make sure that nothing so fenced runs on a lost node; ``Cluster.fences`` tells when it is."""

    node: str
    fencing: Fencing

    @property
    def key(self) -> str:
        """What tells it from the fencing of another node, or in another way."""
        return f"{type(self).__name__.lower()}/{self.node}/{self.fencing}"


class Unfence(Fence):
    """Let a node that is back hold its lease again."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A slot has no place now; it is tried again at every look."""

    service: str
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Alarm:
    """What a person should know; ``is_trouble``: as long as it is so, we are not ready."""

    text: str
    is_trouble: bool = True


Action = Create | Start | Drain | Stop | Remove | Deregister | Weigh | Fence | Pending | Alarm
