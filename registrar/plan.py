"""Desired x actual -> changes, and who may hold an entry that two containers want. Pure.

An entry of the catalogue is named by service, node and id. Usual ids hold the container's name,
which only one container has at a time, so there the newer container wins: the other one is its
predecessor, whose end we have not heard of yet. An id from a label can name anything; it never
displaces a usual one, nor an older claim.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from registrar.merging import holder, merged
from sidecar.catalog.changes import Change, Drop, Put
from sidecar.catalog.model import Instance, InstanceId, Key, Node, key_of
from sidecar.engine.facts import Container

__all__ = [
    "Claims",
    "Refusal",
    "changes_for",
    "differing",
    "is_draining_signal",
]


class _Claim(NamedTuple):
    """One container's wish for an entry; the smallest wins."""

    is_custom: bool
    rank: int
    container: str
    instance: Instance


@dataclass(slots=True)
class Claims:
    """Which containers want which entries."""

    _by_key: dict[Key, dict[str, _Claim]] = field(default_factory=dict)
    _by_container: dict[str, tuple[Instance, ...]] = field(default_factory=dict)

    def put(
        self,
        container: str,
        instances: Iterable[Instance],
        *,
        started: int = 0,
        custom: frozenset[InstanceId] = frozenset(),
    ) -> frozenset[Key]:
        """Replace a container's claims; return the keys whose winner is now another."""
        wanted = tuple(instances)
        old = {key_of(instance) for instance in self._by_container.pop(container, ())}
        new = {key_of(instance): instance for instance in wanted}
        before = {key: self.winner(key) for key in old | new.keys()}
        for key in old - new.keys():
            claims = self._by_key[key]
            del claims[container]
            if not claims:
                del self._by_key[key]
        for key, instance in new.items():
            is_custom = key.id in custom
            claim = _Claim(is_custom, started if is_custom else -started, container, instance)
            self._by_key.setdefault(key, {})[container] = claim
        if wanted:
            self._by_container[container] = wanted
        return frozenset(key for key, instance in before.items() if self.winner(key) != instance)

    def winner(self, key: Key) -> Instance | None:
        """Return what stands under a key, or None."""
        claims = self._by_key.get(key)
        return min(claims.values(), key=lambda claim: claim[:3]).instance if claims else None

    def holds(self, container: str, key: Key) -> bool:
        """Say whether this container's claim is the one that counts."""
        claims = self._by_key.get(key, {})
        return bool(claims) and min(claim[:3] for claim in claims.values())[2] == container

    def of(self, container: str) -> tuple[Instance, ...]:
        """Return what a container wants."""
        return self._by_container.get(container, ())

    def desired(self) -> Mapping[Key, Instance]:
        """Return every entry that should be."""
        return {key: w for key in self._by_key if (w := self.winner(key)) is not None}

    def __len__(self) -> int:
        """Return the number of entries that should be."""
        return len(self._by_key)


def differing(
    desired: Mapping[Key, Instance], actual: Iterable[Instance], node: Node | None = None
) -> frozenset[Key]:
    """Return the keys under which the store does not hold what is desired.

    What others added to an entry is no difference.
    """
    held = {key_of(instance): instance for instance in actual}
    wanted = {key: merged(instance, held.get(key), node) for key, instance in desired.items()}
    return frozenset(k for k in wanted.keys() | held.keys() if wanted.get(k) != held.get(k))


class Refusal(NamedTuple):
    """An entry that is not written, as somebody else registered its id."""

    key: Key
    owner: str


def changes_for(
    wanted: Mapping[Key, Instance | None],
    there: Mapping[str, Instance] | None = None,
    node: Node | None = None,
) -> tuple[tuple[Change, ...], tuple[Refusal, ...]]:
    """Return the changes that make these entries what is wanted, removals first.

    ``there`` holds what now stands on the node, by id, and ``node`` its checks: entries of others
    are not touched, and what others added to ours stays.
    """
    puts: list[Change] = []
    drops: list[Change] = []
    refused: list[Refusal] = []
    for key in sorted(wanted):
        winner = wanted[key]
        held = there.get(key.id) if there is not None else None
        if other := holder(held):
            if winner is not None:
                refused.append(Refusal(key, other))
        elif winner is None:
            drops.append(Drop(key.service, key.id, key.node))
        else:
            known = held if held is not None and held.service == key.service else None
            puts.append(Put(merged(winner, known, node)))
    return (*drops, *puts), tuple(refused)


def is_draining_signal(number: int | None, container: Container | None) -> bool:
    """Say whether a signal asks a container to end: its own StopSignal, INT, QUIT, KILL, TERM.

    Others, as HUP and USR1, never do.
    """
    own = container.stop_signal if container is not None else None
    return number is not None and number in (2, 3, 9, 15, own)
