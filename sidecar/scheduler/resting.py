"""Traffic of a pod while its main container is replaced: the ports are another container's.

What is registered is the pod's first container. So that is drained when the main one is to stop,
and gets work again when another main one in it is ready. Who drained is forgotten when this process
ends, as is the mark itself, which the registrar of the same process keeps.
"""

from collections.abc import Iterator

from sidecar.errors import PinnaceError
from sidecar.runtime.log import get_logger
from sidecar.scheduler.cluster import WELL, Cluster, Copy, Stage
from sidecar.scheduler.traffic import Traffic

__all__ = ["Resting", "registered_of"]

_log = get_logger("scheduler")


def registered_of(copy: Copy) -> str:
    """Return the id of the container that is registered for a copy."""
    return copy.within if copy.role == "main" and copy.within else copy.id


class Resting:
    """The pods that were drained for the sake of a member."""

    def __init__(self, traffic: Traffic) -> None:
        """``traffic`` drains and takes that back."""
        self._traffic = traffic
        self._pods: dict[str, str] = {}

    def note(self, copy: Copy) -> None:
        """Remember that a copy's pod was drained for it."""
        if registered_of(copy) != copy.id:
            self._pods[copy.within] = copy.node

    def over(self, cluster: Cluster) -> Iterator[tuple[str, str]]:
        """Return node and id of the pods whose new main container is ready, and forget them."""
        for copies in cluster.copies.values():
            for copy in copies:
                is_ready = copy.stage is Stage.RUNNING and copy.health in WELL
                is_new = copy.role == "main" and not copy.is_draining
                if is_ready and is_new and copy.within in self._pods:
                    yield self._pods.pop(copy.within), copy.within

    async def wake(self, node: str, pod: str) -> None:
        """Let a pod have work again."""
        drains = self._traffic.drains(node)
        try:
            if drains is not None:
                await drains.undo(pod)
        except PinnaceError as error:  # it has ended meanwhile
            _log.info("still drained", container=pod, reason=error)
