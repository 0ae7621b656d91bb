"""What we know of each container and what follows from it for the catalogue. Pure.

Rules:

1. Only the facts of a look add entries, and only those of a living container.
2. A death removes entries at once if it is later than the start we know of; an older one is told
   again by a new event stream and says nothing.
3. A signal that asks a container to end makes the entries of *this* run draining, whatever a later
   look says; the next start is another run.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from registrar.mapping import Mapped, Problem, instances_of
from registrar.plan import Claims, is_draining_signal
from registrar.ports import Place
from sidecar.catalog.model import Key, key_of
from sidecar.engine.facts import Container, Event

__all__ = ["Holdings"]

_Keys = frozenset[Key]
_NONE: _Keys = frozenset()


@dataclass(slots=True)
class _Held:
    container: Container
    mapped: Mapped
    told: set[Problem] = field(default_factory=set)


class Holdings:
    """The containers of one engine; every method returns the keys whose entry changed."""

    def __init__(self, place: Place) -> None:
        """Start with nothing."""
        self.place = place
        self.claims = Claims()
        self._held: dict[str, _Held] = {}
        self._kills: dict[str, int] = {}

    def __len__(self) -> int:
        """Return the number of containers that want entries."""
        return sum(1 for held in self._held.values() if held.mapped.instances)

    def __iter__(self) -> Iterator[str]:
        """Return the ids of living containers."""
        return iter(self._held)

    def __contains__(self, id_: str) -> bool:
        """Say whether a container is known to live."""
        return id_ in self._held

    def see(self, id_: str, container: Container | None, peer: Container | None) -> _Keys:
        """Take what a look found; None or a dead container means there is nothing to hold."""
        if container is None or not container.alive:
            self._kills.pop(id_, None)
            return self._forget(id_)
        mapped = instances_of(container, self.place, peer)
        told = self._held[id_].told if id_ in self._held else set()
        self._held[id_] = _Held(container, mapped, told)
        return self._claim(id_)

    def started(self, event: Event) -> _Keys:
        """Take a start: what was asked of the run before is over."""
        self._kills.pop(event.id, None)
        return _NONE

    def killed(self, event: Event) -> _Keys:
        """Take a signal: mark the run as draining when the signal asks it to end."""
        held = self._held.get(event.id)
        if not is_draining_signal(event.signal, held.container if held is not None else None):
            return _NONE
        self._kills[event.id] = max(event.time_nano, 1)
        return self._claim(event.id) if held is not None else _NONE

    def ended(self, event: Event) -> _Keys:
        """Take a death or a removal."""
        held = self._held.get(event.id)
        if held is None or event.time_nano <= held.container.started:
            return _NONE
        return self._forget(event.id)

    def new_problems(self, id_: str) -> tuple[Problem, ...]:
        """Return what is wrong with a container and was not returned before."""
        held = self._held.get(id_)
        if held is None:
            return ()
        problems = (*held.mapped.problems, *self._refusals(id_, held))
        new = tuple(problem for problem in problems if problem not in held.told)
        held.told.update(new)
        return new

    def _claim(self, id_: str) -> _Keys:
        held = self._held[id_]
        instances = held.mapped.instances
        if self._kills.get(id_, 0) > held.container.started:
            instances = tuple(replace(i, draining=True, ending=True) for i in instances)
        return self.claims.put(
            id_, instances, started=held.container.started, custom=held.mapped.custom
        )

    def _forget(self, id_: str) -> _Keys:
        self._held.pop(id_, None)
        return self.claims.put(id_, ())

    def _refusals(self, id_: str, held: _Held) -> Iterator[Problem]:
        for instance in held.mapped.instances:
            if instance.id in held.mapped.custom and not self.claims.holds(id_, key_of(instance)):
                text = f"not registered: another container holds {instance.id} of this service"
                yield Problem(held.container.name, "SERVICE_ID", text)
