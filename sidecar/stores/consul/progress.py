"""Which entries are being written, or were since a moment: an older look at them is void. Pure."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

__all__ = ["Progress"]


class Progress:
    """Counts writes; moments are counts, not times."""

    def __init__(self) -> None:
        """Nothing was written."""
        self._count = 0
        self._under_way: dict[str, int] = {}
        self._done: dict[str, int] = {}

    def now(self) -> int:
        """Return this moment; everything that ended before is known to a look that begins now."""
        return self._count

    @contextmanager
    def on(self, ids: Iterable[str]) -> Iterator[None]:
        """Say that these are written within the block."""
        ids = frozenset(ids)
        for id_ in ids:
            self._under_way[id_] = self._under_way.get(id_, 0) + 1
        try:
            yield
        finally:
            self._count += 1
            for id_ in ids:
                self._done[id_] = self._count
                self._under_way[id_] -= 1
                if not self._under_way[id_]:
                    del self._under_way[id_]

    def is_settled(self, id_: str, since: int) -> bool:
        """Say whether what was seen of an entry from that moment on counts."""
        return id_ not in self._under_way and self._done.get(id_, 0) <= since

    def forget(self, upto: int) -> None:
        """Forget what ended until this moment; nobody asks from before any more."""
        self._done = {id_: at for id_, at in self._done.items() if at > upto}
