"""What is remembered, service by service: a look at one costs what is known of that one. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from sidecar.scheduler.memory import Failure, Memory, Move

__all__ = ["Parts"]

Value = TypeVar("Value")


class Parts:
    """A memory taken apart; each part is a memory of one service, without ``counted``."""

    def __init__(self, memory: Memory) -> None:
        """``memory`` is what was known before."""
        self.moved = memory.moved
        """Of all services: parts have none."""
        self._memory = memory
        self._changed: dict[str, Memory] = {}
        self._failures: dict[str, list[Failure]] = {}
        for failure in memory.failures:
            self._failures.setdefault(failure.service, []).append(failure)
        self._moves: dict[str, dict[tuple[str, str, int], Move]] = {}
        for key, move in memory.moves.items():
            self._moves.setdefault(key[0], {})[key] = move
        self._paused: dict[str, set[tuple[str, str]]] = {}
        for each in memory.paused:
            self._paused.setdefault(each[0], set()).add(each)

    def of(self, service: str) -> Memory:
        """Return what is known of a service."""
        if service in self._changed:
            return self._changed[service]
        whole = self._memory
        return Memory(
            failures=tuple(self._failures.get(service, ())),
            updated=_only(service, whole.updated),
            moving=frozenset({service} & whole.moving),
            trials=_only(service, whole.trials),
            paused=frozenset(self._paused.get(service, ())),
            attempts=_only(service, whole.attempts),
            begun=_only(service, whole.begun),
            cut_off=whole.cut_off,
            moves=self._moves.get(service, {}),
            unmoved=_only(service, whole.unmoved),
        )

    def put(self, service: str, part: Memory) -> None:
        """Take what is known of a service from now on."""
        self._changed[service] = part

    def whole(self) -> Memory:
        """Return all of it as one; the same object when nothing changed."""
        before, changed = self._memory, self._changed
        if not changed and self.moved == before.moved:
            return before
        parts = changed.values()
        return replace(
            before,
            failures=(
                *(each for each in before.failures if each.service not in changed),
                *(each for part in parts for each in part.failures),
            ),
            updated=_merged(before.updated, changed, (part.updated for part in parts)),
            moving=(before.moving - changed.keys()).union(*(part.moving for part in parts)),
            trials=_merged(before.trials, changed, (part.trials for part in parts)),
            paused=frozenset(each for each in before.paused if each[0] not in changed).union(
                *(part.paused for part in parts)
            ),
            attempts=_merged(before.attempts, changed, (part.attempts for part in parts)),
            begun=_merged(before.begun, changed, (part.begun for part in parts)),
            moves={
                **{key: move for key, move in before.moves.items() if key[0] not in changed},
                **{key: move for part in parts for key, move in part.moves.items()},
            },
            moved=self.moved,
            unmoved=_merged(before.unmoved, changed, (part.unmoved for part in parts)),
        )


def _only(service: str, values: Mapping[str, Value]) -> Mapping[str, Value]:
    return {service: values[service]} if service in values else {}


def _merged(
    before: Mapping[str, Value], changed: Mapping[str, object], parts: Iterable[Mapping[str, Value]]
) -> Mapping[str, Value]:
    found = {name: each for name, each in before.items() if name not in changed}
    for part in parts:
        found.update(part)
    return found
