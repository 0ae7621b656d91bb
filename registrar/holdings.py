"""What we know of each container and what follows from it for the stores. Pure.

Rules:

1. Only the facts of a look add entries, and only those of a living container.
2. A death removes entries at once if it is later than the start we know of; an older one is told
   again by a new event stream and says nothing.
3. A signal that asks a container to end makes the entries of *this* run draining, whatever a later
   look says; the next start is another run. So does a person's wish, until it is taken back.
4. An end that does not remove entries (``endings``) keeps them: they are no longer desired, and
   nobody takes them away, until the container is gone or another one has their key.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from registrar.endings import Endings
from registrar.mapping import Mapped, Problem, instances_of
from registrar.plan import Claims, is_draining_signal
from registrar.ports import Place
from registrar.sweep import box_of
from sidecar.catalog.matching import Lot
from sidecar.catalog.model import CANARY, CANARY_MATCH, Instance, Key, key_of
from sidecar.engine.facts import Container, Event

__all__ = ["Holdings"]

_Keys = frozenset[Key]
_NONE: _Keys = frozenset()
_KEPT: Final = 10_000  # the oldest are forgotten: they stand as long as nobody sweeps


@dataclass(slots=True)
class _Held:
    container: Container
    mapped: Mapped
    told: set[Problem] = field(default_factory=set)
    peer: Container | None = None


class Holdings:
    """The containers of one engine; every method returns the keys whose entry changed."""

    def __init__(self, place: Place, endings: Endings | None = None) -> None:
        """Start with nothing."""
        self.place = place
        self.claims = Claims()
        self.spared: frozenset[str] = frozenset()
        """Names of containers that ended before we began, and whose entries their end kept."""
        self._endings = endings or Endings()
        self._held: dict[str, _Held] = {}
        self._kills: dict[str, int] = {}
        self._drains: set[str] = set()
        self._shares: dict[str, Lot] = {}
        self._labels: dict[str, Mapping[str, str]] = {}
        self._is_suspended = False
        self._kept: dict[Key, str] = {}

    def __len__(self) -> int:
        """Return the number of containers that want entries."""
        return sum(1 for held in self._held.values() if held.mapped.instances)

    def __iter__(self) -> Iterator[str]:
        """Return the ids of living containers."""
        return iter(self._held)

    def __contains__(self, id_: str) -> bool:
        """Say whether a container is known to live."""
        return id_ in self._held

    def keeps(self, key: Key) -> bool:
        """Say whether an entry is left standing though nobody wants it any more."""
        return key in self._kept or (bool(self.spared) and box_of(key.id) in self.spared)

    def release(self, keys: Iterable[Key]) -> None:
        """Keep these no more."""
        for key in keys:
            self._kept.pop(key, None)

    def of(self, id_: str) -> tuple[Instance, ...]:
        """Return the entries that a container has: those it wants and no other one holds."""
        wanted = self.claims.of(id_)
        return tuple(one for one in wanted if self.claims.holds(id_, key_of(one)))

    def see(self, id_: str, container: Container | None, peer: Container | None) -> _Keys:
        """Take what a look found; None or a dead container means there is nothing to hold."""
        if container is None:
            return self._gone(id_)
        if not container.alive:
            return self._over(id_, container.exit_code)
        held = self._held.get(id_)
        if held is not None and self._endings.compat:
            container = replace(container, name=held.container.name)
        told = held.told if held is not None else set()
        self._held[id_] = _Held(container, self._mapped(id_, container, peer), told, peer)
        return self._claim(id_)

    def _mapped(self, id_: str, container: Container, peer: Container | None) -> Mapped:
        labels = self._labels.get(id_)
        if labels is not None:
            container = replace(container, labels=labels)
        return instances_of(container, self.place, peer)

    def relabel(self, id_: str, labels: Mapping[str, str] | None) -> _Keys:
        """Take these for a container's labels, whatever the engine says; None: its own again."""
        if labels is None:
            self._labels.pop(id_, None)
        else:
            self._labels[id_] = labels
        held = self._held.get(id_)
        if held is None:
            return _NONE
        held.mapped = self._mapped(id_, held.container, held.peer)
        return self._claim(id_)

    def started(self, event: Event) -> _Keys:
        """Take a start: what was asked of the run before is over."""
        self._kills.pop(event.id, None)
        self._drains.discard(event.id)
        return _NONE

    def killed(self, event: Event) -> _Keys:
        """Take a signal: mark the run as draining when the signal asks it to end."""
        held = self._held.get(event.id)
        container = held.container if held is not None else None
        if self._endings.compat or not is_draining_signal(event.signal, container):
            return _NONE
        self._kills[event.id] = max(event.time_nano, 1)
        return self._claim(event.id) if held is not None else _NONE

    def drain(self, id_: str, *, on: bool) -> _Keys:
        """Make a living container draining, or take that back."""
        if id_ not in self._held:
            return _NONE
        (self._drains.add if on else self._drains.discard)(id_)
        return self._claim(id_)

    def share(self, id_: str, lot: Lot) -> _Keys:
        """Give a living container other requests, as a canary, than its labels say."""
        if id_ not in self._held:
            return _NONE
        self._shares[id_] = lot
        return self._claim(id_)

    def suspend(self, *, on: bool, but: Collection[str] = ()) -> _Keys:
        """Make all containers draining, also those yet to be seen, or take that back.

        Those in ``but`` go on draining.
        """
        self._is_suspended = on
        self._drains |= self._held.keys() & {*but}
        return _NONE.union(*(self._claim(id_) for id_ in [*self._held]))

    def withdraw(self, id_: str) -> _Keys:
        """Take a container that nobody can reach for one that is gone."""
        return self._gone(id_)

    def ended(self, event: Event) -> _Keys:
        """Take a death or a removal; a death of unknown status waits for the look."""
        held = self._held.get(event.id)
        if held is not None and event.time_nano <= held.container.started:
            return _NONE
        if event.action == "destroy":
            return self._gone(event.id)
        if held is None:
            return _NONE
        if event.exit_code is not None:
            return self._over(event.id, event.exit_code)
        # Every status removes, or none does: then there is nothing to wait for.
        by_status = self._endings.deregister == "on-success"
        return _NONE if by_status else self._over(event.id, 0)

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
        if (lot := self._shares.get(id_)) is not None:
            instances = tuple(replace(i, meta=_with(i.meta, lot)) for i in instances)
        is_asked = self._is_suspended or id_ in self._drains
        if is_asked or self._kills.get(id_, 0) > held.container.started:
            instances = tuple(replace(i, draining=True, ending=True) for i in instances)
        for instance in instances:
            self._kept.pop(key_of(instance), None)
        self.spared -= {box_of(instance.id) for instance in instances}
        return self.claims.put(
            id_, instances, started=held.container.started, custom=held.mapped.custom
        )

    def _over(self, id_: str, exit_code: int) -> _Keys:
        """End a run; its entries go or are kept, as its status says."""
        keys = self._forget(id_)
        if not self._endings.removes(exit_code):
            self._keep(id_, keys)
        return keys

    def _gone(self, id_: str) -> _Keys:
        """End what is left of a container that does not exist any more."""
        self._labels.pop(id_, None)
        keys = self._forget(id_)
        if self._endings.deregister == "never":
            self._keep(id_, keys)
        elif not self._endings.compat:
            kept = {key for key, container in self._kept.items() if container == id_}
            for key in kept:
                del self._kept[key]
            self.spared -= {box_of(key.id) for key in kept}
            keys |= kept
        return keys

    def _keep(self, id_: str, keys: _Keys) -> None:
        self._kept |= {key: id_ for key in sorted(keys) if self.claims.winner(key) is None}
        while len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]

    def _forget(self, id_: str) -> _Keys:
        self._held.pop(id_, None)
        self._kills.pop(id_, None)
        self._drains.discard(id_)
        self._shares.pop(id_, None)
        return self.claims.put(id_, ())

    def _refusals(self, id_: str, held: _Held) -> Iterator[Problem]:
        for instance in held.mapped.instances:
            if instance.id in held.mapped.custom and not self.claims.holds(id_, key_of(instance)):
                text = f"not registered: another container holds {instance.id} of this service"
                yield Problem(held.container.name, "SERVICE_ID", text)


def _with(meta: Mapping[str, str], lot: Lot) -> dict[str, str]:
    """Return meta that says what a canary is to have."""
    kept = {key: value for key, value in meta.items() if key != CANARY_MATCH}
    more = {CANARY_MATCH: lot.match} if lot.match else {}
    return {**kept, CANARY: f"{lot.percent:g}", **more}
