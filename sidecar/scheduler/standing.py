"""What one node holds, with what was decided since it was seen. Pure, and mutable on purpose.

Sums and tables are kept up to date by ``add`` and ``remove``, so that no decision has to read the
containers of a node again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from sidecar.scheduler.model import ContainerView, NodeView, Port, Request

__all__ = ["Binding", "Standing", "container_of", "is_overlapping"]

_ALL: frozenset[str] = frozenset({"", "0.0.0.0", "::"})


class Binding(NamedTuple):
    """A port of the host that somebody holds."""

    address: str
    holder: str
    is_host: bool


class _Held(NamedTuple):
    view: ContainerView
    bindings: tuple[tuple[Port, bool], ...]


class Standing:
    """One node's sums, ports and copies of services."""

    def __init__(self, view: NodeView, *, frees_stopped_ports: bool = False) -> None:
        """Take a node as it was seen."""
        self.view = view
        self.cpu = 0
        self.memory = 0
        self.copies: dict[tuple[str, str], int] = {}
        self._frees = frees_stopped_ports
        self._held: dict[str, _Held] = {}
        self._over = 0
        self._ports: dict[tuple[str, int], list[Binding]] = {}
        for number, container in enumerate(view.containers):
            self.add(container if container.name else replace(container, name=f"?{number}"))

    @property
    def count(self) -> int:
        """How many containers it has, running or not, without ended copies of ours."""
        return len(self._held) - self._over

    @property
    def containers(self) -> Iterator[ContainerView]:
        """All containers, running or not."""
        return (held.view for held in self._held.values())

    def container(self, name: str) -> ContainerView | None:
        """Return a container by its name, None when there is none."""
        held = self._held.get(name)
        return held.view if held else None

    @property
    def names(self) -> frozenset[str]:
        """Names and ids of all containers."""
        return frozenset(
            text for held in self._held.values() for text in (held.view.name, held.view.id) if text
        )

    def add(self, container: ContainerView) -> None:
        """Count a container in; none of its name may be there.

        An ended copy of ours takes neither room nor ports: another one takes its place.
        """
        if container.is_over:
            self._held[container.name] = _Held(container, ())
            self._over += 1
            return
        is_bound = container.running or not self._frees
        ports = [(port, False) for port in container.ports] if is_bound else []
        if container.host_network and is_bound:
            ports += [(port, True) for port in container.exposed]
        self._held[container.name] = _Held(container, tuple(ports))
        self.cpu += container.resources.cpu
        self.memory += container.resources.memory
        for port, is_host in ports:
            binding = Binding(port.address, container.name, is_host)
            self._ports.setdefault((port.protocol, port.number), []).append(binding)
        if container.service:
            key = container.stack, container.service
            self.copies[key] = self.copies.get(key, 0) + 1

    def remove(self, name: str) -> None:
        """Count a container out; none of that name is no error."""
        held = self._held.pop(name, None)
        if held is None:
            return
        container = held.view
        if container.is_over:
            self._over -= 1
            return
        self.cpu -= container.resources.cpu
        self.memory -= container.resources.memory
        for port, is_host in held.bindings:
            bindings = self._ports[port.protocol, port.number]
            bindings.remove(Binding(port.address, name, is_host))
            if not bindings:
                del self._ports[port.protocol, port.number]
        if container.service:
            key = container.stack, container.service
            self.copies[key] -= 1
            if not self.copies[key]:
                del self.copies[key]

    def bindings(self, protocol: str, number: int) -> Iterable[Binding]:
        """Return who holds a port, at any address."""
        return self._ports.get((protocol, number), ())


def is_overlapping(one: str, other: str) -> bool:
    """Return whether two bindings of a port at these addresses exclude each other."""
    return one == other or one in _ALL or other in _ALL


def container_of(request: Request) -> ContainerView:
    """Return the container that a request becomes where it is placed."""
    name = request.name or "_".join(filter(None, (request.stack, request.service, request.slot)))
    return ContainerView(
        name=name,
        image=request.image,
        labels=request.labels,
        ports=tuple(port for port in request.ports if port.number) if request.ports else (),
        host_network=request.host_network,
        exposed=request.exposed,
        resources=request.resources,
        volumes=request.volumes,
        stack=request.stack,
        service=request.service,
        slot=request.slot,
    )
