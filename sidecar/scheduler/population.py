"""The copies of a simulated cluster, by service and by node. Pure.

A look costs what changed since the one before: what did not is handed out as it was.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from sidecar.scheduler.cluster import Copy, Stage
from sidecar.scheduler.model import ContainerView

__all__ = ["Population"]


class Population:
    """All copies, in the order of their creation."""

    def __init__(self) -> None:
        """Begin with none."""
        self._services: dict[str, str] = {}
        """Of each copy."""
        self._by_service: dict[str, dict[str, Copy]] = {}
        self._by_node: dict[str, dict[str, ContainerView]] = {}
        self._told: dict[str, tuple[Copy, ...]] = {}
        self._changed: set[str] = set()
        """Services that are not as they were told."""
        self._moved: set[str] = set()
        """Nodes on which something changed."""

    def copy(self, name: str) -> Copy | None:
        """Return a copy; None when there is none of that name."""
        service = self._services.get(name)
        return None if service is None else self._by_service[service][name]

    def on(self, node: str) -> Iterator[Copy]:
        """Return the copies of a node."""
        for name in self._by_node.get(node, ()):
            yield self._by_service[self._services[name]][name]

    def copies(self) -> Mapping[str, tuple[Copy, ...]]:
        """Return all copies by service."""
        if self._changed:
            told = dict(self._told)  # the one before may still be read
            for service in sorted(self._changed):
                found = self._by_service.get(service)
                if found:
                    told[service] = tuple(found.values())
                else:
                    told.pop(service, None)
            self._told = told
            self._changed.clear()
        return MappingProxyType(self._told)

    def moved(self) -> Iterator[tuple[str, tuple[ContainerView, ...]]]:
        """Return what the nodes hold on which something changed, once."""
        for node in self._moved:
            yield node, tuple(self._by_node.get(node, {}).values())
        self._moved.clear()

    def add(self, service: str, copy: Copy, view: ContainerView) -> None:
        """Take in a copy with its container."""
        self._services[copy.name] = service
        self._by_service.setdefault(service, {})[copy.name] = copy
        self._by_node.setdefault(copy.node, {})[copy.name] = view
        self._touch(service, copy.node)

    def change(self, name: str, **what: object) -> None:
        """Change a copy, if it is there."""
        copy = self.copy(name)
        if copy is None:
            return
        after = replace(copy, **what)  # type: ignore[arg-type]
        service = self._services[name]
        self._by_service[service][name] = after
        if after.stage is not copy.stage:
            is_over = after.stage is Stage.EXITED
            held = self._by_node[copy.node]
            held[name] = replace(held[name], running=not is_over, is_over=is_over)
            self._moved.add(copy.node)
        self._changed.add(service)

    def remove(self, name: str) -> None:
        """Leave out a copy, if it is there."""
        copy = self.copy(name)
        if copy is not None:
            service = self._services.pop(name)
            del self._by_service[service][name]
            del self._by_node[copy.node][name]
            self._touch(service, copy.node)

    def _touch(self, service: str, node: str) -> None:
        self._changed.add(service)
        self._moved.add(node)
