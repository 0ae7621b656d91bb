"""A part of ZooKeeper's tree, read once and then followed by watches.

A watch fires once and says only that something happened, so each is a hint to read again: what
was stirred is read in one batch, with new watches, until nothing is stirred any more. Then the
tree is as it was at one moment, or newer. A lost connection stirs all of it.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from sidecar.stores.zookeeper.answers import Answer, Fault, Read
from sidecar.stores.zookeeper.client import Client

if TYPE_CHECKING:
    from sidecar.stores.zookeeper.threads import Call

__all__ = ["Tree"]

_PASSES: Final = 50  # one per level, and some for what changes meanwhile


class Tree:
    """The nodes below a root; ``read`` makes them current.

    With ``depth``, nodes at that level are leaves and only their data are read, of those above
    only their children. Without, all nodes may have both.
    """

    def __init__(
        self,
        client: Client,
        root: str,
        stirred: Callable[[], None] | None = None,
        depth: int | None = None,
    ) -> None:
        """``stirred`` is called on the loop when there is something to ``read``.

        Without it, nothing is watched.
        """
        self.data: dict[str, Read] = {}
        """What was read, by path relative to the root ("" for itself)."""
        self._client = client
        self._root = root
        self._depth = depth
        self._children: dict[str, frozenset[str]] = {}
        self._dirty: set[str] = {""}
        self._tell = stirred or (lambda: None)
        self._watch = None if stirred is None else client.watch(self._stir)
        if stirred is not None:
            client.on_turn.append(self._stir_all)

    @property
    def is_stirred(self) -> bool:
        """Whether there is something to read."""
        return bool(self._dirty)

    def close(self) -> None:
        """Follow no more."""
        with suppress(ValueError):
            self._client.on_turn.remove(self._stir_all)

    async def read(self) -> None:
        """Read what was stirred until nothing is, or others stir it faster than we read.

        Raises StoreUnavailable or StoreDenied.
        """
        for _ in range(_PASSES):
            if not self._dirty:
                return
            batch, self._dirty = sorted(self._dirty), set()
            try:
                await self._read(batch)
            except BaseException:
                self._dirty.update(batch)
                raise

    def _stir(self, path: str) -> None:
        self._dirty.add(path.removeprefix(self._root).removeprefix("/"))
        self._tell()

    def _stir_all(self) -> None:
        self._dirty |= {"", *self._children, *self.data}
        self._tell()

    async def _read(self, batch: list[str]) -> None:
        calls: list[tuple[str, Callable[[str, Answer], None], Call]] = []
        for name in batch:
            path = "/".join(filter(None, (self._root, name))) or "/"
            if name == "":  # it may not be there yet; its watch tells
                calls.append((name, self._rooted, self._client.exists(path, self._watch)))
            if self._has_children(name):
                calls.append((name, self._branched, self._client.children(path, self._watch)))
            if self._has_data(name):
                calls.append((name, self._filled, self._client.get(path, self._watch)))
        answers = await self._client.run([call for _, _, call in calls])
        for (name, take, _), answer in zip(calls, answers, strict=True):
            take(name, answer)

    def _has_children(self, name: str) -> bool:
        return self._depth is None or _level(name) < self._depth

    def _has_data(self, name: str) -> bool:
        return self._depth is None or _level(name) == self._depth

    def _rooted(self, name: str, answer: Answer) -> None:
        """Nothing to take: the children say what is there."""

    def _branched(self, name: str, answer: Answer) -> None:
        if isinstance(answer, Fault):
            self._forget(name)
            return
        before = self._children.get(name, frozenset())
        now = self._children[name] = frozenset(f"{name}/{child}".lstrip("/") for child in answer)
        for gone in before - now:
            self._forget(gone)
        # A child that went and came back is not known, so it is read too.
        self._dirty |= {each for each in now if not self._knows(each)}

    def _knows(self, name: str) -> bool:
        return name in self._children or name in self.data

    def _filled(self, name: str, answer: Answer) -> None:
        if isinstance(answer, Read):
            self.data[name] = answer
        else:
            self.data.pop(name, None)

    def _forget(self, name: str) -> None:
        names: Iterable[Any] = self._children.pop(name, frozenset())
        self.data.pop(name, None)
        for child in names:
            self._forget(child)


def _level(name: str) -> int:
    return name.count("/") + 1 if name else 0
