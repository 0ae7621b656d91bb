"""Keys as nodes below the base path.

``a/b`` is the node ``<base>/a/b``. Nodes above a key come and go with it; a node that is empty and
has children is such a folder and no key. An index is ZooKeeper's transaction number.
"""

from collections.abc import AsyncIterator
from typing import Final

from sidecar.catalog.kv import Entry, Listing
from sidecar.errors import StoreConflict, StoreDenied, StoreUnavailable
from sidecar.runtime.backoff import Backoff
from sidecar.runtime.signal import Signal
from sidecar.stores.zookeeper.answers import Answer, Fault, Read
from sidecar.stores.zookeeper.client import Client
from sidecar.stores.zookeeper.location import is_path
from sidecar.stores.zookeeper.tree import Tree

__all__ = ["ZooKeeperKeyValue"]

_ROUNDS: Final = 8
_NEVER: Final = frozenset({Fault.DENIED, Fault.EPHEMERAL, Fault.REFUSED})


class ZooKeeperKeyValue:
    """Keys of one base path; connects with the first request."""

    def __init__(self, client: Client) -> None:
        """Prepare; nothing is sent yet."""
        self._client = client

    def trouble(self) -> str | None:
        """Return what keeps us from the store, or None."""
        return self._client.trouble()

    async def close(self) -> None:
        """Hang up."""
        await self._client.close()

    async def get(self, key: str) -> Entry | None:
        """Return one entry, or None."""
        (answer,) = await self._client.run([self._client.get(self._path(key))])
        self._allowed(answer)
        return _entry(key, answer) if isinstance(answer, Read) and _is_key(answer) else None

    async def list(self, prefix: str) -> Listing:
        """Return the entries whose keys begin with this text, sorted."""
        tree = Tree(self._client, self._folder(prefix))
        await tree.read()
        return _listing(tree, prefix)

    async def put(
        self,
        key: str,
        value: bytes,
        *,
        flags: int = 0,  # noqa: ARG002 - part of the protocol
        cas: int | None = None,
    ) -> None:
        """Write a key (``KeyValue.put``); ``flags`` have no place here.

        Raises StoreConflict, StoreUnavailable or StoreDenied.
        """
        path = self._path(key)
        for _ in range(_ROUNDS):
            (read,) = await self._client.run([self._client.get(path)])
            self._allowed(read)
            found = read if isinstance(read, Read) else None
            index = found.modified if found is not None and _is_key(found) else 0
            if cas is not None and cas != index:
                raise StoreConflict(f"{key} was changed by another")
            if found is None:
                above = [self._client.create(each) for each in _above(path)]
                answers = await self._client.run([*above, self._client.create(path, value)])
            else:
                version = found.held.version if cas is not None else -1
                answers = await self._client.run([self._client.set(path, value, version)])
            self._allowed(answers[-1])
            if not isinstance(answers[-1], Fault):
                return
        raise StoreUnavailable(f"{self._client.location.url}: {key} keeps changing")

    async def delete(self, key: str) -> None:
        """Remove a key, if it is there, and the folders that it leaves empty."""
        path = self._path(key)
        (answer,) = await self._client.run([self._client.delete(path)])
        self._allowed(answer)
        if answer is Fault.HAS_CHILDREN:  # a folder from now on
            await self._client.run([self._client.set(path, b"")])
            return
        for folder in reversed(_above(path)[self._client.location.base.count("/") :]):
            (read,) = await self._client.run([self._client.get(folder)])
            if not isinstance(read, Read) or read.children or read.held.data:
                return
            await self._client.run([self._client.delete(folder, read.held.version)])

    async def watch(self, prefix: str, after: int = -1) -> AsyncIterator[Listing]:
        """Yield the present listing, unless its index is ``after``, then each newer one."""
        signal = Signal()
        tree = Tree(self._client, self._folder(prefix), signal.fire)
        last: Listing | None = None
        try:
            while True:
                await self._read(tree)
                listing = _listing(tree, prefix)
                is_new = listing != last and (last is not None or listing.index != after)
                last = listing
                if is_new:
                    yield listing
                while not tree.is_stirred:
                    await signal.wait()
        finally:
            tree.close()

    async def _read(self, tree: Tree) -> None:
        """Read until it succeeds."""
        backoff = Backoff(0.1, 1.0)
        while True:
            try:
                return await tree.read()
            except StoreUnavailable:
                await self._client.pause(backoff.next())

    def _folder(self, prefix: str) -> str:
        folder = prefix.rpartition("/")[0]
        return self._path(folder) if folder else self._client.location.base

    def _path(self, key: str) -> str:
        if not all(map(is_path, key.split("/"))):
            raise StoreDenied(f"{key!r} cannot be a path in ZooKeeper")
        return f"{self._client.location.base}/{key}"

    def _allowed(self, answer: Answer) -> None:
        if isinstance(answer, Fault) and answer in _NEVER:
            raise StoreDenied(f"{self._client.location.url}: {answer.value}")


def _above(path: str) -> list[str]:
    parts = path.split("/")[1:-1]
    return ["/" + "/".join(parts[: number + 1]) for number in range(len(parts))]


def _is_key(read: Read) -> bool:
    return bool(read.held.data) or not read.children


def _entry(key: str, read: Read) -> Entry:
    return Entry(
        key=key, value=read.held.data, create_index=read.created, modify_index=read.modified
    )


def _listing(tree: Tree, prefix: str) -> Listing:
    folder = prefix.rpartition("/")[0]
    keys = {
        f"{folder}/{name}" if folder else name: read for name, read in tree.data.items() if name
    }
    entries = tuple(
        _entry(key, read)
        for key, read in sorted(keys.items())
        if key.startswith(prefix) and _is_key(read)
    )
    newest = max((max(each.modified, each.moved) for each in tree.data.values()), default=0)
    return Listing(newest, entries)
