"""What an edge has written and what it takes from others' hands. Pure.

Rules:

1. What was written last is known, also that an entry was removed; a change that differs disturbs.
   So a late answer to a write that was given up is noticed and mended.
2. Of two owners of one key the later writer has it. The other one lets it be until it is gone, as
   two that insist would write for ever.
3. What was let go is neither kept nor missed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from sidecar.catalog.model import InstanceId, Key
from sidecar.stores.base import Holder
from sidecar.stores.etcd.entries import MARKS, Layout, Unreadable, is_nodes, owner_in
from sidecar.stores.etcd.keyspace import Event, Held, Reading

__all__ = ["Ledger", "Want"]

_GONE: Final = 1_000
_Keeps = Callable[[Held], bool]


class Want(NamedTuple):
    """What should stand under a key; None: nothing. ``mark`` is empty when there is to be none."""

    entry: Key
    key: str
    value: bytes | None
    mark: bytes = b""

    @property
    def mark_key(self) -> str:
        """Where the mark stands."""
        return MARKS + self.key


class Ledger:
    """The entries of one edge."""

    def __init__(self, layout: Layout) -> None:
        """Know nothing yet."""
        self._layout = layout
        self._kept: dict[str, Want] = {}
        self._gone: dict[str, bytes] = {}
        self._lost: set[str] = set()
        self._let_go: set[str] = set()

    @property
    def kept(self) -> tuple[Want, ...]:
        """What is to be kept alive."""
        return tuple(self._kept.values())

    def mark(self, key: str) -> bytes:
        """Return the mark under which an entry was written last, or nothing."""
        want = self._kept.get(key)
        return want.mark if want is not None else self._gone.get(key, b"")

    def note(self, wants: Iterable[Want]) -> None:
        """Take what is being written."""
        for want in wants:
            self._let_go.discard(want.key)
            self._lost.discard(want.key)
            if want.value is not None:
                self._kept[want.key] = want
                self._gone.pop(want.key, None)
            else:
                self._kept.pop(want.key, None)
                self._gone[want.key] = want.mark
                if len(self._gone) > _GONE:
                    del self._gone[next(iter(self._gone))]

    def forget(self, keys: Iterable[str]) -> None:
        """Drop what was refused."""
        for key in keys:
            self._kept.pop(key, None)

    def let_go(self, keys: Iterable[str]) -> tuple[Want, ...]:
        """Keep these no longer; return what they were."""
        found = []
        for key in keys:
            self._let_go.add(key)
            if (want := self._kept.pop(key, None)) is not None:
                found.append(want)
        return tuple(found)

    def disturbs(self, changed: Reading | Sequence[Event], keeps: _Keeps) -> bool:
        """Say whether entries are not as they were written."""
        if isinstance(changed, Reading):
            entries = changed.entries
            keys = self._kept.keys() | self._gone.keys() | self._lost
            return any(self._differs(key, entries.get(key), keeps) for key in keys)
        return any(self._differs(event.key, event.held, keeps) for event in changed)

    def _differs(self, key: str, held: Held | None, keeps: _Keeps) -> bool:
        if (want := self._kept.get(key)) is not None:
            return held is None or held.value != want.value or not keeps(held)
        return key in (self._lost if held is None else self._gone)

    def audit(
        self, wants: Mapping[str, Want], reading: Reading, holder: Holder, keeps: _Keeps
    ) -> frozenset[Key]:
        """Return which entries are not as wanted, and which of the holder's nobody wants.

        What stands as wanted is kept from now on.
        """
        wrong: set[Key] = set()
        self._let_go &= reading.entries.keys()
        for want in wants.values():
            state = _State(want.key, reading, holder)
            if state.is_foreign and (want.key in self._kept or want.key in self._lost):
                self._kept.pop(want.key, None)
                self._lost.add(want.key)
            elif not state.is_as(want, keeps):
                wrong.add(want.entry)
            elif want.value is not None:
                self.note([want])
        for key in dict.fromkeys(each.removeprefix(MARKS) for each in reading.entries):
            if key not in wants and key not in self._let_go:
                wrong |= self._unwanted(key, reading, holder)
        return frozenset(wrong)

    def _unwanted(self, key: str, reading: Reading, holder: Holder) -> set[Key]:
        """Return the entry under a key if it is the holder's."""
        state = _State(key, reading, holder)
        if state.owner:
            if state.owner != holder.owner:
                return set()
            return {Key(state.service, holder.node, InstanceId(state.id))}
        if key in self._kept:
            return {self._kept[key].entry}
        try:
            service, id_, *_ = self._layout.found(key, reading.entries[key].value)
        except Unreadable:
            return set()
        return {Key(service, holder.node, InstanceId(id_))} if is_nodes(id_, holder.node) else set()


class _State:
    """What a reading says of one key."""

    def __init__(self, key: str, reading: Reading, holder: Holder) -> None:
        self.held = reading.entries.get(key)
        self.mark = reading.entries.get(MARKS + key)
        marked = ("", "", "") if self.mark is None else owner_in(self.mark.value)
        self.owner, self.service, self.id = marked
        self.is_foreign = self.held is not None and self.owner not in {"", holder.owner}

    def is_as(self, want: Want, keeps: _Keeps) -> bool:
        if want.value is None:
            return self.held is None or self.is_foreign
        if self.held is None or self.held.value != want.value or not keeps(self.held):
            return False
        if not want.mark:
            return True
        return self.mark is not None and self.mark.value == want.mark and keeps(self.mark)
