"""All nodes with what was decided since they were seen, kept so that a decision is cheap. Pure.

Nodes that no rule can tell apart are one *kind* (equal labels, capacity, health, state); those of
one kind that hold equally much share a *bucket*. Ranking looks at buckets, not at nodes: of ten
thousand hosts there are a few dozen. Nodes are in a bucket by name, so that the order in which they
were given decides nothing.
"""

from bisect import bisect_left, insort
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from sidecar.scheduler.model import ContainerView, NodeView, Policy
from sidecar.scheduler.standing import Standing

__all__ = ["Board", "Bucket"]

_MOST_CHANGED: Final = 0.25
"""Of the nodes: if more changed a new board is made sooner."""
_LONG: Final = 4
"""Buckets in the log for each node: a longer one is not kept."""
_NOWHERE: Mapping[str, int] = MappingProxyType({})


class Bucket(NamedTuple):
    """What the nodes of one bucket have in common: ``kind`` indexes ``Board.kinds``."""

    kind: int
    cpu: int
    memory: int
    held: int


class Board:
    """Nodes, buckets, and who holds which port and service."""

    def __init__(self, nodes: Iterable[NodeView], policy: Policy | None = None) -> None:
        """Take the nodes as they were seen. Two of one name are an error: ValueError."""
        self.policy = policy or Policy()
        self.standings: dict[str, Standing] = {}
        self.kinds: list[NodeView] = []
        self.members: dict[Bucket, list[str]] = {}
        self.log: list[Bucket] = []
        """Buckets in the order in which they got their first node."""
        self.version = 0
        """Grows with each change."""
        self.renewed = 0
        """Grows when nodes have become others: what was learned of kinds does not hold any more."""
        self._branches: dict[tuple[str, ...], Collection[tuple[str, ...]]] = {}
        self._sizes: list[int] = []
        """How many nodes each kind has."""
        self._touched: set[str] = set()
        """Nodes that are not as they were seen."""
        self._kind_numbers: dict[object, int] = {}
        self._buckets: dict[str, Bucket] = {}
        self._ports: dict[tuple[str, int], set[str]] = {}
        self._copies: dict[tuple[str, str], dict[str, int]] = {}
        self._volumes: dict[str, dict[str, int]] = {}
        for node in sorted(nodes, key=lambda each: each.name):
            self._enter(node)
        self.names = sorted(self.standings)

    def follow(self, nodes: Sequence[NodeView]) -> bool:
        """Take the nodes as they are seen now; what was added since is forgotten.

        Return False, and be left as it is, where a new board is due: it would number the kinds of
        nodes in another order, and equals are told apart by that. What nodes are like may change
        (``renewed``) where that is not so: where each is and stays the only one of its kind.
        """
        is_long = len(self.log) > _LONG * (len(nodes) + 1000)
        if is_long or {node.name for node in nodes} != self.standings.keys():
            return False
        changed = [node for node in nodes if not self._is_as_seen(node)]
        if len(nodes) > len(self.names) or len(changed) > 8 + _MOST_CHANGED * len(nodes):
            return False
        others = {node.name: key for node in changed if (key := self._other_kind(node)) is not None}
        if not self._are_alone(others):
            return False
        for node in changed:
            if node.name in others:
                self._become(node, others[node.name])
            self._renew(node)
        if others:  # who has read the log begins anew
            self.renewed += 1
            self.log = [*self.members]
            self._branches.clear()
        self._touched.clear()
        return True

    def _other_kind(self, node: NodeView) -> object | None:
        """Return the key of the kind that a node has become one of; None: it is as it was."""
        key = _kind_of(node)
        return None if self._kind_numbers.get(key) == self._buckets[node.name].kind else key

    def _are_alone(self, others: Mapping[str, object]) -> bool:
        """Return whether these nodes are the only ones of their kinds, and stay that."""
        return (
            len({*others.values()}) == len(others)
            and not any(key in self._kind_numbers for key in others.values())
            and all(self._sizes[self._buckets[name].kind] == 1 for name in others)
        )

    def _become(self, node: NodeView, key: object) -> None:
        """Let the only node of a kind be the only one of another kind."""
        number = self._buckets[node.name].kind
        del self._kind_numbers[_kind_of(self.standings[node.name].view)]
        self._kind_numbers[key] = number
        self.kinds[number] = node

    def _is_as_seen(self, node: NodeView) -> bool:
        standing = self.standings[node.name]
        if standing.view is node:
            return node.name not in self._touched
        if node.name in self._touched or standing.view != node:
            return False
        standing.view = node  # so that it is known at once the next time
        return True

    def _renew(self, node: NodeView) -> None:
        """Take a node of the same kind as it was."""
        old = self.standings[node.name]
        for container in [*old.containers]:
            old.remove(container.name)
            self._count(container, node.name, -1)
        new = Standing(node, frees_stopped_ports=self.policy.frees_stopped_ports)
        self.standings[node.name] = new
        for container in new.containers:
            self._count(container, node.name, 1)
        self._moved(node.name, new)

    def _enter(self, node: NodeView) -> None:
        if node.name in self.standings:
            raise ValueError(f"two nodes are called {node.name}")
        standing = Standing(node, frees_stopped_ports=self.policy.frees_stopped_ports)
        self.standings[node.name] = standing
        for container in standing.containers:
            self._count(container, node.name, 1)
        kind = self._kind(node)
        self._put(node.name, Bucket(kind, standing.cpu, standing.memory, standing.count))

    def _kind(self, node: NodeView) -> int:
        key = _kind_of(node)
        number = self._kind_numbers.setdefault(key, len(self.kinds))
        if number == len(self.kinds):
            self.kinds.append(node)
            self._sizes.append(0)
        self._sizes[number] += 1
        return number

    def bucket_of(self, node: str) -> Bucket:
        """Return the bucket that a node is in now."""
        return self._buckets[node]

    def add(self, container: ContainerView, node: str) -> None:
        """Count a container in."""
        standing = self.standings[node]
        old = standing.container(container.name)
        if old is not None:
            self.remove(old, node)
        standing.add(container)
        self._count(container, node, 1)
        self._touched.add(node)
        self._moved(node, standing)

    def remove(self, container: ContainerView, node: str) -> None:
        """Count a container out."""
        standing = self.standings[node]
        standing.remove(container.name)
        self._count(container, node, -1)
        self._touched.add(node)
        self._moved(node, standing)

    def branches(self, labels: tuple[str, ...]) -> Collection[tuple[str, ...]]:
        """Return which values of labels nodes have."""
        if labels not in self._branches:
            self._branches[labels] = {
                tuple(standing.view.labels.get(label, "") for label in labels)
                for standing in self.standings.values()
            }
        return self._branches[labels]

    def copies(self, service: tuple[str, str]) -> Mapping[str, int]:
        """Return on which nodes a service has how many containers."""
        return self._copies.get(service, _NOWHERE)

    def holders(self, protocol: str, number: int) -> Iterable[str]:
        """Return the nodes on which a port is held, at any address."""
        return self._ports.get((protocol, number), ())

    def volume(self, name: str) -> Mapping[str, int]:
        """Return the nodes on which a named volume is in use."""
        return self._volumes.get(name, _NOWHERE)

    def _moved(self, node: str, standing: Standing) -> None:
        self.version += 1
        old = self._buckets[node]
        names = self.members[old]
        del names[bisect_left(names, node)]
        if not names:
            del self.members[old]
        self._put(node, Bucket(old.kind, standing.cpu, standing.memory, standing.count))

    def _put(self, node: str, bucket: Bucket) -> None:
        self._buckets[node] = bucket
        names = self.members.get(bucket)
        if names is None:
            self.members[bucket] = [node]
            self.log.append(bucket)
        else:
            insort(names, node)

    def _count(self, container: ContainerView, node: str, step: int) -> None:
        if container.service and not container.is_over:
            key = container.stack, container.service
            _tally(self._copies.setdefault(key, {}), node, step)
        for volume in container.volumes:
            _tally(self._volumes.setdefault(volume, {}), node, step)
        for port in (*container.ports, *container.exposed * container.host_network):
            place = port.protocol, port.number
            if self.standings[node].bindings(*place):
                self._ports.setdefault(place, set()).add(node)
            elif place in self._ports:
                self._ports[place].discard(node)


def _kind_of(node: NodeView) -> object:
    return (
        frozenset(node.labels.items()),
        frozenset(node.engine_labels.items()),
        node.capacity,
        node.health,
        node.state,
        node.availability,
        node.is_leader_capable,
        node.strain,
    )


def _tally(counts: dict[str, int], node: str, step: int) -> None:
    number = counts.get(node, 0) + step
    if number:
        counts[node] = number
    else:
        counts.pop(node, None)
