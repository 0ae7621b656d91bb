"""What the loop saw and decided at its last look, for those who show it. Pure."""

from dataclasses import dataclass, field

from sidecar.scheduler.cluster import Cluster
from sidecar.scheduler.memory import Memory
from sidecar.scheduler.model import Refusal

__all__ = ["Scene"]


@dataclass(frozen=True, slots=True)
class Scene:
    """One look; times are of the loop's clock."""

    cluster: Cluster = field(default_factory=lambda: Cluster((), {}))
    memory: Memory = field(default_factory=Memory)
    now: float = 0.0
    refusals: tuple[tuple[str, Refusal], ...] = ()
    """With the service's key."""
    alarms: tuple[str, ...] = ()
    looks: int = 0
