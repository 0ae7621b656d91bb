"""What the entries of a store are in the catalogue. Pure."""

from collections.abc import Callable, Mapping, Sequence

from sidecar.catalog.changes import Change, Drop, DropNode, Put, PutNode
from sidecar.catalog.model import Instance, Node, key_of
from sidecar.stores.etcd.entries import Layout, Unreadable
from sidecar.stores.etcd.keyspace import Event, Held

__all__ = ["Image"]


class Image:
    """The entries of a store as instances.

    Nodes are told by the first address seen of each, as entries hold no other; one without
    entries is gone.
    """

    def __init__(self, layout: Layout, unreadable: Callable[[str, str], None]) -> None:
        """Start empty; what is no entry is given to ``unreadable``, by key and reason."""
        self._layout = layout
        self._unreadable = unreadable
        self._instances: dict[str, Instance] = {}
        self._nodes: dict[str, set[str]] = {}

    def replaced(self, entries: Mapping[str, Held]) -> list[Change]:
        """Return the changes that make the catalogue equal to a full reading."""
        gone = [Event(key, None) for key in self._instances.keys() - entries.keys()]
        return self.changed([*gone, *(Event(key, held) for key, held in entries.items())])

    def changed(self, events: Sequence[Event]) -> list[Change]:
        """Return the changes that some events make."""
        changes: list[Change] = []
        for event in events:
            key, held = event.key, event.held
            old, new = self._instances.get(key), self._instance(key, held)
            if old == new:
                continue
            if old is not None and (new is None or key_of(old) != key_of(new)):
                changes += self._dropped(key, old)
            if new is not None:
                changes += self._put(key, new)
        return changes

    def _instance(self, key: str, held: Held | None) -> Instance | None:
        if held is None:
            return None
        try:
            return self._layout.found(key, held.value).instance()
        except Unreadable as error:
            self._unreadable(key, str(error))
            return None

    def _put(self, key: str, instance: Instance) -> list[Change]:
        self._instances[key] = instance
        members = self._nodes.setdefault(instance.node, set())
        is_first = not members
        members.add(key)
        node = [PutNode(Node(name=instance.node, address=instance.address))] if is_first else []
        return [*node, Put(instance)]

    def _dropped(self, key: str, instance: Instance) -> list[Change]:
        del self._instances[key]
        members = self._nodes[instance.node]
        members.discard(key)
        drop = Drop(instance.service, instance.id, instance.node)
        if members:
            return [drop]
        del self._nodes[instance.node]
        return [drop, DropNode(instance.node)]
