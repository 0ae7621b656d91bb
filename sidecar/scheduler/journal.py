"""What was decided and done, for people: the last entries, and the newest of each slot.

Bounded: the oldest entries go, and with them what a slow reader has not read; it is told how many.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sidecar.metrics import counter
from sidecar.runtime.signal import Signal

__all__ = ["Entry", "Journal"]

_entries = counter(
    "pinnace_scheduler_decisions_total", "decisions, orders and actions, by kind", ["kind"]
)
_MOST: Final = 2_000
_MOST_SLOTS: Final = 20_000
_AGAIN: Final = 600.0
_MAKING: Final = frozenset({"create", "start"})
_TOLD: Final = frozenset({"placed", "refused"})
_REPEATED: Final = frozenset({"refused", "alarm"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One line; ``number`` grows by one each time."""

    number: int
    at: float
    kind: str
    fields: Mapping[str, object]


class Journal:
    """Takes entries; readers wait for newer ones."""

    def __init__(self, wall: Callable[[], float], most: int = _MOST) -> None:
        """``wall`` tells the time of day."""
        self.wall = wall
        self._entries: deque[Entry] = deque(maxlen=most)
        self._number = 0
        self._of_slot: OrderedDict[tuple[str, str], Entry] = OrderedDict()
        self._said: dict[tuple[object, ...], tuple[str, float]] = {}
        self._news = Signal()

    @property
    def last(self) -> int:
        """Return the number of the newest entry; 0 when there is none."""
        return self._number

    def note(self, kind: str, **fields: object) -> None:
        """Take an entry. What is said at every look until it changes is taken once."""
        if kind == "pending":
            return  # the desk notes a refusal with its reasons
        if kind in _REPEATED and self._is_said(kind, fields):
            return
        self._number += 1
        _entries.labels(kind).inc()
        entry = Entry(self._number, self.wall(), kind, fields)
        self._entries.append(entry)
        slot = str(fields.get("service", "")), str(fields.get("slot", ""))
        if kind in _TOLD:
            self._of_slot[slot] = entry
            self._of_slot.move_to_end(slot)
            if len(self._of_slot) > _MOST_SLOTS:
                self._of_slot.popitem(last=False)
            if kind == "placed":
                self._said.pop(("refused", *slot, None), None)
        self._news.fire()

    def _is_said(self, kind: str, fields: Mapping[str, object]) -> bool:
        key = kind, fields.get("service"), fields.get("slot"), fields.get("text")
        said, at = repr(sorted(fields.items())), self.wall()
        before = self._said.get(key)
        if before is not None and before[0] == said and at - before[1] < _AGAIN:
            return True
        if len(self._said) > _MOST_SLOTS:
            self._said.clear()
        self._said[key] = said, at
        return False

    def since(self, number: int) -> tuple[int, Sequence[Entry]]:
        """Return how many entries after ``number`` are gone, and those that are left."""
        found = [each for each in self._entries if each.number > number]
        oldest = found[0].number if found else self._number + 1
        return max(0, oldest - number - 1), found

    async def news(self, number: int) -> None:
        """Return when there is an entry after ``number``."""
        while self._number <= number:
            await self._news.wait()

    def errors(self) -> dict[tuple[str, str], str]:
        """Return, by service and slot, why the last attempt to make or start a copy failed."""
        found: dict[tuple[str, str], str] = {}
        for entry in self._entries:
            match str(entry.fields.get("action", "")).split("/"):
                case [act, stack, service, slot, _] if act in _MAKING:
                    key = f"{stack}/{service}", slot
                case _:
                    continue
            if entry.kind == "failed":
                found[key] = str(entry.fields.get("reason", ""))
            else:
                found.pop(key, None)
        return found

    def of_slot(self, service: str, slot: str) -> Entry | None:
        """Return the last decision about a slot."""
        return self._of_slot.get((service, slot))
