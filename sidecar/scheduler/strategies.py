"""How feasible nodes are ranked: keys that are compared, the smallest is best. Pure.

``spread`` and ``binpack`` are classic Swarm's formulas with its integer divisions; ``random`` gives
all the same key; ``balanced`` puts few copies of the service on one node before all else.
"""

from typing import Final

from sidecar.scheduler.board import Bucket
from sidecar.scheduler.model import NodeView, Request, Strategy

__all__ = ["HEALTH_WEIGHT", "STRAINED", "Key", "key_of"]

Key = tuple[int, ...]

STRAINED: Final = 5
"""So many failures of late sort a node last."""
HEALTH_WEIGHT: Final = 10


def key_of(request: Request, node: NodeView, bucket: Bucket, copies: int = 0) -> Key:
    """Return the rank of a node that has room, with so many copies of the service on it."""
    wanted, has = request.resources, node.capacity
    strategy = request.strategy
    if strategy is Strategy.RANDOM:
        return ()
    cpu = (bucket.cpu + wanted.cpu) * 100 // has.cpu if wanted.cpu else 100
    memory = (bucket.memory + wanted.memory) * 100 // has.memory if wanted.memory else 100
    if strategy is Strategy.SPREAD:
        return cpu + memory - HEALTH_WEIGHT * node.health, bucket.held
    if strategy is Strategy.BINPACK:
        return -(cpu + memory + HEALTH_WEIGHT * node.health), -bucket.held
    return copies, cpu + memory, bucket.held
