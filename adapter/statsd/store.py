"""All series by family: names bound to types, how many there may be, and when they go. Pure.

A name is its first type's until its last series is gone. There is room for so many series and so
many characters of their texts; what is beyond is counted by family and dropped.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from adapter.exposition import Kind, label_text
from adapter.statsd.series import Series
from adapter.statsd.tally import Tally

__all__ = ["Group", "Store"]

_TEXT: Final = 500  # characters of a series, on average, for which there is room
_SPREAD: Final = frozenset({"histogram", "summary"})
_PARTS: Final = ("_bucket", "_count", "_sum")

_Shape = tuple[str, ...]


class Group:
    """The series of one name. Most have one: it needs no dict."""

    __slots__ = ("first", "help", "kind", "layouts", "more", "name", "shapes")

    def __init__(self, name: str, kind: Kind, help_text: str) -> None:
        """``layouts`` is what rules say of buckets or quantiles, the first by set of labels."""
        self.name = name
        self.kind: Kind = kind
        self.help = help_text
        self.shapes: tuple[_Shape, ...] = ()
        self.layouts: tuple[object, ...] = ()
        self.first: Series | None = None
        self.more: dict[str, Series] | None = None

    def __iter__(self) -> Iterator[Series]:
        """Yield all series."""
        if self.first is not None:
            yield self.first
        if self.more:
            yield from self.more.values()

    def find(self, text: str) -> Series | None:
        """Return the series of a text."""
        if self.first is not None and self.first.text == text:
            return self.first
        return self.more.get(text) if self.more else None

    def add(self, series: Series) -> None:
        """Take in a new one."""
        if self.first is None:
            self.first = series
        else:
            self.more = {} if self.more is None else self.more
            self.more[series.text] = series

    def drop(self, series: Series) -> None:
        """Forget one."""
        if series is self.first:
            self.first = None
        else:
            (self.more or {}).pop(series.text, None)


def _parts(kind: Kind) -> Sequence[str]:
    if kind not in _SPREAD:
        return ()
    return _PARTS if kind == "histogram" else _PARTS[1:]


class Store:
    """Every series there is."""

    def __init__(self, tally: Tally, most: int, reserved: frozenset[str] = frozenset()) -> None:
        """``most`` series, 0 for no bound; ``reserved`` are names of metrics of our own."""
        self.groups: dict[str, Group] = {}
        self.count = 0
        self._tally = tally
        self._most = most
        self._room = most * _TEXT
        self._reserved = reserved
        self._size = 0
        self._mortal: dict[Series, Group] = {}
        self._shapes: dict[_Shape, tuple[_Shape, ...]] = {}
        self._layouts: dict[object, tuple[object, ...]] = {}

    def series(
        self,
        name: str,
        kind: Kind,
        labels: Mapping[str, str],
        make: Callable[[str, object], Series],
        *,
        help_text: str,
        layout: object = None,
        ttl: float = 0.0,
        weight: int = 1,
    ) -> Series | None:
        """Return the series, made when it is new; None when the name or the room is taken.

        ``weight`` is how many events are refused then.
        """
        shape = tuple(sorted(labels))
        text = name + label_text({label: labels[label] for label in shape})
        group = self.groups.get(name)
        if group is not None and group.kind == kind:
            found = group.find(text)
            if found is not None:
                return found
        if self._conflicts(name, kind, group):
            self._tally.conflict("observer" if kind in _SPREAD else kind, name, weight)
            return None
        if self._most and (self.count >= self._most or self._size + len(text) > self._room):
            self._tally.overflow(name, weight)
            return None
        if group is None:
            group = self.groups[name] = Group(name, kind, help_text)
        series = make(group.name if text == name else text, self._layout(group, shape, layout))
        self._add(group, series, ttl)
        return series

    def _layout(self, group: Group, shape: _Shape, layout: object) -> object:
        """Return the layout of all series of a name with these labels: that of the first.

        As in the peer: with other labels a name may have other buckets. Layouts are hashable.
        """
        if shape in group.shapes:
            return group.layouts[group.shapes.index(shape)] if group.layouts else None
        alone = self._shapes.setdefault(shape, (shape,)) if len(self._shapes) < 1000 else (shape,)
        group.shapes = group.shapes + alone if group.shapes else alone
        if layout is not None:
            single = self._layouts.setdefault(layout, (layout,))
            group.layouts = group.layouts + single if group.layouts else single
        return layout

    def _add(self, group: Group, series: Series, ttl: float) -> None:
        series.ttl = ttl
        group.add(series)
        self.count += 1
        self._size += len(series.text)
        if ttl:
            self._mortal[series] = group

    def _conflicts(self, name: str, kind: Kind, group: Group | None) -> bool:
        """Say whether a name is another type's, or would be taken for a part of another."""
        if name in self._reserved or (group is not None and group.kind != kind):
            return True
        if kind in _SPREAD:
            return self._splits(name, kind)
        return any(
            name.endswith(part) and self._is_other(name.removesuffix(part), "counter")
            for part in _PARTS
        )

    def _splits(self, name: str, kind: Kind) -> bool:
        """Say whether parts of an observer are somebody's name, or its name a part of another's.

        Of observers of one type too: the formats cannot hold both, and a scrape would fail.
        """
        if any(name + part in self.groups for part in _parts(kind)):
            return True
        bases = ((part, self.groups.get(name.removesuffix(part))) for part in _PARTS)
        return any(
            name.endswith(part) and base is not None and part in _parts(base.kind)
            for part, base in bases
        )

    def _is_other(self, name: str, kind: Kind) -> bool:
        group = self.groups.get(name)
        return group is not None and group.kind != kind

    def sweep(self, now: float) -> bool:
        """Forget what was not changed for its time to live; say whether there was any."""
        dead = [series for series in self._mortal if series.touched + series.ttl < now]
        for series in dead:
            group = self._mortal.pop(series)
            series.ttl = -1.0
            group.drop(series)
            self.count -= 1
            self._size -= len(series.text)
            if group.first is None and not group.more:
                self.groups.pop(group.name, None)
        return bool(dead)
